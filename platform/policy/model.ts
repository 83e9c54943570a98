import { z } from "zod";

/** Where policy is asked: a change request (and a checkout), a plan, a release, and what runs. */
/** `rollback`: what served before is to serve again. */
export const Point = z.enum(["change", "plan", "release", "rollback", "audit"]);
export type Point = z.infer<typeof Point>;

/** How strictly a rule is meant, from the mildest: it is only recorded, it is shown as a warning, it keeps things from going on. */
export const Mode = z.enum(["audit", "warn", "enforce"]);
export type Mode = z.infer<typeof Mode>;

/**
 * Leave to go on although rules refuse: an exception that was granted, or somebody's break-glass. It always ends. What would have been denied stays in the
 * decision, with the relief's id.
 */
export const Relief = z
  .object({
    id: z.string(),
    kind: z.enum(["exception", "break_glass"]),
    /** Names of rules; `*` is every rule that allows exceptions. */
    rules: z.array(z.string()).min(1),
    service: z.string(),
    /** Null for every environment, and for what has none. */
    environment: z.string().nullable(),
    /** From this instant until just before that one. */
    from: z.iso.datetime(),
    until: z.iso.datetime(),
    because: z.string(),
    grantedBy: z.string(),
  })
  .meta({ id: "Relief" });
export type Relief = z.infer<typeof Relief>;

/**
 * The facts that rules judge: `object` in CEL. All that is not known is null, so that a rule can tell "no" from "unknown".
 * Built by the workflows from stores; the same shape at every point, with what the point does not have left null.
 */
export const PolicySubject = z
  .object({
    point: Point,
    /** `mode`: the strictest that a rule is meant there. */
    environment: z.object({ name: z.string(), production: z.boolean(), mode: Mode }).nullable(),
    service: z.object({
      name: z.string(),
      tier: z.string(),
      lifecycle: z.string(),
      owner: z.string(),
      ownerExists: z.boolean(),
      repository: z.string().nullable(),
    }),
    /** `approvedBy`: of what was merged, or would be. `mergeCommit`: null while it is open. */
    change: z
      .object({ number: z.int(), author: z.string(), approvedBy: z.array(z.string()), mergeCommit: z.string().nullable() })
      .nullable(),
    commit: z.string().nullable(),
    artifact: z.object({ digest: z.string() }).nullable(),
    /** Whether this artifact of this service is barred from starting, by whom and why; null where nobody asked. */
    quarantine: z.object({ quarantined: z.boolean(), by: z.string(), because: z.string() }).nullable(),
    /** Verified evidence for exactly this artifact; null where none was filed. */
    evidence: z
      .object({
        provenance: z
          .object({
            repository: z.string(),
            commit: z.string(),
            builder: z.string(),
            isolated: z.boolean(),
            ageSeconds: z.number(),
            revoked: z.boolean(),
          })
          .nullable(),
        tests: z.object({ result: z.string(), total: z.int(), failed: z.int(), ageSeconds: z.number(), revoked: z.boolean() }).nullable(),
        sbom: z.object({ components: z.int().nullable(), revoked: z.boolean() }).nullable(),
        scan: z.object({ result: z.string(), critical: z.int(), ageSeconds: z.number(), revoked: z.boolean() }).nullable(),
      })
      .nullable(),
    /** score.yaml as parsed; null when missing or broken. */
    workload: z.record(z.string(), z.unknown()).nullable(),
    /** Rendered Kubernetes objects. */
    manifests: z.array(z.record(z.string(), z.unknown())),
    /** `edited` is false while slo.yaml still carries the annotation cairn.dev/placeholder. */
    slo: z.object({ present: z.boolean(), edited: z.boolean() }),
    runbook: z.object({ present: z.boolean(), edited: z.boolean() }),
    /** Whether observability/ has a route for alerts with somebody to receive them. */
    alertRoute: z.object({ present: z.boolean() }),
    /** The rotation that answers alerts; null where the descriptor names none. */
    onCall: z.object({ rotation: z.string().nullable() }),
    /** What the tier demands of a scan, from library/environments; null is no demand. */
    scanRules: z.object({ maxAgeDays: z.number().nullable(), maxCritical: z.int().nullable() }).nullable(),
    /** What the runtime found wrong with what runs; null where it was not asked. */
    findings: z.array(z.object({ kind: z.string(), subject: z.string(), detail: z.string() })).nullable(),
    /** What is made, changed and removed of what the service runs on; null where nothing was planned. */
    infrastructure: z
      .object({
        creates: z.int(),
        updates: z.int(),
        deletes: z.int(),
        resources: z.array(
          z.object({ address: z.string(), type: z.string(), action: z.string(), properties: z.record(z.string(), z.unknown()) }),
        ),
        /** Of all it runs on; null where a price is not known. */
        monthlyCost: z.number().nullable(),
        currency: z.string(),
      })
      .nullable(),
  })
  .meta({ id: "PolicySubject" });
export type PolicySubject = z.infer<typeof PolicySubject>;

/** `unknown`: a fact it needs is not known. `not_evaluable`: the rule itself failed. Neither is a pass. */
export const RuleOutcome = z.enum(["passed", "warned", "denied", "unknown", "not_evaluable"]);

export const RuleResult = z
  .object({
    rule: z.string(),
    outcome: RuleOutcome,
    /** What it speaks of: `component:default/orders in production`. */
    subject: z.string().default(""),
    message: z.string(),
    /** What to do about it. */
    fix: z.string(),
    /** How strictly the rule was meant here: the milder of what the rule says for this place and what the environment allows. */
    mode: Mode.default("enforce"),
    /** Who may grant an exception: groups, and `administrators`. Empty where nobody may. */
    exceptionsBy: z.array(z.string()).default([]),
    /** The exception or break-glass by which it goes on all the same. */
    relievedBy: z.string().nullable().default(null),
  })
  .meta({ id: "RuleResult" });
export type RuleResult = z.infer<typeof RuleResult>;

/** Whether this answer alone makes the decision deny. */
export const denies = ({ outcome, mode, relievedBy }: Pick<RuleResult, "outcome" | "mode" | "relievedBy">): boolean =>
  outcome !== "passed" && outcome !== "warned" && mode === "enforce" && relievedBy === null;

export const Decision = z
  .object({
    id: z.string(),
    point: Point,
    about: z.string(),
    outcome: z.enum(["allow", "warn", "deny"]),
    results: z.array(RuleResult),
    /** Digests of the documents that it is a pure function of. */
    subject: z.string(),
    bundle: z.string(),
    /** Of the exceptions and break-glasses that were asked; null in decisions of before there were any. */
    reliefs: z.string().nullable(),
    evaluator: z.string(),
    decidedAt: z.coerce.date(),
  })
  .meta({ id: "Decision" });
export type Decision = z.infer<typeof Decision>;
