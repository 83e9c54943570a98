import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { aSubject } from "./a-subject.ts";
import { bundleOf, loadPolicies } from "./bundle.ts";
import { judge } from "./judge.ts";

const folder = join(import.meta.dirname, "../../library/policies");
const now = new Date("2026-03-01T12:00:00.000Z");

const Cases = z.array(
  z.strictObject({
    title: z.string(),
    set: z.record(z.string(), z.unknown()).default({}),
    expect: z.strictObject({
      outcome: z.enum(["passed", "warned", "denied", "unknown", "not_evaluable", "not asked"]),
      /** What the rule alone makes of the decision. */
      decision: z.enum(["allow", "warn", "deny"]).optional(),
      /** Part of the message. */
      message: z.string().optional(),
    }),
  }),
);

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
  const alone = bundleOf({ policies: [policy] });
  const cases = Cases.parse(parse(await readFile(join(folder, rule, "cases.yaml"), "utf8")));

  test(`${rule} has a case that passes, one that fails and one that is not known`, () => {
    const outcomes = cases.map((one) => one.expect.outcome);
    expect(outcomes).toContain("passed");
    expect(outcomes).toContain("unknown");
    expect(outcomes.some((outcome) => outcome === "denied" || outcome === "warned")).toBe(true);
  });

  test.each(cases)(`${rule}: $title`, ({ set, expect: expected }) => {
    const judgement = judge(aSubject(set), alone, now, []);
    const result = judgement.results[0];
    expect(result?.outcome ?? "not asked", result?.message).toBe(expected.outcome);
    if (expected.decision) expect(judgement.outcome).toBe(expected.decision);
    if (expected.message) expect(result?.message).toContain(expected.message);
    if (result && result.outcome !== "passed") expect(result.fix).not.toBe("");
  });
}
