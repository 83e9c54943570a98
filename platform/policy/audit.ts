import { sql, type Selectable } from "kysely";
import { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import { digestOf } from "../kernel/digest.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { record } from "../ledger/store.ts";
import type { Judgement } from "./judge.ts";
import { Decision, denies, RuleResult } from "./model.ts";
import { keep, type Grounds } from "./store.ts";

interface AuditTable {
  service: string;
  environment: string;
  release: string;
  outcome: Audit["outcome"];
  because: string;
  decision: string | null;
  results: RuleResult[];
  answers: string;
  since: Date;
  checked_at: Date;
}

declare module "../kernel/sql.ts" {
  interface Tables {
    policy_audit: AuditTable;
  }
}

/** What policy says today of what serves at one place. */
export const Audit = z
  .object({
    service: z.string(),
    environment: z.string(),
    release: z.string(),
    /** `unknown`: it could not be judged. */
    outcome: z.enum([...Decision.shape.outcome.options, "unknown"]),
    because: z.string(),
    /** The decision in which this answer was first given. */
    decision: z.string().nullable(),
    /** What does not hold. */
    results: z.array(RuleResult),
    since: z.coerce.date(),
    checkedAt: z.coerce.date(),
  })
  .meta({ id: "Audit" });
export type Audit = z.infer<typeof Audit>;

/** A release that serves somewhere. */
export type Serving = Pick<Audit, "service" | "environment" | "release">;

/** Keeps the judgement where its answers are others than the last; else only that it was looked at. Gives whether they are. */
export async function keepAudit(tx: Tx, clock: Clock, actor: Actor, at: Serving, grounds: Grounds, judgement: Judgement): Promise<boolean> {
  const open = judgement.results.filter(({ outcome }) => outcome !== "passed");
  // Messages tell ages, which change every time: that a rule answers otherwise is what counts.
  const answers = digestOf([at.release, ...open.map(({ rule, outcome, mode, relievedBy }) => [rule, outcome, mode, relievedBy])]);
  if (await seenAgain(tx, clock, at, answers)) return false;
  const decision = await keep(tx, clock, actor, grounds, judgement);
  const because = open.map(({ rule, message }) => `${rule}: ${message}`).join("; ");
  await put(tx, clock, actor, at, { outcome: judgement.outcome, because, decision: decision.id, results: open, answers });
  return true;
}

/** Notes that something that serves could not be judged: unknown, not passed. Gives whether that is new. */
export async function noteUnaudited(tx: Tx, clock: Clock, actor: Actor, at: Serving, because: string): Promise<boolean> {
  const answers = digestOf([at.release, "unknown", because]);
  if (await seenAgain(tx, clock, at, answers)) return false;
  await put(tx, clock, actor, at, { outcome: "unknown", because, decision: null, results: [], answers });
  return true;
}

/** Forgets what was found where nothing runs any more. */
export async function forgetAudits(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  running: readonly Pick<Audit, "service" | "environment">[],
): Promise<void> {
  const there = new Set(running.map(({ service, environment }) => `${service}/${environment}`));
  for (const { service, environment, outcome } of await tx.selectFrom("policy_audit").selectAll().execute()) {
    if (there.has(`${service}/${environment}`)) continue;
    await tx.deleteFrom("policy_audit").where("service", "=", service).where("environment", "=", environment).execute();
    await record(tx, clock, { type: "policy.audit_ended", about: `component:default/${service}`, actor, data: { environment, outcome } });
  }
}

/** What policy says today of all that runs, the worst first. */
export async function audits(db: Sql, filter: { service?: string; outcome?: Audit["outcome"]; limit?: number } = {}): Promise<Audit[]> {
  let query = db
    .selectFrom("policy_audit")
    .selectAll()
    .orderBy(sql`array_position(array['deny', 'unknown', 'warn', 'allow'], outcome)`)
    .orderBy("service")
    .orderBy("environment");
  if (filter.service !== undefined) query = query.where("service", "=", filter.service);
  if (filter.outcome !== undefined) query = query.where("outcome", "=", filter.outcome);
  if (filter.limit !== undefined) query = query.limit(filter.limit);
  return (await query.execute()).map(auditOf);
}

async function seenAgain(tx: Tx, clock: Clock, { service, environment }: Serving, answers: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable("policy_audit")
    .set({ checked_at: clock.now() })
    .where("service", "=", service)
    .where("environment", "=", environment)
    .where("answers", "=", answers)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

type Answer = Pick<Selectable<AuditTable>, "outcome" | "because" | "decision" | "results" | "answers">;

async function put(tx: Tx, clock: Clock, actor: Actor, at: Serving, answer: Answer): Promise<void> {
  const { service, environment, release } = at;
  const before = await tx
    .selectFrom("policy_audit")
    .select(["outcome", "results"])
    .where("service", "=", service)
    .where("environment", "=", environment)
    .executeTakeFirst();
  const deniedBefore = new Set(before?.outcome === "deny" ? before.results.filter(denies).map(({ rule }) => rule) : []);
  const now = clock.now();
  const row = { ...answer, release, results: JSON.stringify(answer.results) as never, since: now, checked_at: now };
  await tx
    .insertInto("policy_audit")
    .values({ service, environment, ...row })
    .onConflict((oc) => oc.columns(["service", "environment"]).doUpdateSet(row))
    .execute();
  await record(tx, clock, {
    type: "policy.audit_changed",
    about: `component:default/${service}`,
    actor,
    data: {
      environment,
      release,
      was: before?.outcome ?? null,
      outcome: answer.outcome,
      because: answer.because,
      decision: answer.decision,
      /** What denies now, and did not before: who was told of the rest is not told again. */
      newlyDenied: answer.results.filter(denies).flatMap(({ rule }) => (deniedBefore.has(rule) ? [] : [rule])),
      rules: Object.fromEntries(answer.results.map(({ rule, outcome }) => [rule, outcome])),
    },
  });
}

const auditOf = (row: Selectable<AuditTable>): Audit => {
  const { service, environment, release, outcome, because, decision, results, since, checked_at } = row;
  return {
    service,
    environment,
    release,
    outcome,
    because,
    decision,
    results: z.array(RuleResult).parse(results),
    since,
    checkedAt: checked_at,
  };
};
