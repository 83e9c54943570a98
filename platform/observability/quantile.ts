import { LATENCY_BOUNDS_SECONDS } from "../runtime/contract.ts";
import type { Counts } from "./counters.ts";

/**
 * The quantile of a latency histogram in seconds, as Prometheus' histogram_quantile gives it: linear within a bucket; the highest bound for what lies beyond it.
 * Null where nothing was counted.
 */
export function quantile(share: number, { requests, within }: Counts): number | null {
  if (requests === 0) return null;
  const rank = share * requests;
  const bucket = within.findIndex((count) => count >= rank);
  if (bucket === -1) return LATENCY_BOUNDS_SECONDS.at(-1) ?? null;
  const upper = LATENCY_BOUNDS_SECONDS[bucket] ?? 0;
  const lower = LATENCY_BOUNDS_SECONDS[bucket - 1] ?? 0;
  const below = within[bucket - 1] ?? 0;
  const inside = (within[bucket] ?? 0) - below;
  return inside === 0 ? upper : lower + ((upper - lower) * (rank - below)) / inside;
}
