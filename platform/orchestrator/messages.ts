import type { Sql } from "../kernel/sql.ts";
import { sql } from "kysely";
import { fromText, toText } from "./durable.ts";
import { runUnknown } from "./faults.ts";
import { runRow } from "./store.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    workflow_message: { seq: number; run: string; topic: string; key: string; message: string; taken: boolean };
  }
}

/** Leaves a message for a run. The same key twice on a topic is one message. Throws `orchestrator.run_unknown`. */
export async function leaveMessage(db: Sql, run: string, topic: string, key: string, message: unknown): Promise<void> {
  if (!(await runRow(db, run))) throw runUnknown(run);
  await sql`insert into workflow_message (run, topic, key, message) values (${run}, ${topic}, ${key}, ${toText(message)}) on conflict (run, topic, key) do nothing`.execute(
    db,
  );
  await sql`select pg_notify('cairn_run_wakes', ${run})`.execute(db);
}

/** Takes the oldest message. Call it with the checkpoint that remembers it. */
export async function takeMessage(db: Sql, run: string, topic: string): Promise<{ message: unknown } | undefined> {
  const { rows } = await sql<{ message: string }>`
    update workflow_message set taken = true
    where seq = (select seq from workflow_message where run = ${run} and topic = ${topic} and not taken order by seq limit 1 for update)
    returning message`.execute(db);
  return rows[0] && { message: fromText(rows[0].message) };
}

/** Whether a run that waits on a topic has reason to look: a message, or that it was cancelled. */
export async function hasNews(db: Sql, run: string, topic: string): Promise<boolean> {
  const { rows } = await sql`
    select from workflow_run where id = ${run} and (cancelled is not null
      or exists (select from workflow_message where run = ${run} and topic = ${topic} and not taken))`.execute(db);
  return rows.length > 0;
}
