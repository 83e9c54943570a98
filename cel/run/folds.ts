import type { Call, Comprehension, Expr, List } from "../syntax/ast.ts";
import { listCreateCost } from "../cost/actual.ts";
import { noSuchOverload } from "../library/operators.ts";
import { adapt } from "../values/adapt.ts";
import { CelMap, getEntry, keyText, mapKeys } from "../values/maps.ts";
import { CelError, isAbnormal, kindOf, typeNameOf, type Value } from "../values/values.ts";
import type { Compiler } from "./compile.ts";
import { overBudget, type Eval, type Frame } from "./frame.ts";
import { and, or } from "./logic.ts";

/**
 * Runs a macro as the loop it stands for, at the cost that its expansion has: each read of the accumulator 1, each operator
 * on it 1, a list of one element 10 (see syntax/macros.ts for the expansions).
 */
export function planFold(compiler: Compiler, node: Comprehension): Eval {
  if (node.shape === "bind") return planBind(compiler, node);
  const range = compiler.run(node.range);
  const slots = compiler.slots;
  const first = slots.enter(node.variable);
  const second = node.variable2 ? slots.enter(node.variable2) : -1;
  const body = planBody(compiler, node);
  slots.leave(second < 0 ? 1 : 2);
  return (frame) => {
    const over = range(frame);
    if (isAbnormal(over)) return over;
    const state = body.start();
    const problem = iterate(over, second >= 0, node.id, (key, value) => {
      frame.work(1);
      frame.slots[first] = key;
      if (second >= 0) frame.slots[second] = value;
      return body.step(frame, state);
    });
    if (problem) return problem;
    if ((frame.cost += body.resultCost) > frame.budget) overBudget(node.id);
    return body.result(state);
  };
}

interface State {
  value: Value;
  list: Value[];
  map: CelMap;
}

interface Body {
  start(): State;
  /** One element; false ends the loop. */
  step(frame: Frame, state: State): boolean;
  result(state: State): Value;
  resultCost: number;
}

function planBody(compiler: Compiler, node: Comprehension): Body {
  switch (node.shape) {
    case "all":
    case "exists":
      return quantifier(compiler, node, node.shape === "all");
    case "existsOne":
      return exactlyOne(compiler, node);
    default:
      return builder(compiler, node);
  }
}

const fresh = (value: Value): State => ({ value, list: [], map: new CelMap() });

function quantifier(compiler: Compiler, node: Comprehension, all: boolean): Body {
  const test = compiler.run((node.step as Call).args[1]!);
  const { id } = node;
  const conditionCost = all ? 2 : 3;
  return {
    start: () => fresh(all),
    step: (frame, state) => {
      if ((frame.cost += conditionCost) > frame.budget) overBudget(id);
      if (state.value === !all) return false;
      if (++frame.cost > frame.budget) overBudget(id);
      const value = test(frame);
      if (state.value === all && typeof value === "boolean") state.value = value;
      else state.value = all ? and(state.value, value, id) : or(state.value, value, id);
      return true;
    },
    result: ({ value }) => value,
    resultCost: 1,
  };
}

function exactlyOne(compiler: Compiler, node: Comprehension): Body {
  const testNode = (node.step as Call).args[0]!;
  const test = compiler.run(testNode);
  return {
    start: () => fresh(0),
    step: (frame, state) => {
      const value = test(frame);
      if (value === true) {
        if ((frame.cost += 2) > frame.budget) overBudget(node.id);
        if (typeof state.value === "number") state.value++;
      } else if (value !== false) state.value = conditionFault(value, testNode);
      return true;
    },
    result: ({ value }) => (typeof value === "number" ? value === 1 : value),
    resultCost: 2,
  };
}

/** map, filter and the transforms: they add to a list or a map, an element each time the filter holds. */
function builder(compiler: Compiler, node: Comprehension): Body {
  const step = node.step as Call;
  const filterNode = step.name === "_?_:_" ? step.args[0] : undefined;
  const filter = filterNode && compiler.run(filterNode);
  const adding = (filterNode ? step.args[1] : step) as Call;
  const add = node.shape === "list" ? appender(compiler, node, (adding.args[1] as List).elements[0]!) : inserter(compiler, node, adding);
  return {
    start: () => fresh(true),
    step: (frame, state) => {
      if (filter) {
        const value = filter(frame);
        if (value === false) return true;
        if (value !== true) {
          state.value = conditionFault(value, filterNode);
          return true;
        }
      }
      add(frame, state);
      return true;
    },
    result: ({ value, list, map }) => (isAbnormal(value) ? value : node.shape === "list" ? list : map),
    resultCost: 1,
  };
}

function appender(compiler: Compiler, node: Comprehension, bodyNode: Expr): (frame: Frame, state: State) => void {
  const plan = compiler.plan(bodyNode);
  const cost = 2 + (plan.constant ? 0 : listCreateCost);
  return (frame, state) => {
    const value = plan.run(frame);
    if ((frame.cost += cost) > frame.budget) overBudget(node.id);
    frame.allocate(1);
    if (isAbnormal(state.value)) return;
    if (isAbnormal(value)) state.value = value;
    else state.list.push(value);
  };
}

function inserter(compiler: Compiler, node: Comprehension, adding: Call): (frame: Frame, state: State) => void {
  const insert = (state: State, key: Value, value: Value): void => {
    const added = state.map.add(key, value);
    if (added !== true)
      state.value = added instanceof CelError ? added : new CelError(`insert failed: key ${keyText(key)} already exists`, node.id);
  };
  if (node.shape === "mapEntry") {
    const entries = compiler.run(adding.args[1]!);
    return (frame, state) => {
      const value = entries(frame);
      if ((frame.cost += 2) > frame.budget) overBudget(node.id);
      frame.allocate(1);
      if (isAbnormal(state.value)) return;
      if (isAbnormal(value)) state.value = value;
      else if (kindOf(value) !== "map") state.value = noSuchOverload("cel.@mapInsert", [state.map, value]);
      else for (const key of mapKeys(value as object)) if (!isAbnormal(state.value)) insert(state, key, getEntry(value as object, key)!);
    };
  }
  const [key, value] = [compiler.run(adding.args[1]!), compiler.run(adding.args[2]!)];
  return (frame, state) => {
    if (++frame.cost > frame.budget) overBudget(node.id);
    if (isAbnormal(state.value)) return;
    const entryKey = key(frame);
    const entry = value(frame);
    frame.allocate(1);
    if (isAbnormal(entry)) {
      state.value = entry;
      return;
    }
    if (++frame.cost > frame.budget) overBudget(node.id);
    insert(state, entryKey, entry);
  };
}

function conditionFault(value: Value, node: Expr | undefined): Value {
  return isAbnormal(value) ? value : new CelError(`no such overload: the condition is a ${typeNameOf(value)}`, node?.id ?? 0);
}

/** Calls `visit` with each element (or key), or with index and element, key and value. Gives the error if there is nothing to go over. */
function iterate(over: Value, pairs: boolean, node: number, visit: (first: Value, second: Value) => boolean): CelError | undefined {
  if (Array.isArray(over)) {
    for (let i = 0; i < over.length; i++) {
      const item = adapt(over[i]);
      if (!visit(pairs ? i : item, item)) return undefined;
    }
    return undefined;
  }
  if (kindOf(over) !== "map") return new CelError(`a ${typeNameOf(over)} is no range of a comprehension`, node);
  for (const key of mapKeys(over as object)) if (!visit(key, pairs ? getEntry(over as object, key)! : null)) return undefined;
  return undefined;
}

/** cel.bind and the like: the value is made when it is first read, once. */
function planBind(compiler: Compiler, node: Comprehension): Eval {
  const init = compiler.run(node.init);
  const slot = compiler.slots.enter(node.accumulator, init);
  const result = compiler.run(node.result);
  compiler.slots.leave(1);
  return (frame) => {
    frame.slots[slot] = undefined;
    return result(frame);
  };
}
