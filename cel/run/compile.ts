import type { Checked } from "../check/checked.ts";
import type { Type } from "../check/types.ts";
import type { Call, Expr, List, MapLiteral } from "../syntax/ast.ts";
import { listCreateCost, mapCreateCost } from "../cost/actual.ts";
import { CelMap, keyText } from "../values/maps.ts";
import { CelError, Optional, isAbnormal, kindOf, type Value } from "../values/values.ts";
import { planAttribute, resolveAttribute } from "./attributes.ts";
import { planCall } from "./calls.ts";
import { planFold } from "./folds.ts";
import { overBudget, type Eval } from "./frame.ts";
import { SlotTable } from "./scope.ts";

/** A node made ready to run. A constant costs nothing, and is known before anything runs. */
export interface Plan {
  run: Eval;
  constant?: { value: Value };
}

export interface CompileOptions {
  /** Records values and finds unknown inputs: slower, so a program has this form made only when it is asked for. */
  observe: boolean;
  /** Computes conversions of constants beforehand, as Kubernetes does; their errors are reported by `refuse`. */
  optimize: boolean;
  /** has(x.a) and x.?a on something that has no fields: an error, or, as in Kubernetes, just absent. */
  strictPresence: boolean;
  refuse: (node: Expr, message: string) => void;
  /** What a host variable is declared as. */
  variableType: (name: string) => Type | undefined;
}

/** Turns a checked tree into closures: each node becomes one function that gives its value and counts its cost. */
export class Compiler {
  readonly checked: Checked;
  readonly options: CompileOptions;
  readonly slots = new SlotTable();

  constructor(checked: Checked, options: CompileOptions) {
    this.checked = checked;
    this.options = options;
  }

  plan(node: Expr): Plan {
    const plan = this.#plan(node);
    if (!this.options.observe) return plan;
    const { run } = plan;
    const { id } = node;
    const observed: Eval = (frame) => {
      const value = run(frame);
      frame.trace?.set(id, value);
      return value;
    };
    return { ...plan, run: observed };
  }

  variableType(name: string): Type | undefined {
    return this.options.variableType(name);
  }

  run(node: Expr): Eval {
    return this.plan(node).run;
  }

  #plan(node: Expr): Plan {
    const reference = this.checked.referenceOf(node);
    if (reference?.kind === "constant") return constant(reference.value);
    switch (node.kind) {
      case "literal":
        return constant(node.value);
      case "list":
        return this.#list(node);
      case "map":
        return this.#map(node);
      case "comprehension":
        return { run: planFold(this, node) };
      case "struct":
        return { run: () => new CelError(`message literals like ${node.name}{...} are not available`, node.id) };
      case "ident":
      case "select":
        return { run: resolveAttribute(this, planAttribute(this, node)!, node, true) };
      case "call": {
        const attribute = planAttribute(this, node);
        return attribute ? { run: resolveAttribute(this, attribute, node, true) } : planCall(this, node as Call);
      }
    }
  }

  #list(node: List): Plan {
    const plans = node.elements.map((element) => this.plan(element));
    if (node.optional.length === 0 && plans.every((plan) => plan.constant)) return constant(plans.map((plan) => plan.constant!.value));
    const runs = plans.map((plan) => plan.run);
    const optional = new Set(node.optional);
    const { id } = node;
    return {
      run: (frame) => {
        const made: Value[] = [];
        let abnormal: Value | undefined;
        for (let i = 0; i < runs.length && abnormal === undefined; i++) {
          const value = runs[i]!(frame);
          if (isAbnormal(value)) abnormal = value;
          else if (!optional.has(i)) made.push(value);
          else if (!(value instanceof Optional))
            abnormal = new CelError(`cannot initialize an optional list element from a value of kind ${kindOf(value)}`, id);
          else if (value.value !== undefined) made.push(value.value);
        }
        frame.allocate(made.length);
        if ((frame.cost += listCreateCost) > frame.budget) overBudget(id);
        return abnormal ?? made;
      },
    };
  }

  #map(node: MapLiteral): Plan {
    const entries = node.entries.map(({ key, value, optional }) => ({ key: this.plan(key), value: this.plan(value), optional }));
    const { id } = node;
    if (entries.every(({ key, value, optional }) => key.constant && value.constant && !optional)) {
      const made = mapOf(
        entries.map(({ key, value }) => [key.constant!.value, value.constant!.value]),
        id,
      );
      return made instanceof CelError ? { run: () => made } : constant(made);
    }
    const runs = entries.map(({ key, value, optional }) => ({ key: key.run, value: value.run, optional }));
    return {
      run: (frame) => {
        const pairs: [Value, Value][] = [];
        let abnormal: Value | undefined;
        for (const run of runs) {
          const key = run.key(frame);
          if (isAbnormal(key)) abnormal = key;
          if (abnormal) break;
          const value = run.value(frame);
          if (isAbnormal(value)) abnormal = value;
          else if (!run.optional) pairs.push([key, value]);
          else if (!(value instanceof Optional))
            abnormal = new CelError(`cannot initialize an optional entry from a value of kind ${kindOf(value)}`, id);
          else if (value.value !== undefined) pairs.push([key, value.value]);
          if (abnormal) break;
        }
        frame.allocate(pairs.length);
        if ((frame.cost += mapCreateCost) > frame.budget) overBudget(id);
        return abnormal ?? mapOf(pairs, id);
      },
    };
  }
}

export const constant = (value: Value): Plan => ({ run: () => value, constant: { value } });

function mapOf(pairs: readonly (readonly [Value, Value])[], node: number): CelMap | CelError {
  const made = new CelMap();
  for (const [key, value] of pairs) {
    const kind = kindOf(key);
    if (kind === "double" || kind === "null") return new CelError(`unsupported key type: ${kind}`, node);
    const added = made.add(key, value);
    if (added instanceof CelError) return added;
    if (!added) return new CelError(`Failed with repeated key: ${keyText(key)}`, node);
  }
  return made;
}
