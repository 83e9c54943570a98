import { environment, type HostFunction } from "../index.ts";
import type { Scope } from "../check/scope.ts";
import { kindOf, type Value } from "../values/values.ts";
import { equals } from "../values/compare.ts";
import { Double } from "../values/values.ts";
import { mapKeys, getEntry } from "../values/maps.ts";
import { adapt } from "../values/adapt.ts";
import { readType, readValue, type Case, type Json } from "./corpus.ts";

/** Runs one case of the corpus: undefined if it passes, else what went wrong. */
export function runCase(test: Case): string | undefined {
  try {
    const { variables, functions } = declarations(test);
    const env = environment({ variables, functions, container: test.container ?? "", check: !test.disableCheck });
    const program = env.compile(test.expr);
    const deduced = test.typedResult?.deducedType;
    if (deduced && program.type !== readType(deduced)) return `type ${program.type}, expected ${readType(deduced)}`;
    if (test.checkOnly) return undefined;
    const bindings = new Map(Object.entries(test.bindings ?? {}).map(([name, { value }]) => [name, readValue(value)]));
    const outcome = program.evaluate(bindings, { budget: Infinity });
    const expected = test.value ?? test.typedResult?.result;
    if (expected === undefined) {
      if (test.evalError === undefined && outcome.kind === "value")
        return outcome.value === true || test.typedResult ? undefined : `gave ${JSON.stringify(outcome.value)}`;
      return outcome.kind === "error" ? undefined : `gave a value, expected an error`;
    }
    if (outcome.kind !== "value") return outcome.kind === "error" ? `error: ${outcome.message}` : "unknown";
    return same(outcome.celValue, readValue(expected)) ? undefined : `gave ${show(outcome.celValue)}, expected ${JSON.stringify(expected)}`;
  } catch (fault) {
    return fault instanceof Error ? fault.message : String(fault);
  }
}

/** The variables and functions that cel-go's checker tests take for granted. */
const testVariables = { is: "string", ii: "int", iu: "uint", iz: "bool", id: "double", ix: "null_type", ib: "bytes" };
const testFunctions: Record<string, HostFunction> = { "fg_s() -> string": () => "", "<string>.fi_s_s() -> string": () => "" };
const testIds = { "fg_s() -> string": "fg_s_0", "<string>.fi_s_s() -> string": "fi_s_s_0" };

/** What a case declares, for the checker alone; `ids` are the overload ids of its functions by signature. */
export function scopeOf(test: Case): { scope: Scope; ids: Readonly<Record<string, string>> } {
  const { variables, functions, ids } = declarations(test);
  const options = {
    variables: { ...testVariables, ...variables },
    functions: { ...testFunctions, ...functions },
    container: test.container ?? "",
  };
  return { scope: environment(options).scope, ids: { ...testIds, ...ids } };
}

function declarations(test: Case): {
  variables: Record<string, string>;
  functions: Record<string, HostFunction>;
  ids: Record<string, string>;
} {
  const variables: Record<string, string> = Object.fromEntries(Object.keys(test.bindings ?? {}).map((name) => [name, "dyn"]));
  const functions: Record<string, HostFunction> = {};
  const ids: Record<string, string> = {};
  for (const declaration of test.typeEnv ?? []) {
    const name = declaration.name as string;
    if (declaration.ident) variables[name] = readType((declaration.ident as { type: Json }).type);
    for (const overload of ((declaration.function as Json | undefined)?.overloads ?? []) as Json[]) {
      const params = ((overload.params ?? []) as Json[]).map(readType);
      const result = readType(overload.resultType as Json);
      const signature = overload.isInstanceFunction
        ? `<${params[0]}>.${name}(${params.slice(1).join(", ")}) -> ${result}`
        : `${name}(${params.join(", ")}) -> ${result}`;
      functions[signature] = () => null;
      ids[signature] = overload.overloadId as string;
    }
  }
  return { variables, functions, ids };
}

/** Equal and of one kind all the way down: 1 is not 1u here. NaN is NaN. */
function same(a: Value, b: Value): boolean {
  if (kindOf(a) !== kindOf(b)) return false;
  if (a instanceof Double && b instanceof Double) return Object.is(a.value, b.value) || a.value === b.value;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(adapt(item), adapt(b[i])));
  if (kindOf(a) === "map") {
    const keys = mapKeys(a as object);
    return (
      keys.length === mapKeys(b as object).length &&
      keys.every((key) => same(getEntry(a as object, key)!, getEntry(b as object, key) ?? "none"))
    );
  }
  return equals(a, b, { work: () => undefined });
}

const show = (value: Value): string => {
  try {
    return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part));
  } catch {
    return String(value);
  }
};
