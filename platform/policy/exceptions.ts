import { sql } from "kysely";
import type { Sql } from "../kernel/sql.ts";
import type { Relief } from "./model.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    policy_exception: {
      id: string;
      rules: string[];
      service: string;
      environment: string | null;
      because: string;
      granted_by: string;
      granted_at: Date;
      until: Date;
      ended_by: string | null;
      ended_at: Date | null;
      ended_because: string | null;
    };
  }
}

/** The exceptions that speak for a service now, as rules are judged with them. */
export async function exceptionsFor(db: Sql, service: string, now: Date): Promise<Relief[]> {
  const rows = await db
    .selectFrom("policy_exception")
    .selectAll()
    .where("service", "=", service)
    .where("until", ">", now)
    .where("ended_at", "is", null)
    .orderBy(sql`id collate "C"`)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    kind: "exception",
    rules: row.rules,
    service: row.service,
    environment: row.environment,
    from: row.granted_at.toISOString(),
    until: row.until.toISOString(),
    because: row.because,
    grantedBy: row.granted_by,
  }));
}
