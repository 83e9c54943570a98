import { z } from "zod";
import type { Envelope } from "./admission.ts";

export const Target = z.object({ service: z.string(), environment: z.string() });
export type Target = z.infer<typeof Target>;

/** One artifact with one configuration, ready to run. */
export const Revision = z.object({
  /** 12 hex digits: of the digest over artifact, start command and manifests. */
  id: z.string().regex(/^[0-9a-f]{12}$/),
  target: Target,
  artifact: z.object({
    digest: z.string(),
    /** A tar.gz on this machine; its sha-256 is `digest`, and whoever unpacks it checks that. */
    path: z.string(),
  }),
  /** Run by `sh -c` in the unpacked artifact; PORT says where to listen. */
  start: z.string(),
  /** Kubernetes objects. Read are: Deployment (first container: env, resources, probes, terminationGracePeriodSeconds), Service. */
  manifests: z.array(z.record(z.string(), z.unknown())),
  /** The release that asked for it, for logs and headers. */
  release: z.string(),
});
export type Revision = z.infer<typeof Revision>;

/** A revision with the platform's signature under the decision that lets it run there: nothing starts without one. */
export type AdmittedRevision = Revision & { admission: Envelope };

/** Something that is not as it was started, or that should not be there. */
export const Finding = z.object({
  /** The same as long as the same thing is found of the same revision. */
  id: z.string(),
  kind: z.enum([
    "not_admitted",
    "quarantined",
    "file_changed",
    "file_added",
    "file_missing",
    "process_foreign",
    "program_outside",
    "port_taken",
    "listens_on_all",
  ]),
  revision: z.string(),
  /** A path in the artifact, a process, a port. */
  subject: z.string(),
  detail: z.string(),
  foundAt: z.coerce.date(),
});
export type Finding = z.infer<typeof Finding>;

/** A request that the runtime refused because the platform had not signed for it. */
export interface Attempt {
  id: string;
  at: Date;
  operation: string;
  service: string | null;
  environment: string | null;
  revision: string | null;
  code: string;
  because: string;
}

/** Upper bounds of the latency histogram in seconds; the last bucket is +Inf. A slow-request threshold is one of these. */
export const LATENCY_BOUNDS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10] as const;

/** Counters of one revision behind the proxy. They only grow within one `epoch`; another epoch began at zero. */
export const Reading = z.object({
  revision: z.string(),
  artifactDigest: z.string(),
  epoch: z.string(),
  requests: z.number(),
  /** Answers of 500 and above, and requests that got no answer from the revision. A retried failure counts for the revision that failed. */
  errors: z.number(),
  /** Requests by latency bucket, not cumulative: one more than the bounds. */
  latency: z.array(z.number()),
  weightPercent: z.number(),
  health: z.enum(["starting", "healthy", "unhealthy", "stopped"]),
  restarts: z.number(),
  startedAt: z.coerce.date(),
  memoryBytes: z.number().nullable(),
});
export type Reading = z.infer<typeof Reading>;

export const Observation = z.object({
  target: Target,
  at: z.coerce.date(),
  url: z.string(),
  readings: z.array(Reading),
  findings: z.array(Finding),
  /** Requests by caller: a service in its environment (`orders/production`), `outside` or `unknown`; they grow within one epoch. A runtime that can't tell has none. */
  callers: z.object({ epoch: z.string(), counts: z.array(z.object({ caller: z.string(), requests: z.number() })) }).optional(),
});
export type Observation = z.infer<typeof Observation>;

export const LogLine = z.object({ at: z.coerce.date(), revision: z.string(), stream: z.enum(["out", "err", "agent"]), line: z.string() });
export type LogLine = z.infer<typeof LogLine>;

export interface LogOptions {
  revision?: string;
  limit?: number;
  /** Lines later than this, and up to that. */
  after?: Date;
  until?: Date;
  /** Lines that hold this text, letter by letter. */
  text?: string;
}

export interface Runtime {
  /** Reserves the target's stable address. Twice gives the same one. Without a revision it answers 503. */
  ensureTarget(target: Target): Promise<{ url: string }>;
  /** Starts a revision at weight 0 and waits until it is healthy. Twice with one revision leaves one running. Throws `runtime.not_admitted`, `runtime.quarantined`, `runtime.unhealthy` (and leaves nothing running) or `runtime.artifact_mismatch`. */
  deploy(revision: AdmittedRevision): Promise<void>;
  /** Percent by revision id, summing to 100; `{}` takes the target out of service. A revision that is not named gets 0. Loses no request. */
  setTraffic(target: Target, weights: Record<string, number>): Promise<void>;
  observe(target: Target): Promise<Observation>;
  /** Drains, stops and forgets a revision; one with weight is refused. One that is gone is no error. */
  retire(target: Target, revision: string): Promise<void>;
  /** Stops all of a target and frees its address. */
  remove(target: Target): Promise<void>;
  targets(): Promise<Target[]>;
  /** Bars an artifact from ever starting again, whoever asks. What of it runs is left alone, and found. Twice is once. */
  quarantine(artifact: string, because: string): Promise<void>;
  /** Lets it start again, by the platform's signature. Throws `runtime.lift_refused`. One that is not barred is no error. */
  liftQuarantine(artifact: string, signed: Envelope): Promise<void>;
  quarantined(): Promise<{ artifact: string; because: string }[]>;
  /** What was tried without leave, the oldest first. */
  attempts(): Promise<Attempt[]>;
  /** The last lines, oldest first. */
  logs(target: Target, options?: LogOptions): Promise<LogLine[]>;
  /** The lines that came after a place in the logs, each once, and the place after them; without a place the last ones, and where they end. */
  tail(target: Target, options?: LogOptions & { cursor?: string }): Promise<{ lines: LogLine[]; cursor: string; lostBytes: number }>;
}
