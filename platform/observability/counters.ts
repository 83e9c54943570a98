import { LATENCY_BOUNDS_SECONDS, type Observation, type Reading } from "../runtime/contract.ts";

/** Requests, and how many of them ended how: of an interval, or since counting began. */
export interface Counts {
  requests: number;
  errors: number;
  /** How many took at most the bound of LATENCY_BOUNDS_SECONDS at the same place. */
  within: number[];
}

export interface RevisionName {
  service: string;
  environment: string;
  revision: string;
}

/** What a revision's counters stood at when they were last read. */
export type Cursor = RevisionName & Counts & { epoch: string; at: Date };

/** When a target was last read. */
export interface Seen {
  service: string;
  environment: string;
  seenAt: Date;
}

/** What was counted in a minute, or in an interval of which only its ends are known. */
export type Delta = RevisionName & Counts & { from: Date; until: Date; isGap: boolean; resets: number };

const MINUTE_MS = 60_000;
export const minuteOf = (instant: Date): Date => new Date(Math.floor(instant.getTime() / MINUTE_MS) * MINUTE_MS);

/** The histogram of a reading, cumulative as Prometheus has it, without +Inf: that is `requests`. */
export function within(latency: readonly number[]): number[] {
  let sum = 0;
  return LATENCY_BOUNDS_SECONDS.map((_bound, n) => (sum += latency[n] ?? 0));
}

/**
 * What was counted since the last look, by revision. Counters grow within an epoch; another epoch began at zero, and what the one before it had counted after
 * the last look is lost: `resets` tells. An interval that touches more than two minutes is a gap: its counts are known, not when in it they came. A reading
 * that is older than the last one, or the same, gives nothing.
 */
export function deltasOf(observation: Observation, cursors: readonly Cursor[], seen: Seen | undefined): Delta[] {
  const { target, at } = observation;
  return observation.readings.flatMap((reading) => {
    const cursor = cursors.find(({ revision }) => revision === reading.revision);
    if (cursor && cursor.at >= at) return [];
    const now = countsOf(reading);
    const same = cursor?.epoch === reading.epoch;
    const counts = same ? minus(now, cursor) : now;
    if (counts.requests < 0) return []; // an older reading of the same epoch, told late
    const from = cursor?.at ?? earlier(at, seen?.seenAt ?? reading.startedAt);
    const isGap = minuteOf(at).getTime() - minuteOf(from).getTime() > MINUTE_MS;
    const resets = cursor && !same ? 1 : 0;
    if (!isGap && counts.requests === 0 && counts.errors === 0 && resets === 0) return [];
    return [{ ...target, revision: reading.revision, ...counts, from, until: at, isGap, resets }];
  });
}

export const countsOf = (reading: Reading): Counts => ({
  requests: reading.requests,
  errors: reading.errors,
  within: within(reading.latency),
});

const minus = (now: Counts, before: Counts): Counts => ({
  requests: now.requests - before.requests,
  errors: Math.max(0, now.errors - before.errors),
  within: now.within.map((count, n) => Math.max(0, count - (before.within[n] ?? 0))),
});

const earlier = (a: Date, b: Date): Date => (a < b ? a : b);
