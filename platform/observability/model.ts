import { z } from "zod";

export const NoDataCause = z.enum(["idle", "not_deployed", "deploying", "telemetry_broken"]);

const RateView = z.object({
  windowSeconds: z.number(),
  requests: z.number(),
  bad: z.number(),
  /** Share of bad requests; null where there were none at all. */
  rate: z.number().nullable(),
  burn: z.number().nullable(),
  /** Of so many seconds of the window the counts are not known. */
  unknownSeconds: z.number(),
});

const BurnView = z.object({
  rule: z.string(),
  severity: z.enum(["page", "ticket"]),
  factor: z.number(),
  threshold: z.number(),
  long: RateView,
  short: RateView,
  meansSomethingFrom: z.number(),
  state: z.enum(["burning", "ok", "idle", "unknown", "unreachable"]),
  because: z.string(),
});

/** An alert that is not over. */
export const AlertView = z
  .object({
    service: z.string(),
    environment: z.string(),
    /** Name of the SLO; `telemetry` where the counters can't be read. */
    slo: z.string(),
    rule: z.string(),
    severity: z.enum(["page", "ticket"]),
    state: z.enum(["pending", "firing"]),
    because: z.string(),
    pendingAt: z.coerce.date(),
    firingAt: z.coerce.date().nullable(),
  })
  .meta({ id: "Alert" });

/** How an objective stands. */
export const SloView = z
  .object({
    name: z.string(),
    title: z.string(),
    description: z.string(),
    environment: z.string(),
    /** What counts as bad: failed requests, or those slower than `thresholdSeconds`. */
    bad: z.enum(["errors", "slow"]),
    thresholdSeconds: z.number().nullable(),
    target: z.number(),
    periodSeconds: z.number(),
    isPlaceholder: z.boolean(),
    /** `met` only where all of the period is known and nothing burns. */
    state: z.enum(["met", "at_risk", "missed", "unknown"]),
    because: z.string(),
    /** Why there is no data of the period. */
    noData: NoDataCause.nullable(),
    compliance: z.number().nullable(),
    budget: z.object({
      /** Bad requests that the target allows, of those that there were. */
      allowed: z.number(),
      used: z.number(),
      /** Share that is left; below zero it is overdrawn. */
      remaining: z.number().nullable(),
    }),
    period: RateView,
    burns: z.array(BurnView),
  })
  .meta({ id: "Slo" });
export type SloView = z.infer<typeof SloView>;

/** How well the counters of a target are known. */
export const Telemetry = z.object({
  /** When they were last read; null where the runtime has no such target. */
  seenAt: z.coerce.date().nullable(),
  /** When they were first read: of what was before nothing is known. */
  firstAt: z.coerce.date().nullable(),
  /** Why there is no data of the last hour. */
  noData: NoDataCause.nullable(),
  because: z.string(),
});
export type Telemetry = z.infer<typeof Telemetry>;

export const SloReport = z
  .object({
    service: z.string(),
    environment: z.string(),
    /** All windows end here: at a full minute. */
    at: z.coerce.date(),
    /** Where the objectives are read: slo.yaml at this commit of the default branch. */
    source: z.object({ repository: z.string(), commit: z.string(), present: z.boolean() }).nullable(),
    telemetry: Telemetry,
    slos: z.array(SloView),
    /** What stands in slo.yaml and can't be evaluated here, and why. It is unknown, not good. */
    problems: z.array(z.object({ name: z.string(), because: z.string() })),
    alerts: z.array(AlertView),
  })
  .meta({ id: "SloReport" });
export type SloReport = z.infer<typeof SloReport>;

const Quantiles = z.object({ p50: z.number().nullable(), p95: z.number().nullable(), p99: z.number().nullable() });

/** What a service was asked and how it answered, over time. */
export const Traffic = z
  .object({
    service: z.string(),
    environment: z.string(),
    from: z.coerce.date(),
    to: z.coerce.date(),
    stepSeconds: z.number(),
    telemetry: Telemetry,
    /** Steps in which there were requests, oldest first; latency in seconds. A reset means that an agent's restart lost what it had counted last. */
    points: z.array(z.object({ at: z.coerce.date(), requests: z.number(), errors: z.number(), ...Quantiles.shape, resets: z.number() })),
    /** Intervals of which only the sums are known, since nobody was there to read the counters. They are in no point. */
    gaps: z.array(z.object({ from: z.coerce.date(), until: z.coerce.date(), requests: z.number(), errors: z.number() })),
    revisions: z.array(z.object({ revision: z.string(), requests: z.number(), errors: z.number(), ...Quantiles.shape })),
  })
  .meta({ id: "Traffic" });
export type Traffic = z.infer<typeof Traffic>;

/** Prometheus' HTTP service discovery. */
export const ScrapeTargets = z
  .array(z.object({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) }))
  .meta({ id: "ScrapeTargets" });

const Edge = z.object({
  /** A service's name, or the reference of what is no service. */
  other: z.string(),
  /** `called`: declared and seen. `not_called`: declared, never seen. `not_declared`: seen only. `not_measured`: not behind the proxy, so nobody sees. */
  state: z.enum(["called", "not_called", "not_declared", "not_measured"]),
  type: z.string().nullable(),
  isCritical: z.boolean(),
  observed: z.array(
    z.object({ from: z.string(), to: z.string(), requests: z.number(), firstAt: z.coerce.date(), lastAt: z.coerce.date() }),
  ),
});

/** What a service needs and what needs it: as declared, and as the proxy saw it. */
export const DependencyView = z
  .object({
    service: z.string(),
    needs: z.array(Edge),
    neededBy: z.array(Edge),
    /** Who called it and is no service, or could not be found out: a connection that was gone before anybody looked. */
    others: z.array(
      z.object({ environment: z.string(), who: z.enum(["outside", "unknown"]), requests: z.number(), lastAt: z.coerce.date() }),
    ),
  })
  .meta({ id: "DependencyView" });
export type DependencyView = z.infer<typeof DependencyView>;
