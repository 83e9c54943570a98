import { expect, test } from "vitest";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { aSubject } from "./a-subject.ts";
import { bundleOf, type PolicyDocument } from "./bundle.ts";
import { compiler, evaluate, EVALUATOR } from "./evaluator.ts";
import type { PolicySubject } from "./model.ts";
import { modeAt, judge } from "./judge.ts";

const now = new Date("2026-03-01T12:00:00.000Z");

interface RuleParts {
  mode?: string;
  unknown?: string;
  unknownWhen?: string;
  matchConditions?: string[];
  variables?: Record<string, string>;
  expression: string;
  message?: string;
  messageExpression?: string;
}

const aRule = ({ expression, ...parts }: RuleParts): unknown => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicy",
  metadata: {
    name: "example",
    annotations: {
      "cairn.dev/description": "an example",
      "cairn.dev/points": "release",
      "cairn.dev/mode": parts.mode ?? "enforce",
      ...(parts.unknown && { "cairn.dev/unknown": parts.unknown }),
      ...(parts.unknownWhen && { "cairn.dev/unknown-when": parts.unknownWhen }),
      "cairn.dev/fix": "mend it",
    },
  },
  spec: {
    matchConditions: (parts.matchConditions ?? []).map((condition, n) => ({ name: `c${n}`, expression: condition })),
    variables: Object.entries(parts.variables ?? {}).map(([name, variable]) => ({ name, expression: variable })),
    validations: [
      {
        expression,
        ...(parts.message && { message: parts.message }),
        ...(parts.messageExpression && { messageExpression: parts.messageExpression }),
      },
    ],
  },
});

const judged = (parts: RuleParts) => judge(aSubject(), bundleOf({ policies: [aRule(parts) as PolicyDocument] }), now, []);
const outcome = (parts: RuleParts) => {
  const { outcome, results } = judged(parts);
  return [outcome, results[0]?.outcome];
};

test("judge() denies what it can't evaluate, unless the rule says otherwise", () => {
  expect(outcome({ expression: "object.workload.nothing" })).toEqual(["deny", "not_evaluable"]);
  expect(outcome({ expression: "object.workload.apiVersion" })).toEqual(["deny", "not_evaluable"]);
  expect(outcome({ expression: "object.workload.nothing", unknown: "warn" })).toEqual(["warn", "not_evaluable"]);
  expect(outcome({ expression: "true", unknownWhen: "object.workload.nothing" })).toEqual(["deny", "not_evaluable"]);
  expect(outcome({ expression: "true", unknownWhen: "'no scan'" })).toEqual(["deny", "unknown"]);
});

test("judge() turns a refusal into what the rule says for the place", () => {
  expect(outcome({ expression: "true" })).toEqual(["allow", "passed"]);
  expect(outcome({ expression: "false" })).toEqual(["deny", "denied"]);
  expect(outcome({ expression: "false", mode: "default: enforce, tier-3: warn" })).toEqual(["warn", "warned"]);
  expect(outcome({ expression: "false", mode: "audit" })).toEqual(["allow", "warned"]);
});

test("modeAt() prefers the most particular place", () => {
  const modes = { default: "audit", production: "warn", "tier-1": "warn", "tier-1/production": "enforce" } as const;
  const at = (tier: string, environment: PolicySubject["environment"]) =>
    modeAt(modes, { ...aSubject({ service: { tier } }), environment });
  expect(at("tier-1", { name: "eu", production: true, mode: "enforce" })).toBe("enforce");
  expect(at("tier-1", { name: "eu", production: true, mode: "warn" })).toBe("warn");
  expect(at("tier-1", { name: "dev", production: false, mode: "enforce" })).toBe("warn");
  expect(at("tier-3", { name: "dev", production: false, mode: "enforce" })).toBe("audit");
  expect(at("constructor", null)).toBe("audit");
});

test("a rule whose condition is false is not asked, also where another condition errs", () => {
  expect(judged({ expression: "false", matchConditions: ["object.workload.nothing", "false"] }).results).toEqual([]);
  expect(outcome({ expression: "true", matchConditions: ["object.workload.nothing"] })).toEqual(["deny", "not_evaluable"]);
});

test("a variable's failure surfaces where it is used, and can be absorbed", () => {
  expect(outcome({ expression: "true || variables.broken", variables: { broken: "object.workload.nothing" } })).toEqual([
    "allow",
    "passed",
  ]);
  const { results } = judged({ expression: "variables.broken", variables: { broken: "object.workload.nothing" } });
  expect(results[0]?.message).toContain("broken: no such key: nothing");
});

test("messages are worded as Kubernetes does: the expression's, else the message, else the expression", () => {
  const message = (parts: Partial<RuleParts>) => judged({ expression: "false", ...parts }).results[0]?.message;
  expect(message({ messageExpression: "' at ' + object.service.name + ' '", message: "plain" })).toBe("at orders");
  expect(message({ messageExpression: "'two\\nlines'", message: "plain" })).toBe("plain");
  expect(message({ messageExpression: "object.workload.nothing", message: "plain" })).toBe("plain");
  expect(message({})).toBe("failed expression: false");
});

test("a rule that costs more than its budget is not evaluable, and the next one is judged as if nothing had been", () => {
  const range = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
  const hostile = `${range}.all(a, ${range}.all(b, ${range}.all(c, ${range}.all(d, ${range}.all(e, ${range}.all(f, a + b + c + d + e + f > 0))))))`;
  const { outcome, results } = judged({ expression: hostile });
  expect([outcome, results[0]?.outcome]).toEqual(["deny", "not_evaluable"]);
  expect(results[0]?.message).toContain("the cost budget is used up");
  // All expressions of a rule spend from one budget.
  const tenth = `${range}.all(a, ${range}.all(b, ${range}.all(c, ${range}.all(d, a + b + c + d > 0))))`;
  expect(judged({ expression: tenth }).results[0]?.outcome).toBe("passed");
  const tenTimes = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`v${n}`, tenth]));
  const { results: exhausted } = judged({
    expression: Object.keys(tenTimes)
      .map((name) => `variables.${name}`)
      .join(" && "),
    variables: tenTimes,
  });
  expect(exhausted[0]).toMatchObject({ outcome: "not_evaluable", message: expect.stringContaining("the cost budget is used up") });
  expect(judged({ expression: "object.change.number + 1 == 8" }).results[0]?.outcome).toBe("passed");
});

test("evaluate() keeps integers as ints, others as doubles, and makes nothing of hostile keys", () => {
  const hostile = JSON.parse(
    '{"constructor": 1, "__proto__": {"polluted": true}, "half": 0.5, "huge": 1e300, "list": [1, null]}',
  ) as Record<string, unknown>;
  const subject = { ...aSubject(), workload: hostile };
  const is = (expression: string) => evaluate(compiler().compile(expression), { object: subject }, { left: 10_000 });
  expect(
    is(
      "object.workload.constructor + 1 == 2 && object.workload['__proto__'].polluted && object.workload.half < 1.0 && object.workload.huge > 1e299",
    ),
  ).toBe(true);
  expect(is("has(object.workload.toString)")).toBe(false);
  expect(is("has(object.workload.polluted)")).toBe(false);
});

test("EVALUATOR names the version of the package that evaluates", async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, "../../cel/package.json"), "utf8")) as { version: string };
  expect(EVALUATOR).toContain(`@cairn/cel ${version} `);
});

test("bundleOf() refuses a rule that can't be right, and says where", () => {
  const refused = (rule: unknown) => expect(() => bundleOf({ policies: [rule] }));
  refused(aRule({ expression: "object." })).toThrow(
    expect.objectContaining({ code: "policy.broken", message: expect.stringContaining("example: validation 1") }),
  );
  refused(aRule({ expression: "objekt.a" })).toThrow(/validation 1.*objekt/s);
  refused(aRule({ expression: "object.evidence.tests.faild == 0" })).toThrow(/undefined field 'faild'.*failed/s);
  refused(aRule({ expression: "variables.tests.faild == 0", variables: { tests: "object.evidence.tests" } })).toThrow(
    /undefined field 'faild'/,
  );
  refused(aRule({ expression: "object.service.name" })).toThrow(/validation 1.*bool/s);
  refused(aRule({ expression: "true", mode: "tier-1: enforce" })).toThrow(/add a default/);
  refused(aRule({ expression: "true", mode: "maybe" })).toThrow(/maybe is not allowed/);
  refused({ ...(aRule({ expression: "true" }) as object), kind: "Deployment" }).toThrow(/kind/);
});
