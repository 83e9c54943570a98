import { LATENCY_BOUNDS_SECONDS, type Observation, type Reading, type Target } from "../runtime/contract.ts";

export const ORDERS: Target = { service: "orders", environment: "production" };

/** A reading with all its requests answered in 40 ms, but `slow` ones, which took 400 ms. */
export function aReading({ slow = 0, ...given }: Partial<Reading> & { slow?: number } = {}): Reading {
  const requests = given.requests ?? 0;
  const latency = LATENCY_BOUNDS_SECONDS.map((bound) => (bound === 0.05 ? requests - slow : bound === 0.5 ? slow : 0));
  return {
    revision: "aaaaaaaaaaaa",
    artifactDigest: `sha256:${"a".repeat(64)}`,
    epoch: "first",
    requests,
    errors: 0,
    latency: [...latency, 0],
    weightPercent: 100,
    health: "healthy",
    restarts: 0,
    startedAt: new Date("2026-03-01T11:00:00Z"),
    memoryBytes: null,
    ...given,
  };
}

export const anObservation = (at: Date, readings: Reading[], target = ORDERS): Observation => ({
  target,
  at,
  url: "http://127.0.0.1:1",
  readings,
  findings: [],
});
