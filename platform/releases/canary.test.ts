import * as fc from "fast-check";
import { expect, test } from "vitest";
import { shippedEnvironments } from "./a-rollout.ts";
import { beginCanary, nextStep, observeBlock, requestsNeeded, thresholdOf, type Block, type CanaryState } from "./canary.ts";
import { binomial, seeded } from "./seeded.ts";

const rules = shippedEnvironments.tiers["tier-1"].canary;
const counts = (requests: number, errors: number) => ({ requests, errors, slow: 0 });
const after = (...blocks: Block[]): CanaryState =>
  blocks.reduce((state, block) => observeBlock(state, block, rules), beginCanary(["errors"]));
const logE = (state: CanaryState, process: "worse" | "not_worse") => state.tests.find((test) => test.process === process)?.logE ?? NaN;

test("a block with an empty arm changes no evidence and no bet", () => {
  const before = after({ canary: counts(10, 1), baseline: counts(90, 1) });
  for (const block of [
    { canary: counts(0, 0), baseline: counts(90, 80) },
    { canary: counts(10, 1), baseline: counts(0, 0) },
    { canary: counts(10, 1), baseline: null },
  ]) {
    const { tests, past } = observeBlock(before, block, rules);
    expect({ tests, past }).toEqual({ tests: before.tests, past: before.past });
  }
});

test("the bet is laid before its block is seen: E[factor | past] is at most 1 on the null's edge", () => {
  // Exact: over every outcome of the block, weighted by its probability at rates that differ by just the tolerance or the margin.
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n, k - 1) * (n - k + 1)) / k);
  const probability = (n: number, k: number, p: number) => choose(n, k) * p ** k * (1 - p) ** (n - k);
  const histories = [
    after(),
    after({ canary: counts(50, 9), baseline: counts(400, 3) }),
    after({ canary: counts(400, 2), baseline: counts(300, 90) }),
  ];
  for (const past of histories)
    for (const [process, d] of [
      ["worse", rules.tolerance],
      ["not_worse", rules.margin],
    ] as const)
      for (const base of [0.001, 0.01, 0.1, 0.5]) {
        const [nc, nb] = [6, 14];
        let expected = 0;
        for (let yc = 0; yc <= nc; yc++)
          for (let yb = 0; yb <= nb; yb++) {
            const state = observeBlock(past, { canary: counts(nc, yc), baseline: counts(nb, yb) }, rules);
            expected += probability(nc, yc, base + d) * probability(nb, yb, base) * Math.exp(logE(state, process) - logE(past, process));
          }
        expect(expected).toBeLessThanOrEqual(1 + 1e-9);
      }
});

test("at the edge of the tolerance, looked at every second for 200 s, at most alpha of 1,000 histories are ever called worse", () => {
  const threshold = Math.log(1 / rules.alpha);
  let worse = 0;
  for (let seed = 0; seed < 1000; seed++) {
    const random = seeded(seed + 1);
    let state = beginCanary(["errors"]);
    for (let second = 0; second < 200 && logE(state, "worse") < threshold; second++) {
      const canary = counts(20, binomial(random, 20, 0.01 + rules.tolerance));
      state = observeBlock(state, { canary, baseline: counts(180, binomial(random, 180, 0.01)) }, rules);
    }
    if (logE(state, "worse") >= threshold) worse++;
  }
  expect(worse / 1000).toBeLessThanOrEqual(rules.alpha);
});

test("a step begins with no evidence for not worse, and with all that spoke for worse", () => {
  const state = after({ canary: counts(100, 4), baseline: counts(900, 9) }, { canary: counts(100, 4), baseline: counts(900, 9) });
  const next = nextStep(state);
  expect(logE(next, "not_worse")).toBe(0);
  expect(logE(next, "worse")).toBe(logE(state, "worse"));
  expect(next.past).toEqual(state.past);
});

test("a test that was decided stays decided, and tells before about how many requests it needs", () => {
  const good: Block = { canary: counts(50, 0), baseline: counts(450, 0) };
  let state = after(good);
  const first = state.tests[1];
  if (!first) throw new Error("no test");
  expect(requestsNeeded(first, thresholdOf(state, rules))).toBeGreaterThan(0);
  while (!state.tests[1]?.decided) state = observeBlock(state, good, rules);
  const bad = observeBlock(state, { canary: counts(50, 25), baseline: counts(450, 0) }, rules);
  expect(bad.tests[1]).toMatchObject({ decided: true });
  expect(logE(bad, "not_worse")).toBeLessThan(thresholdOf(bad, rules));
});

test("evidence stays a finite number whatever the blocks", () => {
  const arm = fc
    .nat(2000)
    .chain((requests) =>
      fc.record({ requests: fc.constant(requests), errors: fc.integer({ min: 0, max: requests }), slow: fc.constant(0) }),
    );
  fc.assert(
    fc.property(fc.array(fc.record({ canary: arm, baseline: arm }), { maxLength: 40 }), (blocks) => {
      for (const test of after(...blocks).tests) expect(Number.isFinite(test.logE)).toBe(true);
    }),
    { numRuns: 100, seed: 13 },
  );
});
