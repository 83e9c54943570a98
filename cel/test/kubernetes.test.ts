import { expect, test } from "vitest";
import { CompileError, environment } from "../index.ts";
import { rawEstimate } from "../cost/estimate.ts";
import { goText } from "./go-text.ts";
import examples from "./data/kubernetes-examples.json" with { type: "json" };
import random from "./data/kubernetes-random.json" with { type: "json" };

/** One expression as an API server answered it: bench/cel-go records them. */
interface Recorded {
  expr: string;
  refused?: string;
  type?: string;
  value?: string;
  error?: string;
  cost?: number;
  min?: number;
  max?: number;
}

interface Recording {
  variables: Record<string, string>;
  bindings: object;
  cases: Recorded[];
}

function differences({ variables, bindings, cases }: Recording): string[] {
  const env = environment({ version: "1.37", variables });
  return cases.flatMap((recorded) => difference(env, bindings, recorded).map((fault) => `${recorded.expr}: ${fault}`));
}

function difference(env: ReturnType<typeof environment>, bindings: object, recorded: Recorded): string[] {
  try {
    const program = env.compile(recorded.expr);
    if (recorded.refused !== undefined) return [`was not refused: ${recorded.refused}`];
    const outcome = program.evaluate(bindings);
    const { min, max } = rawEstimate(program.checked);
    const faults: string[] = [];
    if (goType(program.type) !== recorded.type) faults.push(`type ${program.type}, Kubernetes ${recorded.type}`);
    if (outcome.cost !== recorded.cost) faults.push(`cost ${outcome.cost}, Kubernetes ${recorded.cost}`);
    if (!near(min, recorded.min!) || !near(max, recorded.max!))
      faults.push(`estimate ${min} to ${max}, Kubernetes ${recorded.min} to ${recorded.max}`);
    if (outcome.kind !== (recorded.error === undefined ? "value" : "error"))
      faults.push(`gave ${outcome.kind}, Kubernetes ${recorded.error ?? recorded.value}`);
    else if (outcome.kind === "value" && isComparable(recorded.value!) && unspaced(goText(outcome.celValue)) !== unspaced(recorded.value!))
      faults.push(`gave ${goText(outcome.celValue)}, Kubernetes ${recorded.value}`);
    return faults;
  } catch (fault) {
    if (!(fault instanceof CompileError)) throw fault;
    return recorded.refused === undefined ? [`was refused: ${fault.message}`] : [];
  }
}

const goType = (type: string): string =>
  type
    .replaceAll("null_type", "null")
    .replaceAll(/\b(timestamp|duration)\b/g, (name) => `google.protobuf.${name === "duration" ? "Duration" : "Timestamp"}`);
/** Go prints its messages with spaces that it changes at random, and maps and opaque values in forms of their own. */
const unspaced = (text: string): string => text.replaceAll(/\s+/g, " ");
const isComparable = (text: string): boolean =>
  /^(?:null|bool|int64|uint64|double|string|list|type|object)_value:/.test(text) && !text.includes("map_value");
const near = (a: number, b: number): boolean => a === b || Math.abs(a - b) / Math.max(a, b) < 1e-9;

test("expressions of real policies and of the whole function library do as in Kubernetes 1.37: type, value or error, cost, estimate", () => {
  expect(examples.cases.length).toBeGreaterThan(200);
  expect(differences(examples as unknown as Recording)).toEqual([]);
});

test("random expressions do as in Kubernetes 1.37: type, value or error, cost, estimate", () => {
  expect(random.cases.length).toBeGreaterThanOrEqual(600);
  expect(differences(random as unknown as Recording)).toEqual([]);
});
