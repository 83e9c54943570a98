import { sql } from "kysely";
import type { Db } from "../kernel/sql.ts";

const KEEP_DAYS = 7;
const BATCH = 500;

/**
 * Deletes the checkpoints of runs that ended long ago, which nothing else does. The runs themselves stay, as the view of what happened; but
 * not those that are about the platform itself, which begin by the clock, every few minutes, whether anything happens or not. `forget` deletes by id. */
export async function forgetOld(db: Db, forget: (ids: string[]) => Promise<void>): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ id: string }>`
      select workflow_uuid as id from dbos.workflow_status
      where status in ('SUCCESS', 'ERROR', 'CANCELLED') and updated_at < extract(epoch from now() - make_interval(days => ${KEEP_DAYS})) * 1000
      limit ${BATCH}`.execute(db);
    if (rows.length > 0) await forget(rows.map((row) => row.id));
    if (rows.length < BATCH) break;
  }
  await sql`
    delete from workflow_message using workflow_run as run
    where run.id = workflow_message.run and run.ended_at < now() - make_interval(days => ${KEEP_DAYS})`.execute(db);
  await sql`
    delete from workflow_run
    where about like 'platform:%' and ended_at < now() - make_interval(days => ${KEEP_DAYS})`.execute(db);
}
