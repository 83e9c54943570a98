import { describe, expect, test } from "vitest";
import { nextTransition } from "./alerts.ts";
import { BURN_RULES, budgetOf, burnOf, spanOf, type BurnRule, type WindowCounts } from "./burn-rate.ts";
import { STALE_SECONDS, whyNoData } from "./no-data.ts";
import type { Slo } from "./openslo.ts";
import { quantile } from "./quantile.ts";
import { sloView } from "./report.ts";

const slo: Slo = {
  name: "orders-availability",
  title: "Availability",
  description: "",
  environment: "production",
  indicator: { kind: "errors" },
  target: 0.999,
  periodSeconds: 30 * 86_400,
  isPlaceholder: false,
};
const counts = (requests: number, errors: number, unknownSeconds = 0): WindowCounts => ({ requests, errors, within: [], unknownSeconds });
const rule = (id: string): BurnRule => BURN_RULES.find((one) => one.id === id) as BurnRule;
const now = new Date("2026-03-01T12:00:00Z");

describe("burnOf()", () => {
  test("has the four burn rates of the workbook at 30 days and 99.9 %, and scales them with the period", () => {
    const factors = (periodSeconds: number) => BURN_RULES.map((one) => burnOf({ ...slo, periodSeconds }, one, () => counts(0, 0)).factor);
    expect(factors(30 * 86_400)).toEqual([14.4, 6, 3, 1]);
    expect(factors(28 * 86_400).map((factor) => Number(factor.toFixed(3)))).toEqual([13.44, 5.6, 2.8, 0.933]);
    expect(burnOf(slo, rule("page-1h"), () => counts(0, 0)).threshold).toBeCloseTo(0.0144, 10);
  });

  test("burns only when the long window and the short one exceed the limit", () => {
    const windows = (long: WindowCounts, short: WindowCounts) =>
      burnOf(slo, rule("page-1h"), (seconds) => (seconds === 3600 ? long : short)).state;
    expect(windows(counts(1000, 20), counts(100, 5))).toBe("burning");
    expect(windows(counts(1000, 20), counts(100, 1))).toBe("ok");
    expect(windows(counts(1000, 10), counts(100, 10))).toBe("ok");
    expect(windows(counts(1000, 20), counts(0, 0))).toBe("ok");
    expect(windows(counts(0, 0), counts(0, 0))).toBe("idle");
  });

  test("lets one bad request alone not burn, says from how many requests on a rate means something, and lets an outage with little traffic burn", () => {
    const burn = burnOf({ ...slo, target: 0.995 }, rule("page-1h"), () => counts(5, 1));
    expect(burn).toMatchObject({ state: "ok", meansSomethingFrom: 14 });
    expect(burnOf(slo, rule("page-1h"), () => counts(5, 5)).state).toBe("burning");
  });

  test("refuses a burn rate that the target can't reach", () => {
    expect(burnOf({ ...slo, target: 0.9 }, rule("page-1h"), () => counts(100, 100))).toMatchObject({
      state: "unreachable",
      because: "a burn of 14.4 can't be reached: at a target of 90 % it ends at 10",
    });
    expect(burnOf({ ...slo, target: 0.94 }, rule("page-1h"), () => counts(100, 100)).state).toBe("burning");
  });

  test("calls nothing ok of which a part is not known, and still burns by what is known", () => {
    expect(burnOf(slo, rule("page-1h"), () => counts(1000, 0, 60)).state).toBe("unknown");
    expect(burnOf(slo, rule("page-1h"), () => counts(1000, 100, 60)).state).toBe("burning");
  });
});

test("budgetOf() counts occurrences, and is overdrawn below zero", () => {
  expect(budgetOf(slo, counts(100_000, 25))).toMatchObject({ compliance: 0.99975, remaining: expect.closeTo(0.75, 10) });
  expect(budgetOf(slo, counts(100_000, 150)).remaining).toBeCloseTo(-0.5, 10);
  expect(budgetOf(slo, counts(0, 0))).toMatchObject({ compliance: null, remaining: null });
});

test("whyNoData() tells four causes apart, and only a target that can't be read is broken", () => {
  const facts = { seenAt: now, serving: true, deploying: false, requests: 0 };
  const later = new Date(now.getTime() + (STALE_SECONDS + 1) * 1000);
  expect(whyNoData({ ...facts, requests: 3 }, now)).toBeNull();
  expect(whyNoData(facts, now)).toBe("idle");
  expect(whyNoData({ ...facts, serving: false }, now)).toBe("not_deployed");
  expect(whyNoData({ ...facts, seenAt: null, serving: false }, now)).toBe("not_deployed");
  expect(whyNoData({ ...facts, seenAt: null, serving: false, deploying: true }, now)).toBe("deploying");
  expect(whyNoData({ ...facts, serving: false, deploying: true }, now)).toBe("deploying");
  expect(whyNoData({ ...facts, requests: 3 }, later)).toBe("telemetry_broken");
  expect(whyNoData({ ...facts, deploying: true }, later)).toBe("telemetry_broken");
});

describe("sloView()", () => {
  const facts = { seenAt: now, serving: true, deploying: false };
  const view = (own: WindowCounts, given: Partial<typeof facts> = {}, at = now) => sloView(slo, { ...facts, ...given }, () => own, at);

  test("is met only where all is known and there was something to know", () => {
    expect(view(counts(100_000, 2)).state).toBe("met");
    expect(view(counts(100_000, 2, 60))).toMatchObject({ state: "unknown", because: expect.stringContaining("1 min") });
    expect(view(counts(0, 0))).toMatchObject({ state: "unknown", noData: "idle" });
    expect(view(counts(0, 0), { serving: false })).toMatchObject({ state: "unknown", noData: "not_deployed" });
    expect(view(counts(100_000, 2), {}, new Date(now.getTime() + 600_000))).toMatchObject({ state: "unknown", noData: "telemetry_broken" });
  });

  test("says what is bad, also where a part is not known", () => {
    expect(view(counts(100_000, 200, 60)).state).toBe("missed");
    const burning = sloView(slo, facts, (seconds) => (seconds <= 3600 ? counts(100, 10) : counts(1_000_000, 100)), now);
    expect(burning.state).toBe("at_risk");
  });
});

describe("nextTransition()", () => {
  const pendingAt = new Date(now.getTime() - 60_000);

  test("waits for the condition to hold, fires, and is resolved when it ends", () => {
    expect(nextTransition(null, "holds", 60, now)).toBe("pending");
    expect(nextTransition({ state: "pending", pendingAt: now }, "holds", 60, now)).toBeNull();
    expect(nextTransition({ state: "pending", pendingAt }, "holds", 60, now)).toBe("firing");
    expect(nextTransition({ state: "firing", pendingAt }, "holds", 60, now)).toBeNull();
    expect(nextTransition({ state: "firing", pendingAt }, "does_not_hold", 60, now)).toBe("resolved");
    expect(nextTransition(null, "does_not_hold", 60, now)).toBeNull();
  });

  test("neither fires nor resolves by what is not known", () => {
    for (const open of [null, { state: "pending", pendingAt } as const, { state: "firing", pendingAt } as const])
      expect(nextTransition(open, "unknown", 60, now)).toBeNull();
  });
});

test("quantile() interpolates within a bucket, as Prometheus does", () => {
  const within = [0, 0, 0, 0, 50, 50, 90, 90, 90, 90, 90, 90];
  expect(quantile(0.25, { requests: 100, errors: 0, within })).toBeCloseTo(0.075, 10);
  expect(quantile(0.5, { requests: 100, errors: 0, within })).toBeCloseTo(0.1, 10);
  expect(quantile(0.99, { requests: 100, errors: 0, within })).toBe(10);
  expect(quantile(0.5, { requests: 0, errors: 0, within })).toBeNull();
});

test("spanOf() names spans as rules do", () => {
  expect([300, 1800, 3600, 21_600, 86_400, 259_200].map(spanOf)).toEqual(["5m", "30m", "1h", "6h", "1d", "3d"]);
});
