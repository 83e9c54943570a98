import { CompileError, defaultBudget, environment, print, type Program } from "../index.ts";
import type { Type } from "../check/types.ts";
import { adapt } from "../values/adapt.ts";
import { equals } from "../values/compare.ts";
import { getEntry, mapKeys } from "../values/maps.ts";
import { Optional, kindOf, type Opaque, type Value } from "../values/values.ts";
import { children } from "../syntax/walk.ts";
import type { Expr } from "../syntax/ast.ts";
import { variables } from "./arbitrary.ts";

export const environments = [
  environment({ variables }),
  environment({ version: "1.37", variables }),
  environment({ variables, check: false }),
] as const;

/** The program, or undefined if the expression was refused. Anything else that compile() may do is a fault. */
export function compiled(env: (typeof environments)[number], source: string): Program | undefined {
  try {
    return env.compile(source);
  } catch (fault) {
    if (fault instanceof CompileError && fault.issues.length > 0 && fault.issues.every(({ line, column }) => line >= 1 && column >= 1))
      return undefined;
    throw fault;
  }
}

/** Every law that an expression and its data must keep; throws with what is broken. */
export function keepsLaws(source: string, bindings: object): void {
  for (const env of environments) {
    const program = compiled(env, source);
    if (program === undefined) continue;
    printsBack(env, program);
    evaluates(program, bindings, env !== environments[2]);
  }
}

function printsBack(env: (typeof environments)[number], program: Program): void {
  const printed = print(program.ast);
  const again = compiled(env, printed);
  if (again === undefined) throw new Error(`what was printed does not compile: ${printed}`);
  if (!sameTree(program.ast.root, again.ast.root)) throw new Error(`what was printed is another expression: ${printed}`);
}

function evaluates(program: Program, bindings: object, checked: boolean): void {
  for (const budget of [defaultBudget, 20]) {
    const outcome = program.evaluate(bindings, { budget });
    if (outcome.kind === "error" && outcome.code === "internal") throw new Error(`evaluation broke: ${outcome.message}`);
    if (outcome.cost > budget || outcome.cost < 0 || !Number.isInteger(outcome.cost))
      throw new Error(`cost ${outcome.cost} within a budget of ${budget}`);
    if (checked && outcome.kind === "value" && !fits(outcome.celValue, program.checked.type))
      throw new Error(`a ${kindOf(outcome.celValue)} for the type ${program.type}`);
    const observed = program.evaluate(bindings, { budget, explain: true });
    if (observed.kind !== outcome.kind || observed.cost !== outcome.cost)
      throw new Error(`explained it is ${observed.kind} at ${observed.cost}, else ${outcome.kind} at ${outcome.cost}`);
  }
  for (const path of program.references) program.evaluate(bindings, { unknowns: [path] });
}

/** Whether a value is of a type: what the checker promised. */
function fits(value: Value, type: Type, depth = 0): boolean {
  const kind = kindOf(value);
  if (depth > 20 || value === null) return true; // null is a value of many types
  switch (type.kind) {
    case "dyn":
    case "param":
    case "error":
      return true;
    case "list":
      return kind === "list" && (value as unknown[]).every((item) => fits(adapt(item), type.params[0]!, depth + 1));
    case "map":
      return (
        kind === "map" &&
        mapKeys(value as object).every(
          (key) => fits(key, type.params[0]!, depth + 1) && fits(getEntry(value as object, key)!, type.params[1]!, depth + 1),
        )
      );
    case "opaque":
      if (type.name !== "optional_type") return kind === "opaque" && (value as Opaque).typeName === type.name;
      return value instanceof Optional && (value.value === undefined || fits(value.value, type.params[0]!, depth + 1));
    default:
      return kind === type.kind;
  }
}

export function sameTree(a: Expr, b: Expr): boolean {
  if (a.kind !== b.kind || shape(a) !== shape(b)) return false;
  if (a.kind === "literal" && b.kind === "literal")
    return kindOf(a.value) === kindOf(b.value) && (equals(a.value, b.value, { work: () => undefined }) || Number.isNaN(Number(a.value)));
  const [left, right] = [children(a), children(b)];
  return left.length === right.length && left.every((child, i) => sameTree(child, right[i]!));
}

function shape(node: Expr): string {
  switch (node.kind) {
    case "ident":
      return node.name;
    case "select":
      return `${node.field} ${node.test}`;
    case "call":
      return `${node.name} ${node.target !== undefined}`;
    case "list":
      return node.optional.join();
    case "map":
      return node.entries.map(({ optional }) => optional).join();
    case "struct":
      return `${node.name} ${node.fields.map(({ name, optional }) => name + String(optional)).join()}`;
    case "comprehension":
      return [node.shape, node.variable, node.variable2, node.accumulator].join(" ");
    case "literal":
      return "";
  }
}
