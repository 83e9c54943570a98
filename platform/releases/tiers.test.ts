import { expect, test } from "vitest";
import type { Tier } from "../catalog/model.ts";
import { aReading, aRollout, baselineArm, canaryArm, shippedEnvironments } from "./a-rollout.ts";
import { enterStep, roundOf } from "./rollout.ts";

const TIERS = ["tier-1", "tier-2", "tier-3"] as const;
const at = (second: number) => new Date(second * 1000);

/**
 * A release to production whose canary fails so much more often than the stable revision, which fails once in a hundred. Each round brings 100 requests to
 * either, to the last digit as often as they fail. Gives the steps that it took, its end, and the canary's requests until its first step had passed.
 */
function released(tier: Tier, moreErrors: number) {
  let rollout = aRollout({ tier });
  const steps: number[] = [];
  let requests = 0;
  let firstStep = 0;
  for (let second = 0; second < 5000; second++) {
    const canary = { requests, errors: Math.round(requests * (0.01 + moreErrors)) };
    const baseline = { requests, errors: Math.round(requests * 0.01) };
    const { rollout: judged, move } = roundOf(
      rollout,
      { readings: [aReading(canaryArm, canary), aReading(baselineArm, baseline)], smoke: null },
      at(second),
    );
    if (move.kind === "rollBack" || move.kind === "promote") return { steps, end: move.kind, because: move.because, firstStep };
    rollout = judged;
    if (move.kind === "shift") {
      if (steps.length === 1) firstStep = requests;
      steps.push(move.toPercent);
      rollout = enterStep(judged, move.toPercent, at(second));
    }
    requests += 100;
  }
  throw new Error("it came to no end");
}

test("what the tiers demand is what library/environments says", () => {
  const { tiers } = shippedEnvironments;
  const demanded = TIERS.map((tier) => {
    const { changeRequest, productionApproval, evidence, canary, windows } = tiers[tier];
    const { stepsPercent, tolerance, margin, deadlineSeconds, unknownAtDeadline } = canary;
    return [
      changeRequest.approvedBy,
      productionApproval.by,
      evidence.scan.maxAgeDays,
      evidence.scan.maxCritical,
      stepsPercent,
      tolerance,
      margin,
      deadlineSeconds,
      unknownAtDeadline,
      windows,
    ];
  });
  expect(demanded).toEqual([
    ["code-owner-other-than-author", "other-than-author", 7, 0, [5, 25, 50, 100], 0.005, 0.02, 600, "roll_back", ["windows", "freezes"]],
    ["code-owner-other-than-author", "none", 14, 0, [10, 50, 100], 0.005, 0.03, 600, "hold", ["freezes"]],
    ["none-but-warned", "none", null, null, [10, 50, 100], 0.01, 0.05, 600, "promote", ["freezes"]],
  ]);
});

test.each([
  ["tier-1", [5, 25, 50]],
  ["tier-2", [10, 50]],
  ["tier-3", [10, 50]],
] as const)(
  "a canary of %s that is as good as the stable revision takes the steps %j, each judged below 100 %%, and is promoted",
  (tier, steps) => {
    expect(released(tier, 0)).toMatchObject({ steps, end: "promote" });
  },
);

test("beyond its margin no tier can find a canary not worse: 2.5 % more ends it in tier-1, 4 % in tier-2, 7 % in tier-3", () => {
  const ends = (moreErrors: number) => TIERS.map((tier) => released(tier, moreErrors).end);
  expect(ends(0.025)).toEqual(["rollBack", expect.anything(), expect.anything()]);
  expect(ends(0.004)).toEqual(["promote", "promote", "promote"]);
  expect(ends(0.04)).toEqual(["rollBack", "rollBack", expect.anything()]);
  expect(ends(0.07)).toEqual(["rollBack", "rollBack", "rollBack"]);
  expect(TIERS.map((tier) => released(tier, 0.07).because)).toEqual([
    expect.stringContaining("worse by more than 0.5 %"),
    expect.stringContaining("worse by more than 0.5 %"),
    expect.stringContaining("worse by more than 1 %"),
  ]);
});

test("the narrower its margin, the more requests a tier wants before a step has passed", () => {
  const [first, second, third] = TIERS.map((tier) => released(tier, 0).firstStep);
  expect(first).toBeGreaterThan(second!);
  expect(second).toBeGreaterThan(third!);
});
