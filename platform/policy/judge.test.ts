import { expect, test } from "vitest";
import { join } from "node:path";
import { aSubject } from "./a-subject.ts";
import { bundleOf, loadPolicies, type PolicyDocument } from "./bundle.ts";
import { celOf, compile, evaluate } from "./evaluator.ts";
import type { PolicySubject } from "./model.ts";
import { modeAt, judge, replay } from "./judge.ts";

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
  expect(outcome({ expression: "object.nothing" })).toEqual(["deny", "not_evaluable"]);
  expect(outcome({ expression: "object.service.name" })).toEqual(["deny", "not_evaluable"]);
  expect(outcome({ expression: "object.nothing", unknown: "warn" })).toEqual(["warn", "not_evaluable"]);
  expect(outcome({ expression: "true", unknownWhen: "object.nothing" })).toEqual(["deny", "not_evaluable"]);
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
  expect(judged({ expression: "false", matchConditions: ["object.nothing", "false"] }).results).toEqual([]);
  expect(outcome({ expression: "true", matchConditions: ["object.nothing"] })).toEqual(["deny", "not_evaluable"]);
});

test("a variable's failure surfaces where it is used, and can be absorbed", () => {
  expect(outcome({ expression: "true || variables.broken", variables: { broken: "object.nothing" } })).toEqual(["allow", "passed"]);
  const { results } = judged({ expression: "variables.broken", variables: { broken: "object.nothing" } });
  expect(results[0]?.message).toContain("broken: No such key: nothing");
});

test("messages are worded as Kubernetes does: the expression's, else the message, else the expression", () => {
  const message = (parts: Partial<RuleParts>) => judged({ expression: "false", ...parts }).results[0]?.message;
  expect(message({ messageExpression: "' at ' + object.service.name + ' '", message: "plain" })).toBe("at orders");
  expect(message({ messageExpression: "'two\\nlines'", message: "plain" })).toBe("plain");
  expect(message({ messageExpression: "object.nothing", message: "plain" })).toBe("plain");
  expect(message({})).toBe("failed expression: false");
});

test("evaluate() stops a rule that does not come to an end, and the next one is judged as if nothing had been", () => {
  const hostile = compile("'a'.matches('^a') && object.text.matches('^(a+)+$')");
  expect(() => evaluate(hostile, { object: celOf({ text: `${"a".repeat(40)}!` }) })).toThrow(/timed out/);
  expect(evaluate(compile("object.n + 1 == 3"), { object: celOf({ n: 2 }) })).toBe(true);
});

test("celOf() keeps integers as ints, others as doubles, and makes nothing of hostile keys", () => {
  const object = celOf(JSON.parse('{"constructor": 1, "__proto__": {"polluted": true}, "half": 0.5, "huge": 1e300, "list": [1, null]}'));
  const is = (expression: string) => evaluate(compile(expression), { object });
  expect(is("object.constructor + 1 == 2 && object['__proto__'].polluted && object.half < 1.0 && object.huge > 1e299")).toBe(true);
  expect(is("has(object.toString)")).toBe(false);
  expect(is("has(object.polluted)")).toBe(false);
});

test("bundleOf() refuses a rule that can't be right, and says where", () => {
  const refused = (rule: unknown) => expect(() => bundleOf({ policies: [rule] }));
  refused(aRule({ expression: "object." })).toThrow(
    expect.objectContaining({ code: "policy.broken", message: expect.stringContaining("example: validation 1") }),
  );
  refused(aRule({ expression: "objekt.a" })).toThrow(/validation 1.*objekt/s);
  refused(aRule({ expression: "true", mode: "tier-1: enforce" })).toThrow(/add a default/);
  refused(aRule({ expression: "true", mode: "maybe" })).toThrow(/maybe is not allowed/);
  refused({ ...(aRule({ expression: "true" }) as object), kind: "Deployment" }).toThrow(/kind/);
});

test("replay() of kept documents gives the same judgement byte for byte", async () => {
  const bundle = await loadPolicies(join(import.meta.dirname, "../../library/policies"));
  for (const subject of [aSubject(), aSubject({ evidence: null }), aSubject({ service: { tier: "tier-1" }, slo: { edited: false } })]) {
    const judgement = judge(subject, bundle, now, []);
    const kept = JSON.parse(JSON.stringify({ subject, document: bundle.document })) as { subject: unknown; document: unknown };
    expect(JSON.stringify(replay(kept.subject, kept.document, now, []))).toBe(JSON.stringify(judgement));
  }
});
