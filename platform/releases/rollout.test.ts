import * as fc from "fast-check";
import { expect, test } from "vitest";
import { aReading, aRollout, baselineArm, canaryArm, SLOW_SECONDS, shippedEnvironments } from "./a-rollout.ts";
import { Move } from "./next-move.ts";
import { enterStep, Rollout, roundOf, rulesFor, type Observed } from "./rollout.ts";
import { binomial, seeded } from "./seeded.ts";

const at = (second: number) => new Date(second * 1000);
type Counts = { requests?: number; errors?: number; slow?: number };
const seen = (canary: Counts, baseline: Counts | null = {}): Observed => ({
  readings: [aReading(canaryArm, canary), ...(baseline ? [aReading(baselineArm, baseline)] : [])],
  smoke: null,
});

/** At the first step of the canary. */
function underWay(options: Parameters<typeof aRollout>[0] = {}): Rollout {
  const { rollout, move } = roundOf(aRollout(options), seen({}, options.baseline === false ? null : {}), at(0));
  if (move.kind !== "shift") throw new Error(`expected a shift, got ${move.kind}`);
  return enterStep(rollout, move.toPercent, at(0));
}

test("rulesFor() refuses a threshold that the histogram can't tell, and an environment that is not there", () => {
  const release = { environment: "production", tier: "tier-1", hasBaseline: true, slowSeconds: 0.25 } as const;
  expect(() => rulesFor(shippedEnvironments, release)).toThrow(expect.objectContaining({ code: "releases.slow_threshold" }));
  expect(() => rulesFor(shippedEnvironments, { ...release, environment: "moon" })).toThrow(
    expect.objectContaining({ code: "releases.environment_unknown" }),
  );
});

test.each([
  ["tier-1", "rollBack"],
  ["tier-2", "hold"],
  ["tier-3", "shift"],
] as const)("without a request a canary is unknown and never good; at the deadline %s says %s", (tier, kind) => {
  let rollout = underWay({ tier });
  const baseline = (second: number) => ({ requests: second * 100, errors: 0 });
  for (const second of [1, 300, 599]) {
    const round = roundOf(rollout, seen({}, baseline(second)), at(second));
    expect(round.round.verdict).toEqual({ kind: "unknown", because: "no request has reached the canary" });
    expect(round.move.kind).toBe("wait");
    rollout = round.rollout;
  }
  const late = roundOf(rollout, seen({}, baseline(600)), at(600));
  expect(late.round.verdict.kind).toBe("unknown");
  expect(late.move.kind).toBe(kind);
  expect(late.move.because).toContain(tier === "tier-3" ? "unknown, accepted by rule" : "unknown");
});

test("tier-3 comes to 100 % through its last deadline as unknown, accepted by rule, and is shown so", () => {
  const rollout = enterStep(underWay(), 50, at(0));
  const { move, round } = roundOf(rollout, seen({}), at(600));
  expect(move).toMatchObject({ kind: "promote", because: expect.stringContaining("unknown, accepted by rule") });
  expect(round.verdict.kind).toBe("unknown");
});

test("a canary that is held is rolled back by evidence that comes later", () => {
  const held = roundOf(underWay({ tier: "tier-2" }), seen({}), at(700));
  expect(held.move.kind).toBe("hold");
  const { move } = roundOf(held.rollout, seen({ requests: 200, errors: 60 }, { requests: 1800 }), at(701));
  expect(move.kind).toBe("rollBack");
});

test("a baseline without requests gives no verdict, and the ceiling still holds", () => {
  const rollout = underWay();
  expect(roundOf(rollout, seen({ requests: 100, errors: 0 }), at(1)).round.verdict.kind).toBe("unknown");
  const { round, move } = roundOf(rollout, seen({ requests: 20, errors: 11 }), at(1));
  expect(round.verdict).toMatchObject({ kind: "worse", because: expect.stringContaining("11 of the last 20") });
  expect(move.kind).toBe("rollBack");
  expect(roundOf(rollout, seen({ requests: 19, errors: 19 }), at(1)).move.kind).toBe("wait");
});

test("the ceiling looks at the last requests, so it sees a revision that was good for long", () => {
  let rollout = underWay({ baseline: false });
  rollout = roundOf(rollout, seen({ requests: 5000, errors: 0 }, null), at(1)).rollout;
  expect(roundOf(rollout, seen({ requests: 5020, errors: 15 }, null), at(2)).move.kind).toBe("rollBack");
});

test("a first release takes all traffic at once, is watched, and is recorded as no baseline", () => {
  const rollout = underWay({ baseline: false });
  expect(rollout.percent).toBe(100);
  const early = roundOf(rollout, seen({}, null), at(9));
  expect(early.move.kind).toBe("wait");
  const late = roundOf(early.rollout, seen({}, null), at(10));
  expect(late.move.kind).toBe("promote");
  expect(late.round).toMatchObject({
    baseline: null,
    tests: [],
    verdict: { kind: "no_baseline", because: expect.stringContaining("no baseline") },
  });
});

test("before production health and smoke test decide, and neither is taken for granted", () => {
  const rollout = underWay({ environment: "dev" });
  expect(rollout).toMatchObject({ judgedBy: "smoke", percent: 100 });
  const smoke = (passed: boolean) => ({ ...seen({}), smoke: { passed, detail: "GET / gave 500" } });
  expect(roundOf(rollout, seen({}), at(5)).round.verdict).toMatchObject({ kind: "unknown" });
  expect(roundOf(rollout, seen({}), at(600)).move.kind).toBe("rollBack");
  expect(roundOf(rollout, smoke(false), at(5)).move).toMatchObject({
    kind: "rollBack",
    because: expect.stringContaining("GET / gave 500"),
  });
  expect(roundOf(rollout, smoke(true), at(5)).move.kind).toBe("promote");
  expect(roundOf(rollout, { readings: null, smoke: { passed: true, detail: "" } }, at(5)).move.kind).toBe("wait");
});

test("a revision that stays unhealthy, or that restarts again and again, is rolled back", () => {
  const rollout = underWay();
  const sick = (over: Parameters<typeof aReading>[2]): Observed => ({
    readings: [aReading(canaryArm, {}, over), aReading(baselineArm, {})],
    smoke: null,
  });
  const first = roundOf(rollout, sick({ health: "unhealthy" }), at(1));
  expect(first.round.verdict).toEqual({ kind: "unknown", because: "the new revision is not healthy" });
  expect(roundOf(first.rollout, sick({ health: "starting" }), at(11)).move.kind).toBe("rollBack");
  expect(roundOf(first.rollout, sick({ health: "healthy" }), at(11)).move.kind).toBe("wait");
  expect(roundOf(rollout, sick({ restarts: 3 }), at(1)).move).toMatchObject({
    kind: "rollBack",
    because: expect.stringContaining("restarted 3 times"),
  });
});

test("counters of another epoch begin at zero, and what went before the rollout does not count", () => {
  const before = [aReading(canaryArm, {}), aReading(baselineArm, { requests: 1_000_000, errors: 900_000 })];
  let rollout: Rollout = { ...aRollout(), seen: {} };
  rollout = roundOf(rollout, { readings: before, smoke: null }, at(0)).rollout;
  expect(rollout.totals.baseline.requests).toBe(0);
  const restarted = [
    aReading(canaryArm, { requests: 4, errors: 1 }, { epoch: "two" }),
    aReading(baselineArm, { requests: 30 }, { epoch: "two" }),
  ];
  rollout = roundOf(rollout, { readings: restarted, smoke: null }, at(1)).rollout;
  expect(rollout.totals).toEqual({ canary: { requests: 4, errors: 1, slow: 0 }, baseline: { requests: 30, errors: 0, slow: 0 } });
});

test("a baseline that is worse lets the canary pass, and errors alone are judged where no SLO says what is slow", () => {
  const rules = { ...rulesFor(shippedEnvironments, { environment: "production", tier: "tier-3", hasBaseline: true, slowSeconds: null }) };
  const rollout = underWay({ rules });
  const { round, move } = roundOf(
    roundOf(rollout, seen({ requests: 400 }, { requests: 3600, errors: 700 }), at(1)).rollout,
    seen({ requests: 800 }, { requests: 7200, errors: 1400 }),
    at(2),
  );
  expect(round.tests.map(({ metric }) => metric)).toEqual(["errors", "errors"]);
  expect(move).toMatchObject({ kind: "shift", toPercent: 50 });
});

/** Every round of a release of random traffic; `between` stands for what a checkpoint does to the state. */
function history(seed: number, between: (rollout: Rollout) => Rollout) {
  const random = seeded(seed);
  const rates = { canary: random() * 0.1, baseline: random() * 0.1, slow: random() * 0.1 };
  let rollout = aRollout({ tier: "tier-2" });
  const canary = { requests: 0, errors: 0, slow: 0 };
  const baseline = { requests: 0, errors: 0, slow: 0 };
  const rounds = [];
  for (let second = 1; second < 60; second++) {
    const now = at(second);
    const round = roundOf(between(rollout), { ...seen(canary, baseline) }, now);
    rounds.push({ round: round.round, move: round.move });
    rollout = round.rollout;
    if (round.move.kind === "promote" || round.move.kind === "rollBack") break;
    if (round.move.kind === "shift") rollout = enterStep(rollout, round.move.toPercent, now);
    for (const [arm, weight, errors] of [
      [canary, rollout.percent / 100, rates.canary],
      [baseline, 1 - rollout.percent / 100, rates.baseline],
    ] as const) {
      const requests = binomial(random, Math.floor(random() * 300), weight);
      arm.requests += requests;
      arm.errors += binomial(random, requests, errors);
      arm.slow += binomial(random, requests, rates.slow);
    }
  }
  return rounds;
}

test("a rollout that crosses a checkpoint as JSON between any two rounds goes on to the same verdicts", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
      const straight = history(seed, (rollout) => rollout);
      expect(history(seed, (rollout) => Rollout.parse(JSON.parse(JSON.stringify(rollout))))).toEqual(straight);
      for (const { move } of straight) expect(Move.parse(JSON.parse(JSON.stringify(move)))).toEqual(move);
    }),
    { numRuns: 100, seed: 11 },
  );
});

test("no sequence of readings makes an empty canary good", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ requests: fc.nat(500), errors: fc.nat(500) }), { maxLength: 30 }), (blocks) => {
      let rollout = underWay();
      const baseline = { requests: 0, errors: 0 };
      for (const [n, block] of blocks.entries()) {
        baseline.requests += block.requests;
        baseline.errors += Math.min(block.requests, block.errors);
        const round = roundOf(rollout, seen({}, baseline), at(n + 1));
        expect(round.round.verdict.kind).toBe("unknown");
        rollout = round.rollout;
      }
    }),
    { numRuns: 50, seed: 12 },
  );
});

test("slow requests are those of the buckets above the threshold", () => {
  const rollout = underWay();
  const { round } = roundOf(rollout, seen({ requests: 10, slow: 4 }, { requests: 10, slow: 1 }), at(1));
  expect(round.canary.slow).toBe(4);
  expect(round.baseline?.slow).toBe(1);
  expect(rollout.rules.slowSeconds).toBe(SLOW_SECONDS);
});
