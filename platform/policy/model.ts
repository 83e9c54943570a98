import { z } from "zod";

export const Point = z.enum(["change", "plan", "release"]);
export type Point = z.infer<typeof Point>;

/**
 * The facts that rules judge: `object` in CEL. All that is not known is null, so that a rule can tell "no" from "unknown".
 * Built by the workflows from stores; the same shape at every point, with what the point does not have left null.
 */
export const PolicySubject = z
  .object({
    point: Point,
    environment: z.object({ name: z.string(), production: z.boolean() }).nullable(),
    service: z.object({
      name: z.string(),
      tier: z.string(),
      lifecycle: z.string(),
      owner: z.string(),
      ownerExists: z.boolean(),
      repository: z.string().nullable(),
    }),
    change: z.object({ number: z.number(), author: z.string(), approvedBy: z.array(z.string()) }).nullable(),
    commit: z.string().nullable(),
    artifact: z.object({ digest: z.string() }).nullable(),
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
        tests: z
          .object({ result: z.string(), total: z.number(), failed: z.number(), ageSeconds: z.number(), revoked: z.boolean() })
          .nullable(),
        sbom: z.object({ components: z.number().nullable(), revoked: z.boolean() }).nullable(),
        scan: z.object({ result: z.string(), critical: z.number(), ageSeconds: z.number(), revoked: z.boolean() }).nullable(),
      })
      .nullable(),
    /** score.yaml as parsed; null when missing or broken. */
    workload: z.record(z.string(), z.unknown()).nullable(),
    /** Rendered Kubernetes objects. */
    manifests: z.array(z.record(z.string(), z.unknown())),
    /** `edited` is false while slo.yaml still carries the annotation cairn.dev/placeholder. */
    slo: z.object({ present: z.boolean(), edited: z.boolean() }),
    runbook: z.object({ present: z.boolean(), edited: z.boolean() }),
    infrastructure: z.object({ creates: z.number(), updates: z.number(), deletes: z.number() }).nullable(),
  })
  .meta({ id: "PolicySubject" });
export type PolicySubject = z.infer<typeof PolicySubject>;

/** `unknown`: a fact it needs is not known. `not_evaluable`: the rule itself failed. Neither is a pass. */
export const RuleOutcome = z.enum(["passed", "warned", "denied", "unknown", "not_evaluable"]);

export const RuleResult = z
  .object({
    rule: z.string(),
    outcome: RuleOutcome,
    message: z.string(),
    /** What to do about it. */
    fix: z.string(),
  })
  .meta({ id: "RuleResult" });
export type RuleResult = z.infer<typeof RuleResult>;

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
    evaluator: z.string(),
    decidedAt: z.coerce.date(),
  })
  .meta({ id: "Decision" });
export type Decision = z.infer<typeof Decision>;
