import type { Clock } from "../kernel/clock.ts";
import type { Digest } from "../kernel/digest.ts";
import { transact, type Db, type Sql, type Tx } from "../kernel/sql.ts";
import { keep, read, record } from "../ledger/store.ts";
import { planDenied, planMissing, planStale } from "./faults.ts";
import { differing, type Basis } from "./staleness.ts";
import type { Plan, PlanKind, PlanState } from "./model.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    plan: {
      digest: Digest;
      kind: PlanKind;
      about: string;
      title: string;
      state: PlanState;
      created_by: string;
      created_at: Date;
      applied_by: string | null;
      applied_at: Date | null;
      run: string | null;
    };
  }
}

export interface KeptPlan {
  digest: Digest;
  state: PlanState;
  createdBy: string;
  createdAt: Date;
  appliedBy: string | null;
  run: string | null;
  plan: Plan;
}

/** Keeps a plan under its digest, open to be applied. The same plan again is the same row. */
export async function offer(tx: Tx, clock: Clock, by: string, plan: Plan): Promise<Digest> {
  const digest = await keep(tx, plan, "application/vnd.cairn.plan+json");
  const row = await tx
    .insertInto("plan")
    .values({
      digest,
      kind: plan.kind,
      about: plan.about,
      title: plan.title,
      state: "open",
      created_by: by,
      created_at: clock.now(),
      applied_by: null,
      applied_at: null,
      run: null,
    })
    .onConflict((oc) => oc.column("digest").doNothing())
    .returning("digest")
    .executeTakeFirst();
  if (row) await record(tx, clock, { type: "plans.offered", about: plan.about, actor: by, data: { digest, kind: plan.kind } });
  return digest;
}

/** The plan under a digest. Throws `plans.missing`. */
export async function find(db: Sql, digest: Digest): Promise<KeptPlan> {
  const row = await db.selectFrom("plan").selectAll().where("digest", "=", digest).executeTakeFirst();
  if (!row) throw planMissing(digest);
  const plan = await read<Plan>(db, digest);
  return { digest, state: row.state, createdBy: row.created_by, createdAt: row.created_at, appliedBy: row.applied_by, run: row.run, plan };
}

/**
 * Takes an open plan for applying: once, whoever else tries. `basisNow` is what the basis is at this moment. Gives the run that carries it out: the one begun
 * before when it was applied already. `begin` starts that run in the same transaction, so that an applied plan always has one. Throws `plans.stale` (and marks it so), `plans.denied`, `plans.missing`.
 */
export async function claim(
  db: Db,
  clock: Clock,
  by: string,
  digest: Digest,
  { basisNow, run, begin }: { basisNow: Basis; run: string; begin: (tx: Tx) => Promise<unknown> },
): Promise<string> {
  const outcome = await transact(db, async (tx) => {
    const row = await tx.selectFrom("plan").selectAll().where("digest", "=", digest).forUpdate().executeTakeFirst();
    if (!row) throw planMissing(digest);
    if (row.run !== null) return { run: row.run };
    const plan = await read<Plan>(tx, digest);
    // The same rule may deny for each environment: said once.
    const denials = new Set(
      plan.decisions
        .filter((decision) => decision.outcome === "deny")
        .flatMap((decision) => decision.results)
        .filter(({ outcome, mode, relievedBy }) => !["passed", "warned"].includes(outcome) && mode === "enforce" && relievedBy === null)
        .map((result) => `${result.rule}: ${result.message}`),
    );
    if (plan.decisions.some((decision) => decision.outcome === "deny")) throw planDenied(digest, [...denials]);
    const changed = differing(plan.basis, basisNow);
    if (changed.length > 0) {
      await tx.updateTable("plan").set({ state: "stale" }).where("digest", "=", digest).execute();
      await record(tx, clock, { type: "plans.found_stale", about: row.about, actor: by, data: { digest, differing: changed } });
      return { run: undefined, changed };
    }
    await tx
      .updateTable("plan")
      .set({ state: "applied", applied_by: by, applied_at: clock.now(), run })
      .where("digest", "=", digest)
      .execute();
    await begin(tx);
    await record(tx, clock, { type: "plans.applied", about: row.about, actor: by, data: { digest, run } });
    return { run };
  });
  if (outcome.run === undefined) throw planStale(digest, outcome.changed);
  return outcome.run;
}
