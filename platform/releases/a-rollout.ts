import { join } from "node:path";
import type { Tier } from "../catalog/model.ts";
import type { Reading } from "../runtime/contract.ts";
import { LATENCY_BOUNDS_SECONDS } from "../runtime/contract.ts";
import { loadEnvironments } from "./environments.ts";
import { rulesFor, startRollout, type Rollout, type RolloutRules } from "./rollout.ts";

/** The environments that Cairn ships, for tests. */
export const shippedEnvironments = await loadEnvironments(join(import.meta.dirname, "../../library/environments"));

export const canaryArm = { revision: "c".repeat(12), artifactDigest: `sha256:${"c".repeat(64)}` };
export const baselineArm = { revision: "b".repeat(12), artifactDigest: `sha256:${"b".repeat(64)}` };

/** A threshold of the histogram for slow requests. */
export const SLOW_SECONDS = 0.3;
const SLOW_BUCKET = LATENCY_BOUNDS_SECONDS.indexOf(SLOW_SECONDS) + 1;

/** What the runtime reads of one revision. */
export function aReading(
  arm: typeof canaryArm,
  counts: { requests?: number; errors?: number; slow?: number },
  over: Partial<Reading> = {},
): Reading {
  const { requests = 0, errors = 0, slow = 0 } = counts;
  const latency = Array.from({ length: LATENCY_BOUNDS_SECONDS.length + 1 }, () => 0);
  latency[0] = requests - slow;
  latency[SLOW_BUCKET] = slow;
  return {
    ...arm,
    epoch: "one",
    requests,
    errors,
    latency,
    weightPercent: 0,
    health: "healthy",
    restarts: 0,
    startedAt: new Date(0),
    memoryBytes: null,
    ...over,
  };
}

/** A rollout to production that is about to begin. */
export function aRollout(
  options: { tier?: Tier; environment?: string; baseline?: boolean; rules?: Partial<RolloutRules> } = {},
  now = new Date(0),
): Rollout {
  const { tier = "tier-3", environment = "production", baseline = true } = options;
  const rules = {
    ...rulesFor(shippedEnvironments, { environment, tier, hasBaseline: baseline, slowSeconds: SLOW_SECONDS }),
    ...options.rules,
  };
  const readings = [aReading(canaryArm, {}), ...(baseline ? [aReading(baselineArm, {})] : [])];
  return startRollout(rules, { canary: canaryArm, baseline: baseline ? baselineArm : null }, readings, now);
}
