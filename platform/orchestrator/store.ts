import { sql } from "kysely";
import type { Db, Sql } from "../kernel/sql.ts";
import { fromText } from "./durable.ts";
import { runUnknown, type KeptFault } from "./faults.ts";
import type { RunState, StepState, WorkflowRun, WorkflowRunWithSteps, WorkflowStep } from "./model.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    workflow_run: {
      id: string;
      workflow: string;
      about: string;
      started_by: string;
      parent: string | null;
      state: RunState;
      current_step: string | null;
      input: string;
      output: string | null;
      error: KeptFault | null;
      cancelled: Cancellation | null;
      committed_at: Date | null;
      created_at: Date;
      updated_at: Date;
      ended_at: Date | null;
    };
    workflow_step: {
      run: string;
      name: string;
      position: number;
      state: StepState;
      detail: string;
      waits_for: string | null;
      attempts: number;
      rounds: number;
      child_run: string | null;
      started_at: Date | null;
      ended_at: Date | null;
    };
  }
}

export interface Cancellation {
  because: string;
  by: string;
}

export interface NewRun {
  id: string;
  workflow: string;
  about: string;
  startedBy: string;
  parent: string | null;
  input: string;
  outline: readonly string[];
  at: Date;
}

/** Adds a run with its outline, all pending. False when the id is taken. Call it in a transaction. */
export async function addRun(db: Sql, run: NewRun): Promise<boolean> {
  const added = await db
    .insertInto("workflow_run")
    .values({
      id: run.id,
      workflow: run.workflow,
      about: run.about,
      started_by: run.startedBy,
      parent: run.parent,
      state: "running",
      current_step: null,
      input: run.input,
      output: null,
      error: null,
      cancelled: null,
      committed_at: null,
      created_at: run.at,
      updated_at: run.at,
      ended_at: null,
    })
    .onConflict((oc) => oc.column("id").doNothing())
    .executeTakeFirst();
  if (added.numInsertedOrUpdatedRows !== 1n) return false;
  await sql`
    insert into workflow_step (run, name, position, state)
    select ${run.id}, name, (min(ordinality) - 1)::integer, 'pending' from unnest(${[...run.outline]}::text[]) with ordinality as step (name, ordinality) group by name`.execute(
    db,
  );
  await sql`select pg_notify('cairn_runs', ${run.id}), pg_notify('cairn_run_wakes', ${run.id})`.execute(db);
  return true;
}

export interface Begin {
  run: string;
  owner: string;
  name: string;
  round: number;
  state: "running" | "waiting";
  waitsFor: string | null;
  childRun: string | null;
  at: Date;
}

/** Shows that a step is being executed, where this execution still owns the run; else undefined, and nothing is written. */
export async function beginStep(db: Sql, begin: Begin): Promise<{ attempt: number; cancelled: Cancellation | null } | undefined> {
  const { rows } = await sql<{ attempt: number; cancelled: Cancellation | null }>`
    with mine as (
      update workflow_run set state = ${begin.state}, current_step = ${begin.name}, updated_at = ${begin.at}
      where id = ${begin.run} and exists (select from dbos.workflow_status where workflow_uuid = ${begin.run} and owner_xid = ${begin.owner})
      returning cancelled
    ), shown as (
      insert into workflow_step as step (run, name, position, state, attempts, rounds, waits_for, child_run, started_at)
      select ${begin.run}, ${begin.name}, (select count(*) from workflow_step where run = ${begin.run}), ${begin.state}, 1, ${begin.round}::integer, ${begin.waitsFor}, ${begin.childRun}, ${begin.at}::timestamptz
      from mine
      on conflict (run, name) do update set
        state = excluded.state, rounds = excluded.rounds, waits_for = excluded.waits_for, child_run = excluded.child_run, ended_at = null,
        started_at = coalesce(step.started_at, excluded.started_at),
        attempts = case when step.rounds = excluded.rounds then step.attempts + 1 else 1 end,
        detail = case when step.rounds = excluded.rounds then step.detail else '' end
      returning attempts
    )
    select shown.attempts as attempt, mine.cancelled, pg_notify('cairn_runs', ${begin.run}) from mine, shown`.execute(db);
  return rows[0];
}

/** Shows a step's end. Without a detail the last one stays. Call it with the step's checkpoint. */
export async function endStep(db: Sql, run: string, name: string, state: StepState, detail: string | undefined, at: Date): Promise<void> {
  await sql`
    with mine as (update workflow_run set state = 'running' where id = ${run} and state = 'waiting')
    update workflow_step set state = ${state}, detail = coalesce(${detail ?? null}, detail), waits_for = null, ended_at = ${at}
    where run = ${run} and name = ${name} returning pg_notify('cairn_runs', ${run})`.execute(db);
}

/** Shows how far a step is, where this execution still owns the run: true then. */
export async function tellStep(db: Sql, run: string, owner: string, name: string, detail: string): Promise<boolean> {
  const { rows } = await sql`
    update workflow_step set detail = ${detail} where run = ${run} and name = ${name}
      and exists (select from dbos.workflow_status where workflow_uuid = ${run} and owner_xid = ${owner})
    returning pg_notify('cairn_runs', ${run})`.execute(db);
  return rows.length > 0;
}

/** Marks the point of no return, unless the run was cancelled before: gives that cancellation. */
export async function commitRun(db: Sql, run: string, at: Date): Promise<Cancellation | undefined> {
  await db.updateTable("workflow_run").set({ committed_at: at }).where("id", "=", run).where("cancelled", "is", null).execute();
  return cancellationOf(db, run);
}

/** Who cancelled a run and why, if anybody did. */
export async function cancellationOf(db: Sql, run: string): Promise<Cancellation | undefined> {
  const row = await db.selectFrom("workflow_run").select("cancelled").where("id", "=", run).executeTakeFirst();
  return row?.cancelled ?? undefined;
}

/** Asks a run and its children to stop. Gives what it found: the state is that of before. Call it in a transaction. */
export async function cancelRun(
  db: Sql,
  run: string,
  cancellation: Cancellation,
): Promise<Pick<WorkflowRun, "state"> & { ended: boolean; committed: boolean }> {
  const row = await db
    .selectFrom("workflow_run")
    .select(["state", "ended_at", "committed_at"])
    .where("id", "=", run)
    .forUpdate()
    .executeTakeFirst();
  if (!row) throw runUnknown(run);
  const found = { state: row.state, ended: row.ended_at !== null, committed: row.committed_at !== null };
  if (found.ended || found.committed) return found;
  const { rows } = await sql<{ id: string }>`
    with recursive tree as (select ${run}::text as id union select child.id from workflow_run child join tree on child.parent = tree.id)
    update workflow_run set cancelled = ${JSON.stringify(cancellation)}::jsonb
    where id in (select id from tree) and ended_at is null and committed_at is null and cancelled is null returning id`.execute(db);
  for (const { id } of rows) await sql`select pg_notify('cairn_runs', ${id}), pg_notify('cairn_run_wakes', ${id})`.execute(db);
  return found;
}

export interface Change {
  state: RunState;
  error?: KeptFault;
  output?: string;
  endedAt?: Date;
  at: Date;
}

/** Writes a turn of the whole run. Call it with a checkpoint. */
export async function changeRun(db: Sql, run: string, change: Change): Promise<void> {
  await db
    .updateTable("workflow_run")
    .set({
      state: change.state,
      updated_at: change.at,
      ...(change.error && { error: JSON.stringify(change.error) as never }),
      ...(change.output !== undefined && { output: change.output }),
      ...(change.endedAt && { ended_at: change.endedAt }),
    })
    .where("id", "=", run)
    .execute();
  await notify(db, run);
}

export const runRow = (db: Sql, id: string) => db.selectFrom("workflow_run").selectAll().where("id", "=", id).executeTakeFirst();

/** Runs that were asked for and that no process has begun: their transaction has just committed, or a process died between. */
export async function unbegun(db: Db): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from workflow_run where ended_at is null and not exists (select from dbos.workflow_status where workflow_uuid = id) limit 100`.execute(
    db,
  );
  return rows.map((row) => row.id);
}

export interface RunFilter {
  about?: string;
  state?: RunState;
  /** Leaves out what is about this. */
  except?: string;
  limit: number;
}

/** Runs, newest first. */
export async function runs(db: Sql, filter: RunFilter): Promise<WorkflowRun[]> {
  let query = db.selectFrom("workflow_run").selectAll().orderBy("created_at", "desc").orderBy("id", "desc").limit(filter.limit);
  if (filter.about !== undefined) query = query.where("about", "=", filter.about);
  if (filter.except !== undefined) query = query.where("about", "!=", filter.except);
  if (filter.state !== undefined) query = query.where("state", "=", filter.state);
  return (await query.execute()).map(shown);
}

/** A run with its steps, in order. Throws `orchestrator.run_unknown`. */
export async function run(db: Sql, id: string): Promise<WorkflowRunWithSteps> {
  const row = await runRow(db, id);
  if (!row) throw runUnknown(id);
  const steps = await db.selectFrom("workflow_step").selectAll().where("run", "=", id).orderBy("position").orderBy("name").execute();
  return {
    ...shown(row),
    steps: steps.map((step): WorkflowStep => ({
      name: step.name,
      position: step.position,
      state: step.state,
      detail: step.detail,
      waitsFor: step.waits_for,
      attempts: step.attempts,
      rounds: step.rounds,
      childRun: step.child_run,
      startedAt: step.started_at,
      endedAt: step.ended_at,
    })),
  };
}

const shown = (row: NonNullable<Awaited<ReturnType<typeof runRow>>>): WorkflowRun => ({
  id: row.id,
  workflow: row.workflow,
  about: row.about,
  startedBy: row.started_by,
  parent: row.parent,
  state: row.state,
  currentStep: row.current_step,
  error: row.error && { code: row.error.code, message: row.error.message, next: row.error.next },
  cancelled: row.cancelled,
  output: row.output === null ? null : fromText(row.output),
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  endedAt: row.ended_at,
});

const notify = (db: Sql, run: string) => sql`select pg_notify('cairn_runs', ${run})`.execute(db);
