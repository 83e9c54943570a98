import { noSuchOverload } from "../library/operators.ts";
import { Unknown, isAbnormal, mergeUnknowns, type Value } from "../values/values.ts";
import type { Eval } from "./frame.ts";

/** `&&`: false decides, whatever the other side is; else what is unknown outweighs an error. Costs nothing. */
export const conjunction =
  (left: Eval, right: Eval, node: number): Eval =>
  (frame) => {
    const a = left(frame);
    if (a === false) return false;
    const b = right(frame);
    if (a === true && typeof b === "boolean") return b;
    return and(a, b, node);
  };

export const disjunction =
  (left: Eval, right: Eval, node: number): Eval =>
  (frame) => {
    const a = left(frame);
    if (a === true) return true;
    const b = right(frame);
    if (a === false && typeof b === "boolean") return b;
    return or(a, b, node);
  };

export function and(a: Value, b: Value, node: number): Value {
  if (a === false || b === false) return false;
  return a === true && b === true ? true : undecided("_&&_", a, b, node);
}

export function or(a: Value, b: Value, node: number): Value {
  if (a === true || b === true) return true;
  return a === false && b === false ? false : undecided("_||_", a, b, node);
}

function undecided(name: string, a: Value, b: Value, node: number): Value {
  const unknown = [a, b].filter((value) => value instanceof Unknown);
  if (unknown.length > 0) return unknown.reduce<Unknown | undefined>(mergeUnknowns, undefined)!;
  const error = [a, b].find((value) => typeof value !== "boolean")!;
  if (isAbnormal(error)) return error;
  const fault = noSuchOverload(name, [a, b]);
  fault.node = node;
  return fault;
}
