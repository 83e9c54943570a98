import type { Checked } from "./check/checked.ts";
import { check } from "./check/checker.ts";
import type { Scope } from "./check/scope.ts";
import { estimateCost, type CostEstimate } from "./cost/estimate.ts";
import { Compiler } from "./run/compile.ts";
import { explain, type Explained } from "./run/explain.ts";
import { Exhausted, Frame, type Eval, type UnknownPattern } from "./run/frame.ts";
import { referencesOf } from "./run/references.ts";
import { printNode } from "./syntax/print.ts";
import { findNode } from "./syntax/walk.ts";
import { CompileError, placeOf, type Ast, type Expr, type Issue, type Place } from "./syntax/ast.ts";
import { CelError, Unknown, type Value } from "./values/values.ts";
import { toPlain } from "./values/plain.ts";

export interface EvaluateOptions {
  /** Cost units that may be spent; by default `defaultBudget`. */
  budget?: number;
  /** The time that `now()` and host functions see. */
  now?: Date;
  /** Also gives the value of every sub-expression that was evaluated. */
  explain?: boolean;
  /** Inputs not known yet, like `object.status` or `params`; what hangs on one of them is unknown, not an error. */
  unknowns?: readonly string[];
}

/** What came of an evaluation. `cost` is in Kubernetes' units; `explanation` is there if it was asked for. */
export type Outcome = (
  | { kind: "value"; value: unknown; celValue: Value }
  | ({ kind: "error"; message: string; code: "evaluation" | "cost" | "allocation" | "work" | "internal"; expression: string } & Place)
  | { kind: "unknown"; on: readonly string[] }
) & { cost: number; explanation?: readonly Explained[] };

/** Kubernetes' limit for one call (apiserver pkg/apis/cel). */
export const defaultBudget = 1_000_000;

/** A compiled expression: made once, evaluated any number of times. */
export class Program {
  readonly source: string;
  readonly ast: Ast;
  readonly #checked: Checked;
  readonly #optimize: boolean;
  readonly #variableType: Scope["options"]["variables"];
  readonly #fast: Runner;
  #observed: Runner | undefined;

  /** Throws CompileError if the expression does not check. */
  constructor(ast: Ast, scope: Scope, optimize: boolean) {
    const checked = check(ast, scope);
    if (Array.isArray(checked)) throw new CompileError(checked);
    this.ast = ast;
    this.source = ast.source;
    this.#checked = checked;
    this.#optimize = optimize;
    this.#variableType = scope.options.variables;
    this.#fast = this.#runner(false);
  }

  /** The type of the result, like `list(string)`. */
  get type(): string {
    return String(this.#checked.type);
  }

  /** What evaluating will cost, by what is known of the sizes of its inputs; max is Infinity where nothing is. */
  get cost(): CostEstimate {
    return estimateCost(this.#checked);
  }

  /** The inputs it reads, as paths: `object.spec.containers[].image`. */
  get references(): readonly string[] {
    return referencesOf(this.#checked);
  }

  get checked(): Checked {
    return this.#checked;
  }

  /** Evaluates against variables by name. Gives a value or an error, always: it does not throw, and ends within its budget. */
  evaluate(bindings: object = {}, options: EvaluateOptions = {}): Outcome {
    const { budget = defaultBudget, now, unknowns } = options;
    const observe = options.explain === true || (unknowns !== undefined && unknowns.length > 0);
    const runner = observe ? (this.#observed ??= this.#runner(true)) : this.#fast;
    const trace = options.explain ? new Map<number, Value>() : undefined;
    const nanos = now && !Number.isNaN(now.getTime()) ? BigInt(now.getTime()) * 1_000_000n : undefined;
    const frame = new Frame(budget, runner.slots, bindings, nanos, unknowns?.map(patternOf), trace);
    const outcome = this.#outcome(runner.run, frame);
    return trace ? { ...outcome, explanation: explain(this.ast, trace) } : outcome;
  }

  #outcome(run: Eval, frame: Frame): Outcome {
    try {
      const value = run(frame);
      if (value instanceof CelError)
        return { kind: "error", code: "evaluation", message: value.message, ...this.#locate(value.node), cost: frame.cost };
      if (value instanceof Unknown) return { kind: "unknown", on: value.paths, cost: frame.cost };
      return { kind: "value", value: toPlain(value), celValue: value, cost: frame.cost };
    } catch (fault) {
      if (fault instanceof Exhausted)
        return {
          kind: "error",
          code: fault.what,
          message: exhausted[fault.what],
          ...this.#locate(fault.node),
          cost: Math.min(frame.cost, frame.budget),
        };
      const message = fault instanceof Error ? fault.message : String(fault);
      return { kind: "error", code: "internal", message, ...this.#locate(undefined), cost: frame.cost };
    }
  }

  #locate(id: number | undefined): Place & { expression: string } {
    const node = id ? findNode(this.ast.root, id) : undefined;
    return { ...placeOf(this.source, (node ?? this.ast.root).at), expression: excerpt(this.ast, node ?? this.ast.root) };
  }

  #runner(observe: boolean): Runner {
    const issues: Issue[] = [];
    const refuse = (node: Expr, message: string): void => void issues.push({ ...placeOf(this.source, node.at), message });
    const variableType = (name: string) => this.#variableType.get(name);
    const compiler = new Compiler(this.#checked, {
      observe,
      optimize: this.#optimize,
      strictPresence: !this.#optimize,
      refuse,
      variableType,
    });
    const run = compiler.run(this.ast.root);
    if (issues.length > 0) throw new CompileError(issues);
    return { run, slots: compiler.slots.size };
  }
}

interface Runner {
  run: Eval;
  slots: number;
}

const exhausted = {
  cost: "the cost budget is used up",
  allocation: "too much memory would be allocated",
  work: "too many steps were needed",
};

function patternOf(text: string): UnknownPattern {
  return { text, segments: text.replaceAll(/\[(\w*)\]/g, (_, index: string) => `.${index || "*"}`).split(".") };
}

function excerpt(ast: Ast, node: Expr): string {
  const text = printNode(ast, node);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}
