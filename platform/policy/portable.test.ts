import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { aSubject } from "./a-subject.ts";
import { bundleOf, loadPolicies } from "./bundle.ts";
import { judge } from "./judge.ts";
import type { PolicySubject, Relief } from "./model.ts";
import { decisionId, factDigests, replayed } from "./portable.ts";

const now = new Date("2026-03-01T12:00:00.000Z");
const bundle = await loadPolicies(join(import.meta.dirname, "../../library/policies"));
const relief: Relief = {
  id: "exc_1",
  kind: "exception",
  rules: ["tests-passed"],
  service: "orders",
  environment: null,
  from: "2026-03-01T00:00:00.000Z",
  until: "2026-03-02T00:00:00.000Z",
  because: "the report is lost",
  grantedBy: "user:default/grace",
};

interface Exported {
  decision: Record<string, unknown>;
  subject: Record<string, unknown>;
  rules: unknown;
  reliefs: Record<string, unknown>[];
}

/** A decision as it is exported, read back from JSON. */
function exported(subject: PolicySubject, reliefs: Relief[] = []): Exported {
  const judgement = judge(subject, bundle, now, reliefs);
  const decision = { id: decisionId(judgement), ...judgement };
  const content = { kind: "cairn.dev/decision-bundle", decision, subject, rules: bundle.document, reliefs, facts: factDigests(subject) };
  return JSON.parse(JSON.stringify(content)) as Exported;
}

const subjects = [aSubject(), aSubject({ evidence: null }), aSubject({ service: { tier: "tier-1" }, slo: { edited: false } })];

test("replayed() gives the same decision byte for byte", () => {
  for (const subject of subjects) {
    const again = replayed(exported(subject));
    expect(again).toMatchObject({ same: true, differences: [] });
    expect(again.again).toBe(again.kept);
  }
  expect(replayed(exported(aSubject({ evidence: { tests: null } }), [relief]))).toMatchObject({ same: true, outcome: "warn" });
});

test("replayed() names a fact that was changed, and what it changes", () => {
  const changed = exported(aSubject());
  (changed.subject as { evidence: { tests: { failed: number } } }).evidence.tests.failed = 1;
  const { same, differences } = replayed(changed);
  expect(same).toBe(false);
  expect(differences.join("\n")).toMatch(/The fact evidence\.tests\.failed is another/);
  expect(differences.join("\n")).toMatch(/The rule tests-passed answered passed .* now denied/);
  expect(differences.join("\n")).toMatch(/The outcome was .*, and is deny/);
});

test("replayed() finds any single bit of the facts that was changed", () => {
  const leaves = Object.keys(factDigests(aSubject()));
  fc.assert(
    fc.property(fc.constantFrom(...leaves), (path) => {
      const changed = exported(aSubject());
      let at = changed.subject;
      const steps = path.split(".");
      // Names with a dot in them are not among the facts of this subject.
      for (const step of steps.slice(0, -1)) at = at[step] as Record<string, unknown>;
      const last = steps.at(-1) ?? "";
      const was = at[last];
      at[last] = typeof was === "boolean" ? !was : typeof was === "number" ? was + 1 : typeof was === "string" ? `${was}x` : "x";
      const { same, differences } = replayed(changed);
      expect(same).toBe(false);
      expect(differences.some((line) => line.startsWith(`The fact ${path}`))).toBe(true);
    }),
  );
});

test("replayed() finds other rules, another relief, another time and another answer", () => {
  const differs = (change: (content: Exported) => void) => {
    const content = exported(aSubject({ evidence: { tests: null } }), [relief]);
    change(content);
    const { same, differences } = replayed(content);
    expect(same).toBe(false);
    return differences.join("\n");
  };
  expect(differs((content) => Object.assign(content.reliefs[0] ?? {}, { until: now.toISOString() }))).toMatch(
    /The exceptions.*\n.*outcome was warn, and is deny/s,
  );
  expect(differs((content) => Object.assign(content.decision, { decidedAt: "2026-04-01T00:00:00.000Z" }))).toMatch(/The decision's id/);
  expect(differs((content) => Object.assign(content.decision, { outcome: "allow" }))).toMatch(/The outcome was allow/);
  expect(differs((content) => Object.assign(content.decision, { evaluator: "another 1.0" }))).toMatch(/The evaluator/);
  expect(
    differs((content) => {
      const rules = bundleOf(content.rules).document;
      content.rules = { policies: rules.policies.filter(({ metadata }) => metadata.name !== "tests-passed") };
    }),
  ).toMatch(/The rules: .*\n.*tests-passed answered unknown/s);
});
