import { randomBytes } from "node:crypto";
import { LATENCY_BOUNDS_SECONDS } from "../model.ts";

/** What of the counters outlives an agent that ends in order. */
export type KeptCounts = Pick<Counters, "epoch" | "requests" | "errors" | "latency">;

/** What the proxy counts of one revision. Kept in memory, and handed on when the agent ends in order: after a crash it counts from zero under another epoch. */
export class Counters {
  epoch = randomBytes(6).toString("hex");
  readonly latency: number[] = Array.from({ length: LATENCY_BOUNDS_SECONDS.length + 1 }, () => 0);
  requests = 0;
  errors = 0;
  /** Requests and upgraded connections that are not over yet. */
  inFlight = 0;
  /** Streams that were cut because a revision's time to drain was over. */
  cut = 0;

  /** Counts on where one before it ended. */
  resume(kept: KeptCounts): void {
    this.epoch = kept.epoch;
    this.requests += kept.requests;
    this.errors += kept.errors;
    for (const [bucket, count] of kept.latency.entries()) this.latency[bucket] = (this.latency[bucket] ?? 0) + count;
  }

  count(seconds: number, isError: boolean): void {
    this.requests += 1;
    if (isError) this.errors += 1;
    let bucket = 0;
    while (bucket < LATENCY_BOUNDS_SECONDS.length && seconds > (LATENCY_BOUNDS_SECONDS[bucket] as number)) bucket += 1;
    this.latency[bucket] = (this.latency[bucket] ?? 0) + 1;
  }
}
