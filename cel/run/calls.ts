import type { Overload } from "../check/functions.ts";
import type { Type } from "../check/types.ts";
import type { Call } from "../syntax/ast.ts";
import { callCost, equalityCost, type CallCost } from "../cost/actual.ts";
import { noSuchOverload } from "../library/operators.ts";
import { compareValues, equalsValue } from "../values/compare.ts";
import { CelError, Double, Optional, Uint, Unknown, isAbnormal, kindOf, type Opaque, type Value } from "../values/values.ts";
import { constant, type Compiler, type Plan } from "./compile.ts";
import { overBudget, type Eval, type Frame } from "./frame.ts";
import { conjunction, disjunction } from "./logic.ts";
import { checkFormat, checkPattern } from "./literal-checks.ts";
import { located } from "./look-up.ts";
import { ownTable } from "../values/own-table.ts";

/** Plans a function call or operator that is no chain: see attributes.ts for those. */
export function planCall(compiler: Compiler, node: Call): Plan {
  const reference = compiler.checked.referenceOf(node);
  if (reference?.kind !== "call") return { run: () => new CelError(`no such function: ${node.name}`, node.id) };
  const { name, overloads, target } = reference;
  const operands = target ? [target, ...node.args] : node.args;
  if (name === "_&&_") return { run: conjunction(compiler.run(operands[0]!), compiler.run(operands[1]!), node.id) };
  if (name === "_||_") return { run: disjunction(compiler.run(operands[0]!), compiler.run(operands[1]!), node.id) };
  const plans = operands.map((operand) => compiler.plan(operand));
  const runs = plans.map((plan) => plan.run);
  switch (name) {
    case "_==_":
      return { run: equality(runs[0]!, runs[1]!, true, node.id) };
    case "_!=_":
      return { run: equality(runs[0]!, runs[1]!, false, node.id) };
    case "or":
    case "orValue":
      if (target && overloads.length > 0 && overloads.every(({ id }) => id.startsWith("optional_or")))
        return { run: alternative(runs[0]!, runs[1]!, name === "or") };
      break;
    case "@in":
      if (overloads.length === 1 && overloads[0]!.id === "in_list" && compiler.options.optimize) {
        const set = constantSet(plans[1]!.constant?.value);
        if (set) return { run: membership(runs[0]!, set) };
        if (plans[1]!.constant && (plans[1]!.constant.value as unknown[]).length === 0) return constant(false);
      }
  }
  const overload = overloads.length === 1 ? overloads[0]!.id : "";
  const cost = callCost(name, overload);
  if (compiler.options.optimize && runs.length === 1 && conversions.has(name) && plans[0]!.constant)
    return folded(compiler, node, overloads, plans[0]!.constant.value);
  if (compiler.options.optimize && plans[1]?.constant && (name === "matches" || name === "find" || name === "findAll")) {
    checkPattern(compiler, operands[1]!, plans[1]);
    return { run: call(name, overloads, runs, cost, node.id, true) };
  }
  if (compiler.options.optimize && name === "format") checkFormat(compiler, node, plans[0]?.constant?.value);
  if (name in orderings) return { run: ordering(runs[0]!, runs[1]!, name, cost, node.id) };
  if (overloads.length === 1 && runs.length === 1) return { run: unary(name, overloads[0]!, runs[0]!, cost, node.id) };
  if (overloads.length === 1 && runs.length === 2) return { run: binary(name, overloads[0]!, runs[0]!, runs[1]!, cost, node.id) };
  return { run: call(name, overloads, runs, cost, node.id) };
}

const conversions = new Set(["bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"]);

function folded(compiler: Compiler, node: Call, overloads: readonly Overload[], value: Value): Plan {
  const context = { now: undefined, allocate: () => undefined, work: () => undefined };
  const result = invoke(node.name, overloads.map(guarded), [value], context as unknown as Frame, node.id);
  if (result instanceof CelError) compiler.options.refuse(node, result.message);
  return constant(result);
}

function equality(left: Eval, right: Eval, wanted: boolean, node: number): Eval {
  return (frame) => {
    const a = left(frame);
    const b = right(frame);
    if (typeof a === "string" && typeof b === "string" && a.length <= 10 && b.length <= 10 && a.length > 0 && b.length > 0) {
      if (++frame.cost > frame.budget) overBudget(node);
      return (a === b) === wanted;
    }
    const result = isAbnormal(a) ? a : isAbnormal(b) ? b : equalsValue(a, b, frame);
    if ((frame.cost += equalityCost(a, b)) > frame.budget) overBudget(node);
    return typeof result === "boolean" ? result === wanted : result;
  };
}

const orderings = ownTable<(sign: number) => boolean>({
  "_<_": (sign: number) => sign < 0,
  "_<=_": (sign: number) => sign <= 0,
  "_>_": (sign: number) => sign > 0,
  "_>=_": (sign: number) => sign >= 0,
});

function ordering(left: Eval, right: Eval, name: keyof typeof orderings, cost: CallCost, node: number): Eval {
  const test = orderings[name]!;
  const numbers = { "_<_": 0, "_<=_": 1, "_>_": 2, "_>=_": 3 }[name];
  return (frame) => {
    const a = left(frame);
    const b = right(frame);
    if (typeof a === "number" && typeof b === "number") {
      if (++frame.cost > frame.budget) overBudget(node);
      return numbers === 0 ? a < b : numbers === 1 ? a <= b : numbers === 2 ? a > b : a >= b;
    }
    let result: Value;
    if (isAbnormal(a)) result = a;
    else if (isAbnormal(b)) result = b;
    else {
      const sign = compareValues(a, b);
      result = sign === undefined ? located(noSuchOverload(name, [a, b]), node) : test(sign);
    }
    if ((frame.cost += typeof cost === "number" ? cost : cost([a, b], result)) > frame.budget) overBudget(node);
    return result;
  };
}

/** `a.or(b)` and `a.orValue(b)`: b is not evaluated if a has a value, and nothing is charged for the choice. */
const alternative =
  (left: Eval, right: Eval, keepsOptional: boolean): Eval =>
  (frame) => {
    const value = left(frame);
    if (isAbnormal(value)) return value;
    if (!(value instanceof Optional)) return noSuchOverload(keepsOptional ? "or" : "orValue", [value]);
    if (value.value === undefined) return right(frame);
    return keepsOptional ? value : value.value;
  };

/** The elements of a constant list of strings, numbers and booleans: Kubernetes looks these up for nothing. */
function constantSet(value: Value | undefined): Set<unknown> | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const plain = (value as Value[]).map(plainKey);
  return plain.every((key) => key !== undefined) ? new Set(plain) : undefined;
}

const plainKey = (value: Value): string | number | bigint | boolean | undefined => {
  if (typeof value === "object") {
    const number = value instanceof Double || value instanceof Uint ? Number(value.value) : undefined;
    return number !== undefined && Number.isSafeInteger(number) ? number : undefined;
  }
  return value;
};

const membership =
  (item: Eval, set: ReadonlySet<unknown>): Eval =>
  (frame) => {
    const value = item(frame);
    if (isAbnormal(value)) return value;
    const key = plainKey(value);
    return key !== undefined && set.has(key);
  };

interface Guarded {
  overload: Overload;
  guards: readonly ((value: Value) => boolean)[];
}

const guarded = (overload: Overload): Guarded => ({ overload, guards: overload.params.map(guardOf) });

/** Whether a value may be passed where a type is declared: the checker cannot promise it for data. */
function guardOf(type: Type): (value: Value) => boolean {
  switch (type.kind) {
    case "dyn":
    case "param":
    case "error":
      return (value) => !isAbnormal(value);
    case "string":
      return (value) => typeof value === "string";
    case "int":
      return (value) => typeof value === "number" || typeof value === "bigint";
    case "list":
      return (value) => Array.isArray(value);
    case "struct":
      return (value) => kindOf(value) === "map";
    case "opaque":
      return type.name === "optional_type"
        ? (value) => value instanceof Optional
        : (value) => kindOf(value) === "opaque" && (value as Opaque).typeName === type.name;
    default:
      return (value) => kindOf(value) === type.kind;
  }
}

function invoke(name: string, forms: readonly Guarded[], args: readonly Value[], frame: Frame, node: number): Value {
  for (const { overload, guards } of forms) {
    if (!guards.every((accepts, i) => accepts(args[i]!))) continue;
    return located(overload.run(args, frame), node);
  }
  return located(noSuchOverload(name, args), node);
}

/** A call of one argument with one form: the commonest, without the loops of call(). */
function unary(name: string, overload: Overload, operand: Eval, cost: CallCost, node: number): Eval {
  const accepts = guardOf(overload.params[0]!);
  const { run } = overload;
  return (frame) => {
    const value = operand(frame);
    const args = [value];
    const result = accepts(value) ? located(run(args, frame), node) : isAbnormal(value) ? value : located(noSuchOverload(name, args), node);
    if ((frame.cost += typeof cost === "number" ? cost : cost(args, result)) > frame.budget) overBudget(node);
    return result;
  };
}

function binary(name: string, overload: Overload, left: Eval, right: Eval, cost: CallCost, node: number): Eval {
  const [acceptsLeft, acceptsRight] = [guardOf(overload.params[0]!), guardOf(overload.params[1]!)];
  const { run } = overload;
  return (frame) => {
    const a = left(frame);
    const b = right(frame);
    const args = [a, b];
    const result = acceptsLeft(a) && acceptsRight(b) ? located(run(args, frame), node) : refused(name, args, node);
    if ((frame.cost += typeof cost === "number" ? cost : cost(args, result)) > frame.budget) overBudget(node);
    return result;
  };
}

/** Why a call does not happen: an unknown argument, else the first error, else that no form takes these. */
function refused(name: string, args: readonly Value[], node: number): Value {
  return args.find((value) => value instanceof Unknown) ?? args.find(isAbnormal) ?? located(noSuchOverload(name, args), node);
}

function call(
  name: string,
  overloads: readonly Overload[],
  runs: readonly Eval[],
  cost: CallCost,
  node: number,
  stops = runs.length > 2,
): Eval {
  const forms = overloads.map(guarded);
  return (frame) => {
    const args: Value[] = [];
    let abnormal: Value | undefined;
    for (const run of runs) {
      // With three arguments, or a constant pattern, cel-go stops at the first that fails, and charges nothing for the call.
      if (abnormal !== undefined && stops) return abnormal;
      const value = run(frame);
      args.push(value);
      if (isAbnormal(value) && !(abnormal instanceof Unknown))
        abnormal = abnormal === undefined || value instanceof Unknown ? value : abnormal;
    }
    const result = abnormal ?? invoke(name, forms, args, frame, node);
    if ((frame.cost += typeof cost === "number" ? cost : cost(args, result)) > frame.budget) overBudget(node);
    return result;
  };
}
