/** Why there is no data. Only the last one is anybody's task. */
export type NoData = "idle" | "not_deployed" | "deploying" | "telemetry_broken";

export interface TelemetryFacts {
  /** When the target's counters were last read; null where the runtime has never had the target. */
  seenAt: Date | null;
  /** Whether a revision of it had traffic then. */
  serving: boolean;
  /** Whether a release into this environment is under way. */
  deploying: boolean;
  /** Requests in the window that is asked about. */
  requests: number;
}

/** Counters that have not been read for so long say nothing about now. */
export const STALE_SECONDS = 180;

/** Tells the causes apart; null where there is data of now. A target that can't be read is broken before it is anything else: what we knew of it may be over. */
export function whyNoData(facts: TelemetryFacts, now: Date): NoData | null {
  if (facts.seenAt !== null && now.getTime() - facts.seenAt.getTime() > STALE_SECONDS * 1000) return "telemetry_broken";
  if (facts.seenAt === null || !facts.serving) return facts.deploying ? "deploying" : "not_deployed";
  return facts.requests === 0 ? "idle" : null;
}

export const NO_DATA_SAID: Record<NoData, string> = {
  idle: "it serves, and by the last full minute nobody had called it",
  not_deployed: "nothing of it is deployed here",
  deploying: "its first release here is under way",
  telemetry_broken: "its counters can't be read",
};
