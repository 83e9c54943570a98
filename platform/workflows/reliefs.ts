import type { Sql } from "../kernel/sql.ts";
import { reliefOf } from "../policy/break-glass.ts";
import { openBreakGlasses } from "../policy/break-glass-store.ts";
import { exceptionsFor } from "../policy/exceptions.ts";
import type { Relief } from "../policy/model.ts";

/** All that speaks for a service now although rules refuse it: exceptions first, so that a break-glass is used only where there is none. */
export async function reliefsFor(db: Sql, service: string, now: Date): Promise<Relief[]> {
  return [...(await exceptionsFor(db, service, now)), ...(await openBreakGlasses(db, service, now)).map(reliefOf)];
}
