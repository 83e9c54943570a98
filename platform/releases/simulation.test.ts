import { expect, test } from "vitest";
import type { Tier } from "../catalog/model.ts";
import { aReading, aRollout, baselineArm, canaryArm } from "./a-rollout.ts";
import { enterStep, roundOf } from "./rollout.ts";
import { binomial, seeded } from "./seeded.ts";

interface Traffic {
  tier: Tier;
  perSecond: number;
  canary: { errors: number; slow: number };
  baseline: { errors: number; slow: number };
  maxRequests: number;
}

/** One release as the product runs it: a round a second on cumulative counters, each move carried out before the next. Without a deadline: evidence alone ends it. */
function release(seed: number, traffic: Traffic): { ended: "promote" | "rollBack" | "open"; canaryRequests: number } {
  const random = seeded(seed);
  let rollout = aRollout({ tier: traffic.tier, rules: { deadlineSeconds: 1e9 } });
  const canary = { requests: 0, errors: 0, slow: 0 };
  const baseline = { requests: 0, errors: 0, slow: 0 };
  for (let second = 1; canary.requests + baseline.requests < traffic.maxRequests; second++) {
    const now = new Date(second * 1000);
    const observed = { readings: [aReading(canaryArm, canary), aReading(baselineArm, baseline)], smoke: null };
    const round = roundOf(rollout, observed, now);
    rollout = round.rollout;
    if (round.move.kind === "promote" || round.move.kind === "rollBack") return { ended: round.move.kind, canaryRequests: canary.requests };
    if (round.move.kind === "shift") rollout = enterStep(rollout, round.move.toPercent, now);
    const toCanary = binomial(random, traffic.perSecond, rollout.percent / 100);
    for (const [arm, requests, rates] of [
      [canary, toCanary, traffic.canary],
      [baseline, traffic.perSecond - toCanary, traffic.baseline],
    ] as const) {
      arm.requests += requests;
      arm.errors += binomial(random, requests, rates.errors);
      arm.slow += binomial(random, requests, rates.slow);
    }
  }
  return { ended: "open", canaryRequests: canary.requests };
}

const releases = (count: number, traffic: Traffic) => Array.from({ length: count }, (_, seed) => release(seed + 1, traffic));
const share = (all: ReturnType<typeof releases>, ended: string) => all.filter((one) => one.ended === ended).length / all.length;

const ALPHA = 0.05;
const identical = { errors: 0.01, slow: 0.02 };

test.each<Tier>(["tier-1", "tier-2", "tier-3"])("%s: of 2,000 releases of identical arms at most alpha are rolled back", (tier) => {
  const all = releases(2000, { tier, perSecond: 200, canary: identical, baseline: identical, maxRequests: 400_000 });
  expect(share(all, "rollBack")).toBeLessThanOrEqual(ALPHA);
  expect(share(all, "promote")).toBeGreaterThan(0.9);
});

test("identical arms that both fail one request in ten are rolled back no more often", () => {
  const failing = { errors: 0.1, slow: 0.1 };
  const all = releases(500, { tier: "tier-3", perSecond: 200, canary: failing, baseline: failing, maxRequests: 100_000 });
  expect(share(all, "rollBack")).toBeLessThanOrEqual(ALPHA);
});

test("3 % against 1 % is rolled back in at least 98 % of 2,000 releases within 400,000 requests at tier-1's margins", () => {
  const all = releases(2000, {
    tier: "tier-1",
    perSecond: 200,
    canary: { errors: 0.03, slow: 0.02 },
    baseline: identical,
    maxRequests: 400_000,
  });
  expect(share(all, "rollBack")).toBeGreaterThanOrEqual(0.98);
});

test("slow requests alone are caught as errors are", () => {
  const all = releases(500, {
    tier: "tier-1",
    perSecond: 200,
    canary: { errors: 0.01, slow: 0.06 },
    baseline: identical,
    maxRequests: 400_000,
  });
  expect(share(all, "rollBack")).toBeGreaterThanOrEqual(0.98);
});

test.each([
  [0.2, 100],
  [0.2, 200],
  [0.4, 100],
  [0.4, 200],
])(
  "a canary that fails %f of its requests, at %i requests/s in all, is caught within 120 canary requests in at least 99 of 100 releases",
  (errors, perSecond) => {
    const all = releases(1000, {
      tier: "tier-3",
      perSecond,
      canary: { errors, slow: 0.01 },
      baseline: { errors: 0, slow: 0.01 },
      maxRequests: 400_000,
    });
    const caught = all.filter((one) => one.ended === "rollBack" && one.canaryRequests <= 120);
    expect(caught.length / all.length).toBeGreaterThanOrEqual(0.99);
  },
);
