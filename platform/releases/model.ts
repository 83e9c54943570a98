import { z } from "zod";

export const ReleaseState = z.enum(["planned", "refused", "rolling_out", "held", "promoted", "rolled_back", "failed", "superseded"]);
export type ReleaseState = z.infer<typeof ReleaseState>;

/** Evidence of one test of the canary so far. logE >= ln(1/alpha) decides. */
export const TestProgress = z
  .object({
    metric: z.enum(["errors", "slow"]),
    process: z.enum(["worse", "not_worse"]),
    logE: z.number(),
    threshold: z.number(),
    /** It reached its threshold, now or before: evidence that falls again takes nothing back. */
    decided: z.boolean(),
    /** Canary requests still needed at the pace so far; null where it is not gaining. */
    requestsNeeded: z.number().nullable(),
  })
  .meta({ id: "TestProgress" });
export type TestProgress = z.infer<typeof TestProgress>;

/** What a revision did since the rollout began. */
export const Arm = z
  .object({ revision: z.string(), artifactDigest: z.string(), requests: z.number(), errors: z.number(), slow: z.number() })
  .meta({ id: "Arm" });
export type Arm = z.infer<typeof Arm>;

export const Verdict = z
  .discriminatedUnion("kind", [
    z.object({ kind: z.literal("worse"), because: z.string() }),
    z.object({ kind: z.literal("not_worse") }),
    z.object({ kind: z.literal("unknown"), because: z.string() }),
    z.object({ kind: z.literal("no_baseline"), because: z.string() }),
  ])
  .meta({ id: "Verdict" });
export type Verdict = z.infer<typeof Verdict>;

/** One round of a rollout, kept so that the portal can draw it and a replay can recompute it. */
export const Round = z
  .object({
    /** From 1, in order. Rounds in which nothing changed are not kept, so numbers may be missing. */
    number: z.int(),
    at: z.coerce.date(),
    percent: z.number(),
    canary: Arm,
    baseline: Arm.nullable(),
    tests: z.array(TestProgress),
    verdict: Verdict,
    /** One sentence: what was decided and why. */
    move: z.string(),
    /** When the tier's rule decides, if nothing else does before. */
    stepEndsAt: z.coerce.date(),
  })
  .meta({ id: "Round" });
export type Round = z.infer<typeof Round>;

export const Release = z
  .object({
    id: z.string(),
    service: z.string(),
    environment: z.string(),
    commit: z.string(),
    artifactDigest: z.string(),
    revision: z.string(),
    /** Digest of the release plan, and the decision it was allowed or refused by. */
    plan: z.string(),
    decision: z.string().nullable(),
    state: ReleaseState,
    because: z.string(),
    percent: z.number(),
    stepsPercent: z.array(z.number()),
    /** The release that served before, and serves again after a rollback. */
    previous: z.string().nullable(),
    startedBy: z.string(),
    createdAt: z.coerce.date(),
    endedAt: z.coerce.date().nullable(),
  })
  .meta({ id: "Release" });
export type Release = z.infer<typeof Release>;

/** An artifact of a service that is not released and not started again. */
export const QuarantineEntry = z
  .object({
    service: z.string(),
    artifactDigest: z.string(),
    /** The release in which it was worse; null where a person barred it. */
    release: z.string().nullable(),
    because: z.string(),
    by: z.string(),
    createdAt: z.coerce.date(),
  })
  .meta({ id: "QuarantineEntry" });
export type QuarantineEntry = z.infer<typeof QuarantineEntry>;
