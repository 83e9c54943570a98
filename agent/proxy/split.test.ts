import { assert, integer, property } from "fast-check";
import { expect, test } from "vitest";
import { Split } from "./split.ts";

const deal = (split: Split<string>, requests: number): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (let n = 0; n < requests; n++) {
    const arm = split.next() ?? "none";
    counts[arm] = (counts[arm] ?? 0) + 1;
  }
  return counts;
};

test("next() gives nothing where no arm has weight", () => {
  expect(new Split([]).next()).toBeUndefined();
  expect(new Split([{ arm: "a", weightPercent: 0 }]).next()).toBeUndefined();
});

test("next() gives each arm its exact share of every hundred requests", () => {
  assert(
    property(integer({ min: 1, max: 99 }), integer({ min: 1, max: 5 }), (percent, hundreds) => {
      const split = new Split([
        { arm: "canary", weightPercent: percent },
        { arm: "stable", weightPercent: 100 - percent },
      ]);
      expect(deal(split, hundreds * 100)).toEqual({ canary: percent * hundreds, stable: (100 - percent) * hundreds });
    }),
  );
});

test("next() keeps tenths of a percent", () => {
  const split = new Split([
    { arm: "canary", weightPercent: 0.5 },
    { arm: "stable", weightPercent: 99.5 },
  ]);
  expect(deal(split, 2000)).toEqual({ canary: 10, stable: 1990 });
});

test("next() does not give a client with a rhythm one arm always", () => {
  const split = new Split([
    { arm: "canary", weightPercent: 10 },
    { arm: "stable", weightPercent: 90 },
  ]);
  const places = new Set<number>();
  for (let block = 0; block < 200; block++) for (let n = 0; n < 10; n++) if (split.next() === "canary") places.add(n);
  expect(places.size).toBe(10);
});
