import type { CallContext } from "../check/functions.ts";
import type { Value } from "../values/values.ts";

/** A part of the input that is declared unknown: a variable and keys below it. */
export interface UnknownPattern {
  text: string;
  segments: readonly string[];
}

const nothingUnknown: readonly UnknownPattern[] = [];

/** The state of one evaluation. Nothing outlives it, so a program can run many times, nested too. */
export class Frame implements CallContext {
  /** Units of Kubernetes' cost model spent so far. */
  cost = 0;
  allocated = 0;
  worked = 0;
  readonly budget: number;
  readonly now: bigint | undefined;
  /** Variables of the host and of comprehensions, each in its place. */
  readonly slots: (Value | undefined)[] = [];
  readonly bindings: object;
  readonly unknowns: readonly UnknownPattern[];
  /** Values by node id, when asked for. */
  readonly trace: Map<number, Value> | undefined;

  constructor(
    budget: number,
    slots: number,
    bindings: object,
    now?: bigint,
    unknowns: readonly UnknownPattern[] = nothingUnknown,
    trace?: Map<number, Value>,
  ) {
    this.budget = budget;
    this.now = now;
    for (let i = 0; i < slots; i++) this.slots.push(undefined);
    this.bindings = bindings;
    this.unknowns = unknowns;
    this.trace = trace;
  }

  /** Counts elements or characters that are about to be made; ends the evaluation beyond `maxAllocation`. */
  allocate(count: number): void {
    this.allocated += count;
    if (this.allocated > maxAllocation) throw new Exhausted("allocation", undefined);
  }

  /** Counts steps of work; ends the evaluation beyond `maxWork`. */
  work(steps: number): void {
    this.worked += steps;
    if (this.worked > maxWork) throw new Exhausted("work", undefined);
  }
}

/** Steps that cost nothing, or more than their cost: iterations, and comparisons within values. About half a second at worst. */
export const maxWork = 10_000_000;

/** List elements, map entries and characters that one evaluation may make: some hundred megabytes at worst. */
export const maxAllocation = 10_000_000;

/** What running a node does: gives its value, errors included, and counts its cost. Throws Exhausted only. */
export type Eval = (frame: Frame) => Value;

/** Ends an evaluation; no operator absorbs it. */
export class Exhausted {
  readonly what: "cost" | "allocation" | "work";
  node: number | undefined;
  constructor(what: "cost" | "allocation" | "work", node: number | undefined) {
    this.what = what;
    this.node = node;
  }
}

export function overBudget(node: number): never {
  throw new Exhausted("cost", node);
}
