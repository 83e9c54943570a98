import { sql, type Selectable } from "kysely";
import { z } from "zod";
import { digestOf, type Digest } from "../kernel/digest.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Sql, Tables, Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { events, keep as keepDocument, read, record } from "../ledger/store.ts";
import type { Bundle, BundleDocument } from "./bundle.ts";
import { decisionMissing } from "./faults.ts";
import { decisionId, factDigests, type DecisionBundle } from "./portable.ts";
import type { Judgement } from "./judge.ts";
import { RuleResult, type Decision, type PolicySubject, type Relief } from "./model.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    policy_decision: {
      id: string;
      point: Decision["point"];
      about: string;
      outcome: Decision["outcome"];
      results: Decision["results"];
      subject: string;
      bundle: string;
      reliefs: string | null;
      evaluator: string;
      decided_at: Date;
    };
  }
}

/** What a judgement was made on, beside the time. */
export interface Grounds {
  subject: PolicySubject;
  bundle: Bundle;
  reliefs: readonly Relief[];
}

/**
 * Keeps a judgement with the documents that it is a pure function of. Its id is that of its content, so the same judgement twice is one decision
 * and one line in the ledger.
 */
export async function keep(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  { subject, bundle, reliefs }: Grounds,
  judgement: Judgement,
): Promise<Decision> {
  const decision: Decision = { id: decisionId(judgement), ...judgement };
  await keepDocument(tx, subject, "application/vnd.cairn.policy-subject+json");
  await keepDocument(tx, bundle.document, "application/vnd.cairn.policy-bundle+json");
  await keepDocument(tx, reliefs, "application/vnd.cairn.policy-reliefs+json");
  const { decidedAt, results, ...same } = decision;
  const row = await tx
    .insertInto("policy_decision")
    .values({ ...same, results: JSON.stringify(results) as never, decided_at: decidedAt })
    .onConflict((oc) => oc.column("id").doNothing())
    .returning("id")
    .executeTakeFirst();
  if (row)
    await record(tx, clock, {
      type: "policy.decided",
      about: decision.about,
      actor,
      data: {
        decision: decision.id,
        point: decision.point,
        environment: subject.environment?.name ?? null,
        outcome: decision.outcome,
        rules: Object.fromEntries(results.map(({ rule, outcome }) => [rule, outcome])),
        relieved: Object.fromEntries(results.flatMap(({ rule, relievedBy }) => (relievedBy === null ? [] : [[rule, relievedBy]]))),
        subject: decision.subject as Digest,
        bundle: decision.bundle as Digest,
        evaluator: decision.evaluator,
      },
    });
  return decision;
}

/** Notes which rules judge from now on, where they are others than those before: by digest, with the names of those that came, went and changed. */
export async function noteBundle(tx: Tx, clock: Clock, bundle: Bundle): Promise<void> {
  await sql`select pg_advisory_xact_lock(7146013)`.execute(tx);
  const [last] = await events(tx, { types: ["policy.bundle_changed"], newestFirst: true, limit: 1 });
  const before = last?.data.digest as Digest | undefined;
  if (before === bundle.digest) return;
  const was = before === undefined ? [] : (await read<BundleDocument>(tx, before)).policies;
  const is = bundle.document.policies;
  const names = [...new Set([...was, ...is].map(({ metadata }) => metadata.name))].toSorted();
  const digestIn = (rules: BundleDocument["policies"], name: string) =>
    digestOf(rules.find(({ metadata }) => metadata.name === name) ?? null);
  const changed = names.filter((name) => digestIn(was, name) !== digestIn(is, name));
  await keepDocument(tx, bundle.document, "application/vnd.cairn.policy-bundle+json");
  const data = { digest: bundle.digest, before: before ?? null, changed: before === undefined ? [] : changed };
  await record(tx, clock, { type: "policy.bundle_changed", about: "platform", actor: "system:policy", data });
}

/** One decision. Throws `policy.decision_missing`. */
export async function find(db: Sql, id: string): Promise<Decision> {
  const row = await db.selectFrom("policy_decision").selectAll().where("id", "=", id).executeTakeFirst();
  if (!row) throw decisionMissing(id);
  return decisionOf(row);
}

/** Decisions, newest first. */
export async function list(
  db: Sql,
  {
    service,
    point,
    outcome,
    limit,
  }: { service?: string | undefined; point?: Decision["point"] | undefined; outcome?: Decision["outcome"] | undefined; limit: number },
): Promise<Decision[]> {
  const rows = await db
    .selectFrom("policy_decision")
    .selectAll()
    .$if(service !== undefined, (query) => query.where("about", "=", `component:default/${service}`))
    .$if(point !== undefined, (query) => query.where("point", "=", point as Decision["point"]))
    .$if(outcome !== undefined, (query) => query.where("outcome", "=", outcome as Decision["outcome"]))
    .orderBy("decided_at", "desc")
    .orderBy("id")
    .limit(limit)
    .execute();
  return rows.map(decisionOf);
}

function decisionOf({ decided_at, results, ...decision }: Selectable<Tables["policy_decision"]>): Decision {
  return { ...decision, results: z.array(RuleResult).parse(results), decidedAt: decided_at };
}

/** A decision with the documents that it is a function of, as they were kept. */
export async function bundleOfDecision(db: Sql, decision: Decision): Promise<DecisionBundle> {
  const document = async <T>(digest: string) => read<T>(db, digest as Digest);
  const subject = await document<Record<string, unknown>>(decision.subject);
  return {
    kind: "cairn.dev/decision-bundle",
    decision,
    subject,
    rules: await document<Record<string, unknown>>(decision.bundle),
    reliefs: decision.reliefs === null ? [] : await document<Record<string, unknown>[]>(decision.reliefs),
    facts: factDigests(subject),
  };
}
