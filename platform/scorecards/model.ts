import { z } from "zod";
import { Tier } from "../catalog/model.ts";

/** One attempt to bring something to production. */
export const Deployment = z
  .object({
    release: z.string(),
    service: z.string(),
    environment: z.string(),
    commit: z.string(),
    /** The change request that brought it; null where it was not merged here. */
    change: z.int().nullable(),
    outcome: z.enum(["promoted", "rolled_back", "failed"]),
    because: z.string(),
    startedAt: z.coerce.date(),
    endedAt: z.coerce.date(),
    /** From the opening of its change request to production; null where it did not come there, or that is not known. */
    leadSeconds: z.number().nullable(),
    /** When somebody asked for what served before it, after it had all traffic; null where nobody did. */
    takenBackAt: z.coerce.date().nullable(),
    /** It made things worse for users: it was rolled back, taken back or failed. */
    failed: z.boolean(),
    /** Of a failed one: from its first traffic until what served before had it all again; null as long as that has not. */
    recoverySeconds: z.number().nullable(),
    /** It came as the next one after a failed one of the same service: what it brought was not planned. */
    rework: z.boolean(),
  })
  .meta({ id: "Deployment" });
export type Deployment = z.infer<typeof Deployment>;

const Share = z.object({ value: z.number().nullable(), of: z.int() });
const Span = z.object({ medianSeconds: z.number().nullable(), p90Seconds: z.number().nullable(), of: z.int() });

/** The five metrics of DORA over a span of time. A null is not known: nothing happened of which it could be told. */
export const Dora = z
  .object({
    from: z.coerce.date(),
    to: z.coerce.date(),
    deploymentFrequency: z.object({ perDay: z.number(), of: z.int() }),
    leadTime: Span,
    changeFailRate: Share,
    recoveryTime: Span,
    reworkRate: Share,
    /** What the numbers rest on, newest first. */
    deployments: z.array(Deployment),
  })
  .meta({ id: "Dora" });
export type Dora = z.infer<typeof Dora>;

/** What a scorecard is told of a service: `service` and the rest in CEL. Null is unknown. */
export const ScoreFacts = z.object({
  service: z.object({ name: z.string(), tier: z.string(), owner: z.string(), ownerExists: z.boolean(), repository: z.string().nullable() }),
  owner: z.object({ members: z.int() }).nullable(),
  /** Objectives in production; null where slo.yaml is not there or can't be read. */
  slo: z.object({ objectives: z.int(), placeholders: z.int(), met: z.int(), missed: z.int(), unknown: z.int() }).nullable(),
  /** Whether an alert would reach somebody: a route that names the owner, and somebody on call. */
  alerts: z.object({ route: z.boolean(), onCall: z.int().nullable() }).nullable(),
  /** Of what serves in production; null where nothing does. */
  serving: z
    .object({
      release: z.string(),
      commit: z.string(),
      ageDays: z.number(),
      provenance: z.boolean(),
      testsPassed: z.boolean(),
      /** Of the last vulnerability scan; null where there is none. */
      scan: z.object({ ageDays: z.number(), critical: z.int() }).nullable(),
      isolatedBuild: z.boolean(),
    })
    .nullable(),
  /** Incidents of the last 30 days in production, those that were to page somebody. */
  incidents: z.object({
    count: z.int(),
    /** Open, and nobody has acknowledged them within an hour. */
    unanswered: z.int(),
    /** Over, and their review was not merged. */
    unreviewed: z.int(),
    /** The oldest of the unanswered, else of the unreviewed; empty where there is none. */
    first: z.string(),
  }),
  /** Of the last 30 days. */
  deployments: z.object({ promoted: z.int(), failed: z.int() }),
});
export type ScoreFacts = z.infer<typeof ScoreFacts>;

export const PointState = z.enum(["met", "missed", "unknown"]);
export type PointState = z.infer<typeof PointState>;

export const ScorePoint = z
  .object({
    id: z.string(),
    title: z.string(),
    state: PointState,
    /** Whether the tier asks for it; what it does not ask for is shown, and counts for nothing. */
    required: z.boolean(),
    because: z.string(),
    /** A page of the portal with the fact that it rests on. */
    fact: z.string(),
    /** What to do; null where it is met. */
    next: z.object({ what: z.string(), link: z.string(), command: z.string() }).nullable(),
  })
  .meta({ id: "ScorePoint" });
export type ScorePoint = z.infer<typeof ScorePoint>;

export const Scorecard = z
  .object({
    service: z.string(),
    tier: z.string(),
    at: z.coerce.date(),
    met: z.int(),
    required: z.int(),
    points: z.array(ScorePoint),
    /** Digest of the rules that it was made by. */
    rules: z.string(),
  })
  .meta({ id: "Scorecard" });
export type Scorecard = z.infer<typeof Scorecard>;

/** A point as it is kept: since when it is as it is, as far as scorecards were kept. */
export const KeptPoint = ScorePoint.extend({ since: z.coerce.date() }).meta({ id: "KeptPoint" });
export type KeptPoint = z.infer<typeof KeptPoint>;

/** A service in the list of scorecards, as it was scored last. */
export const KeptScore = z
  .object({
    service: z.string(),
    owner: z.string(),
    tier: Tier,
    met: z.int(),
    required: z.int(),
    unknown: z.int(),
    /** Points that its tier asks for and that are not met: what is missed first, then what is unknown. */
    lacks: z.array(KeptPoint),
    at: z.coerce.date(),
  })
  .meta({ id: "KeptScore" });
export type KeptScore = z.infer<typeof KeptScore>;

/** How the services that a point is asked of stand. */
export const PointCount = z
  .object({ id: z.string(), title: z.string(), tiers: z.array(Tier), asked: z.int(), met: z.int(), missed: z.int(), unknown: z.int() })
  .meta({ id: "PointCount" });
export type PointCount = z.infer<typeof PointCount>;
