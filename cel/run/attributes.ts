import type { Expr } from "../syntax/ast.ts";
import { CelError, CelObject, Optional, Unknown, isAbnormal, none, typeNameOf, type Value } from "../values/values.ts";
import { dyn } from "../check/types.ts";
import type { Compiler } from "./compile.ts";
import { overBudget, type Eval, type Frame } from "./frame.ts";
import { hasFields, isPlain, located, lookUp, readField } from "./look-up.ts";
import { readBinding } from "./scope.ts";

/**
 * A variable, or a value, and what is read below it: `a.b[c].?d`. cel-go evaluates such a chain as one unit, and its cost
 * model follows: 1 for the chain, 1 for each step taken (interpreter/attributes.go).
 */
export interface Attribute {
  base: Eval;
  /** The host's variable it begins with: what is unknown is known by it. */
  root: string | undefined;
  /** A condition has no cost of its own: only its test and its branch do. */
  conditional: boolean;
  steps: Step[];
}

interface Step {
  key: { value: Value } | { run: Eval };
  optional: boolean;
  /** Asks only whether the key is there: has(). */
  test: boolean;
  /** What has no fields at all is an error even where a field may be missing. */
  strict: boolean;
  node: number;
}

/** The chain that a node is, or undefined if it is none. */
export function planAttribute(compiler: Compiler, node: Expr): Attribute | undefined {
  const reference = compiler.checked.referenceOf(node);
  if (reference?.kind === "variable" || reference?.kind === "local" || reference?.kind === "undeclared") {
    if (node.kind !== "call") return variable(compiler, node, reference);
  }
  if (node.kind === "select")
    return withStep(compiler, node.operand, {
      key: { value: node.field },
      optional: false,
      test: node.test,
      strict: compiler.options.strictPresence,
      node: node.id,
    });
  if (node.kind !== "call" || node.target !== undefined) return undefined;
  switch (node.name) {
    case "_[_]":
    case "_[?_]":
    case "_?._":
      return withStep(compiler, node.args[0]!, {
        key: indexKey(compiler, node.args[1]!),
        optional: node.name !== "_[_]",
        test: false,
        strict: compiler.options.strictPresence,
        node: node.id,
      });
    case "_?_:_":
      return conditional(compiler, node.args as [Expr, Expr, Expr]);
    default:
      return undefined;
  }
}

/** The chain as a function. `counted`: as a node of its own, not as a branch or an index, which costs 1 less. */
export function resolveAttribute(compiler: Compiler, attribute: Attribute, node: Expr, counted: boolean): Eval {
  const { steps, conditional: free } = attribute;
  const tests = steps.at(-1)?.test === true;
  const own = counted && !free ? 1 : 0;
  const charge = tests && counted ? own - 1 : own;
  const read = compiler.options.observe ? observed(attribute) : steps.length === 0 ? attribute.base : walk(attribute);
  if (charge === 0) return read;
  const { id } = node;
  return (frame) => {
    const value = read(frame);
    if ((frame.cost += charge) > frame.budget) overBudget(id);
    return value;
  };
}

function variable(compiler: Compiler, node: Expr, reference: { kind: string; name: string }): Attribute {
  const { id } = node;
  if (reference.kind === "undeclared") {
    const missing = `no such attribute(s): ${reference.name}`;
    return { base: () => new CelError(missing, id), root: undefined, conditional: false, steps: [] };
  }
  if (reference.kind === "local") {
    const { slot, init } = compiler.slots.local(reference.name);
    const base: Eval = init ? (frame) => (frame.slots[slot] ??= init(frame)) : (frame) => frame.slots[slot]!;
    return { base, root: undefined, conditional: false, steps: [] };
  }
  const { name } = reference;
  const slot = compiler.slots.global(name);
  const type = compiler.variableType(name) ?? dyn;
  const base: Eval = (frame) => (frame.slots[slot] ??= located(readBinding(frame, name, type), id));
  return { base, root: name, conditional: false, steps: [] };
}

function withStep(compiler: Compiler, operand: Expr, step: Step): Attribute {
  const ends = isConstant(compiler, operand) || (operand.kind === "select" && operand.test);
  const inner = ends ? undefined : planAttribute(compiler, operand);
  const attribute = inner ?? { base: compiler.run(operand), root: undefined, conditional: false, steps: [] };
  attribute.steps.push(step);
  return attribute;
}

const isConstant = (compiler: Compiler, node: Expr): boolean => compiler.checked.referenceOf(node)?.kind === "constant";

function indexKey(compiler: Compiler, index: Expr): Step["key"] {
  const attribute = isConstant(compiler, index) ? undefined : planAttribute(compiler, index);
  if (attribute) return { run: resolveAttribute(compiler, attribute, index, false) };
  const plan = compiler.plan(index);
  if (plan.constant) return plan.constant;
  return { run: plan.run };
}

function conditional(compiler: Compiler, [test, then, otherwise]: [Expr, Expr, Expr]): Attribute {
  const testRun = compiler.run(test);
  const branch = (node: Expr): Eval => {
    const attribute = isConstant(compiler, node) ? undefined : planAttribute(compiler, node);
    return attribute ? resolveAttribute(compiler, attribute, node, false) : compiler.run(node);
  };
  const [thenRun, otherwiseRun] = [branch(then), branch(otherwise)];
  const { id } = test;
  const base: Eval = (frame) => {
    const value = testRun(frame);
    if (value === true) return thenRun(frame);
    if (value === false) return otherwiseRun(frame);
    return isAbnormal(value) ? value : new CelError(`no such overload: the condition is a ${typeNameOf(value)}`, id);
  };
  return { base, root: undefined, conditional: true, steps: [] };
}

function walk({ base, steps }: Attribute): Eval {
  const fields = steps.map(({ key, optional }) => ("value" in key && typeof key.value === "string" && !optional ? key.value : undefined));
  if (!fields.every((field) => field !== undefined)) return (frame) => take(frame, base(frame), steps, 0);
  const last = steps.length - 1;
  const tests = steps[last]!.test;
  if (fields.length === 1 && !tests) return oneField(base, fields[0]!, steps);
  const nodes = steps.map(({ node }) => node);
  const count = tests ? last : fields.length;
  return (frame) => {
    let value = base(frame);
    for (let i = 0; i < count; i++) {
      if (value instanceof CelObject) {
        if (isAbnormal(value)) return value;
        if (value instanceof Optional) return take(frame, value, steps, i);
      }
      value = readField(value, fields[i]!, nodes[i]!);
      if (++frame.cost > frame.budget) overBudget(nodes[i]!);
    }
    if (!tests) return value;
    if (!isPlain(value)) return take(frame, value, steps, last);
    if (++frame.cost > frame.budget) overBudget(nodes[last]!);
    return Object.hasOwn(value, fields[last]!) && (value as Record<string, unknown>)[fields[last]!] !== undefined;
  };
}

/** The commonest chain by far, unrolled. */
function oneField(base: Eval, field: string, steps: readonly Step[]): Eval {
  const { node } = steps[0]!;
  return (frame) => {
    const operand = base(frame);
    if (operand instanceof CelObject && (operand instanceof Optional || isAbnormal(operand))) return take(frame, operand, steps, 0);
    const value = readField(operand, field, node);
    if (++frame.cost > frame.budget) overBudget(node);
    return value;
  };
}

/** Takes the steps from a value on. Below an optional every step is one that may find nothing. */
function take(
  frame: Frame,
  start: Value,
  steps: readonly Step[],
  from: number,
  visit?: (step: Step, key: Value, value: Value) => Value,
): Value {
  let value = start;
  let optional = false;
  for (let i = from; i < steps.length; i++) {
    const step = steps[i]!;
    if (value instanceof Optional) {
      optional = true;
      if (value.value === undefined) return steps.at(-1)!.test ? false : value;
      value = value.value;
    }
    if (isAbnormal(value)) return value;
    optional ||= step.optional;
    const key = "value" in step.key ? step.key.value : step.key.run(frame);
    if (isAbnormal(key)) {
      if (!optional && ++frame.cost > frame.budget) overBudget(step.node);
      return key;
    }
    let found = lookUp(value, key, step.node, (optional || step.test) && !(step.strict && !hasFields(value)));
    if (found === undefined && optional && !step.test) return steps.at(-1)!.test ? false : none;
    if (++frame.cost > frame.budget) overBudget(step.node);
    if (visit && found !== undefined) found = visit(step, key, found);
    if (step.test) return found !== undefined && isAbnormal(found) ? found : found !== undefined;
    value = found!;
  }
  return optional && !isAbnormal(value) ? new Optional(value) : value;
}

/** The observed form: records what each step gives, and stops at what is unknown. */
function observed({ base, root, steps }: Attribute): Eval {
  return (frame) => {
    if (root === undefined || frame.unknowns.length === 0)
      return take(frame, base(frame), steps, 0, (step, _key, value) => {
        frame.trace?.set(step.node, value);
        return value;
      });
    const path = [root];
    for (const { key } of steps) {
      const value = "value" in key ? key.value : undefined;
      if (value === undefined) break; // what a computed key reads is seen by its own chain
      path.push(String(value));
    }
    const hidden = frame.unknowns.filter(({ segments }) =>
      segments.every((segment, i) => i >= path.length || segment === path[i] || segment === "*"),
    );
    if (hidden.length > 0) return new Unknown(hidden.map(({ text }) => text));
    return take(frame, base(frame), steps, 0, (step, _key, value) => {
      frame.trace?.set(step.node, value);
      return value;
    });
  };
}
