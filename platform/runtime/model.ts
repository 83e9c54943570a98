import { z } from "zod";
import { Finding, LogLine } from "./contract.ts";

/** One revision of a service as it runs in an environment. */
export const RunningRevision = z.object({
  id: z.string(),
  artifactDigest: z.string(),
  weightPercent: z.number(),
  health: z.enum(["starting", "healthy", "unhealthy", "stopped"]),
  restarts: z.number(),
  startedAt: z.coerce.date(),
  memoryBytes: z.number().nullable(),
  /** Since the runtime began to count. */
  requests: z.number(),
  errors: z.number(),
});
export type RunningRevision = z.infer<typeof RunningRevision>;

/** Where a service runs, under which address, and what runs there. */
export const ServiceEnvironment = z.object({
  environment: z.string(),
  url: z.string(),
  revisions: z.array(RunningRevision),
  /** What is not as it was started, or should not be there. */
  findings: z.array(Finding),
});
export type ServiceEnvironment = z.infer<typeof ServiceEnvironment>;

export const ServiceLogs = z.array(LogLine);
