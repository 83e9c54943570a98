import { expect, test } from "vitest";
import { strictest } from "../catalog/tiers.ts";
import { authorsOf } from "./release-plan.ts";
import { tierAt } from "./tiers.ts";

const descriptor = (labels: string) => `apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: orders${labels}
spec: { type: service, lifecycle: production, owner: shop }
`;
const saying = (text: string | undefined) => tierAt({ readFile: async () => text }, "orders", "main");

test("strictest() gives the tier that demands most, of none tier-1", () => {
  expect(strictest(["tier-3", "tier-2"])).toBe("tier-2");
  expect(strictest(["tier-3", "tier-1", "tier-2"])).toBe("tier-1");
  expect(strictest(["tier-3"])).toBe("tier-3");
  expect(strictest([])).toBe("tier-1");
});

test("tierAt() takes what can't be read, or is no tier, for the strictest", async () => {
  expect(await saying(descriptor("\n  labels: { cairn.dev/tier: tier-2 }"))).toBe("tier-2");
  expect(await saying(descriptor(""))).toBe("tier-3");
  expect(await saying(descriptor("\n  labels: { cairn.dev/tier: tier-0 }"))).toBe("tier-1");
  expect(await saying("kind: [")).toBe("tier-1");
  expect(await saying("kind: System\nmetadata: { name: x }\n")).toBe("tier-1");
  expect(await saying(undefined)).toBe("tier-1");
});

test("authorsOf() names everyone who took part in what a release brings, from what serves to its own commit", async () => {
  const change = (number: number, author: string, pushedBy: string[] = []) =>
    ({ number, author, pushedBy, mergeCommit: `commit-${number}`, mergedAt: new Date(number * 1000) }) as never;
  const forge = { changes: async () => [change(3, "eve"), change(2, "grace", ["alan", "grace"]), change(1, "ada"), change(4, "late")] };
  const authors = (commit: string, serving?: string) => authorsOf(forge, "orders", commit, serving);
  expect(await authors("commit-1")).toEqual(["ada"]);
  expect(await authors("commit-2", "commit-1")).toEqual(["alan", "grace"]);
  expect(await authors("commit-3", "commit-1")).toEqual(["alan", "eve", "grace"]);
  expect(await authors("commit-3")).toEqual(["ada", "alan", "eve", "grace"]);
  expect(await authors("commit-3", "commit-3")).toEqual(["eve"]);
  expect(await authors("commit-3", "before-the-forge")).toEqual(["ada", "alan", "eve", "grace"]);
  expect(await authors("unknown")).toEqual(["ada", "alan", "eve", "grace", "late"]);
});
