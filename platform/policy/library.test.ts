import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aSubject } from "./a-subject.ts";
import { bundleOf, loadPolicies } from "./bundle.ts";
import { casesOf, failuresOf } from "./cases.ts";
import { judge } from "./judge.ts";

const folder = join(import.meta.dirname, "../../library/policies");
const now = new Date("2026-03-01T12:00:00.000Z");

const bundle = await loadPolicies(folder);

test("the library has the rules of the path, and each has a folder of its own with cases", async () => {
  const folders = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  expect(bundle.rules.map(({ name }) => name)).toEqual(folders.sort());
  expect(folders).toEqual(
    expect.arrayContaining(["owner-exists", "tests-passed", "provenance-verified", "health-check-set", "resources-set", "slo-and-runbook"]),
  );
});

for (const policy of bundle.document.policies) {
  const rule = policy.metadata.name;
  const cases = await casesOf(join(folder, rule));

  test(`${rule} has a case that passes, one that fails and one that is not known`, () => {
    const outcomes = cases.map((one) => one.expect.outcome);
    expect(outcomes).toContain("passed");
    expect(outcomes).toContain("unknown");
    expect(outcomes.some((outcome) => outcome === "denied" || outcome === "warned")).toBe(true);
  });

  test.each(cases)(`${rule}: $title`, (one) => {
    expect(failuresOf(policy, one, now)).toEqual([]);
    const result = judge(aSubject(one.set), bundleOf({ policies: [policy] }), now, []).results[0];
    if (result && result.outcome !== "passed") expect(result.fix).not.toBe("");
  });
}
