import type { Clock } from "../kernel/clock.ts";
import type { Db, Sql, Tables, Tx } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import type { CiRun } from "./contract.ts";
import { orderConflicts, runMissing } from "./faults.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    ci_run: {
      id: string;
      repository: string;
      commit: string;
      purpose: CiRun["purpose"];
      state: CiRun["state"];
      because: string | null;
      stages: CiRun["stages"];
      tests: CiRun["tests"];
      artifact: CiRun["artifact"];
      evidence: string[];
      attempt: number;
      created_at: Date;
      ended_at: Date | null;
    };
  }
}

export interface Order {
  id: string;
  repository: string;
  commit: string;
  purpose: CiRun["purpose"];
}

const ACTOR = "system:ci";

const STAGES = ["checkout", "descriptor", "build", "test", "sbom", "package", "attest"] as const;

export const pendingStages = (): CiRun["stages"] =>
  STAGES.map((name) => ({ name, state: "pending", command: null, seconds: null, detail: null }));

/** Notes an order; the same one again gives what became of it. Throws `ci.order_conflicts` where the id stands for something else. */
export async function enqueue(db: Db, clock: Clock, order: Order): Promise<CiRun> {
  await db
    .insertInto("ci_run")
    .values({
      id: order.id,
      repository: order.repository,
      commit: order.commit,
      purpose: order.purpose,
      state: "queued",
      because: null,
      stages: json(pendingStages()),
      tests: null,
      artifact: null,
      evidence: json([]),
      attempt: 0,
      created_at: clock.now(),
      ended_at: null,
    })
    .onConflict((oc) => oc.column("id").doNothing())
    .execute();
  const run = await find(db, order.id);
  if (run.repository !== order.repository || run.commit !== order.commit || run.purpose !== order.purpose) throw orderConflicts(order.id);
  return run;
}

/** Begins an attempt: all stages are pending anew. */
export async function start(tx: Tx, clock: Clock, id: string): Promise<void> {
  const row = await tx
    .updateTable("ci_run")
    .set((eb) => ({
      state: "running",
      because: null,
      stages: json(pendingStages()),
      tests: null,
      artifact: null,
      attempt: eb("attempt", "+", 1),
    }))
    .where("id", "=", id)
    .where("ended_at", "is", null)
    .returningAll()
    .executeTakeFirst();
  if (!row) throw runMissing(id);
  await record(tx, clock, {
    type: "ci.run_started",
    about: `repository:${row.repository}`,
    actor: ACTOR,
    data: { run: id, repository: row.repository, commit: row.commit, purpose: row.purpose, attempt: row.attempt },
  });
}

/** Notes that an attempt was cut off: the run waits for the next one. */
export const wait = (db: Sql, id: string) =>
  db
    .updateTable("ci_run")
    .set({ state: "queued", stages: json(pendingStages()) })
    .where("id", "=", id)
    .where("ended_at", "is", null)
    .execute();

/** Shows how far a run has come; one that ended stays as it is. */
export const show = (db: Sql, id: string, stages: CiRun["stages"]) =>
  db
    .updateTable("ci_run")
    .set({ stages: json(stages) })
    .where("id", "=", id)
    .where("ended_at", "is", null)
    .execute();

export type Ending = Pick<CiRun, "state" | "because" | "stages" | "tests" | "artifact" | "evidence">;

/** Ends a run. An ended one stays as it is. */
export async function end(tx: Tx, clock: Clock, id: string, ending: Ending): Promise<void> {
  const row = await tx
    .updateTable("ci_run")
    .set({
      state: ending.state,
      because: ending.because,
      stages: json(ending.stages),
      tests: ending.tests && json(ending.tests),
      artifact: ending.artifact && json(ending.artifact),
      evidence: json(ending.evidence),
      ended_at: clock.now(),
    })
    .where("id", "=", id)
    .where("ended_at", "is", null)
    .returningAll()
    .executeTakeFirst();
  if (!row) return;
  await record(tx, clock, {
    type: "ci.run_ended",
    about: `repository:${row.repository}`,
    actor: ACTOR,
    data: {
      run: id,
      repository: row.repository,
      commit: row.commit,
      purpose: row.purpose,
      state: row.state,
      because: row.because,
      artifact: row.artifact,
      evidence: row.evidence,
    },
  });
}

/** Throws `ci.run_missing`. */
export async function find(db: Sql, id: string): Promise<CiRun> {
  const row = await db.selectFrom("ci_run").selectAll().where("id", "=", id).executeTakeFirst();
  if (!row) throw runMissing(id);
  return runOf(row);
}

/** The newest first. */
export async function list(db: Sql, filter: { repository?: string; commit?: string; limit?: number }): Promise<CiRun[]> {
  let query = db
    .selectFrom("ci_run")
    .selectAll()
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .limit(filter.limit ?? 50);
  if (filter.repository !== undefined) query = query.where("repository", "=", filter.repository);
  if (filter.commit !== undefined) query = query.where("commit", "=", filter.commit);
  return (await query.execute()).map(runOf);
}

const runOf = ({ created_at, ended_at, attempt: _attempt, ...row }: Tables["ci_run"]): CiRun => ({
  ...row,
  createdAt: created_at,
  endedAt: ended_at,
});

// pg would send an array as a PostgreSQL array, not as JSON.
const json = <T>(value: T): T => JSON.stringify(value) as never;
