import type { Sql } from "../kernel/sql.ts";
import { exceptionsFor } from "../policy/exceptions.ts";
import type { Relief } from "../policy/model.ts";

/** All that speaks for a service now although rules refuse it. */
export async function reliefsFor(db: Sql, service: string, now: Date): Promise<Relief[]> {
  return exceptionsFor(db, service, now);
}
