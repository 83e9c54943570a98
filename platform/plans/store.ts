import type { Clock } from "../kernel/clock.ts";
import type { Digest } from "../kernel/digest.ts";
import { transact, type Db, type Sql, type Tx } from "../kernel/sql.ts";
import { keep, read, record } from "../ledger/store.ts";
import { planApplied, planDenied, planMissing, planNeedsNoApproval, planStale } from "./faults.ts";
import { differing, type Basis } from "./staleness.ts";
import { ApprovalWanted, type Plan, type PlanApproval, type PlanKind, type PlanState } from "./model.ts";

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
    plan_approval: { digest: Digest; by: string; token_by: string | null; at: Date };
  }
}

export interface KeptPlan {
  digest: Digest;
  state: PlanState;
  createdBy: string;
  createdAt: Date;
  appliedBy: string | null;
  run: string | null;
  approvals: PlanApproval[];
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
  return {
    digest,
    state: row.state,
    createdBy: row.created_by,
    createdAt: row.created_at,
    appliedBy: row.applied_by,
    run: row.run,
    approvals: await approvalsOf(db, digest),
    plan,
  };
}

/** What a plan says of its approval; null where it needs none. */
export const approvalWanted = ({ payload }: Plan): ApprovalWanted | null =>
  payload.approval === undefined ? null : ApprovalWanted.nullable().parse(payload.approval);

/** The approvals of exactly this digest, oldest first. Whether each counts is asked anew where it is used. */
export async function approvalsOf(db: Sql, digest: Digest): Promise<PlanApproval[]> {
  const rows = await db.selectFrom("plan_approval").selectAll().where("digest", "=", digest).orderBy("at").orderBy("by").execute();
  return rows.map(({ by, at, token_by }) => ({ by, at, tokenBy: token_by }));
}

/** Keeps that somebody approves exactly this plan; again is no error. Throws `plans.missing`, `plans.needs_no_approval`, `plans.stale`, `plans.applied`. */
export async function approve(tx: Tx, clock: Clock, by: { ref: string; tokenBy?: string | undefined }, digest: Digest): Promise<void> {
  const row = await tx.selectFrom("plan").selectAll().where("digest", "=", digest).forUpdate().executeTakeFirst();
  if (!row) throw planMissing(digest);
  if (approvalWanted(await read<Plan>(tx, digest)) === null) throw planNeedsNoApproval(digest);
  if (row.state === "stale") throw planStale(digest, ["what it rests on"]);
  if (row.state === "applied") throw planApplied(digest, row.run);
  const added = await tx
    .insertInto("plan_approval")
    .values({ digest, by: by.ref, token_by: by.tokenBy ?? null, at: clock.now() })
    .onConflict((oc) => oc.columns(["digest", "by"]).doNothing())
    .returning("by")
    .executeTakeFirst();
  if (added)
    await record(tx, clock, { type: "plans.approved", about: row.about, actor: by.ref, data: { digest, tokenBy: by.tokenBy ?? null } });
}

/** Marks an open plan that nobody will apply any more: what it rests on has changed. Its approvals are void with it. */
export async function outdate(tx: Tx, clock: Clock, by: string, digest: Digest, changed: readonly string[]): Promise<void> {
  const row = await tx.selectFrom("plan").selectAll().where("digest", "=", digest).forUpdate().executeTakeFirst();
  if (row?.state !== "open") return;
  await tx.updateTable("plan").set({ state: "stale" }).where("digest", "=", digest).execute();
  await record(tx, clock, { type: "plans.found_stale", about: row.about, actor: by, data: { digest, differing: changed } });
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
      await outdate(tx, clock, by, digest, changed);
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
