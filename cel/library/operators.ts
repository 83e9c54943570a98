import { CelError, type Value, typeNameOf } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import type { Implementation } from "../check/functions.ts";
import { comparing, compareValues, equals } from "../values/compare.ts";
import { KeyedList } from "../values/keyed-list.ts";
import { arithmetic, negate, type Operator } from "../values/numbers.ts";
import { getEntry } from "../values/maps.ts";
import { Duration, Timestamp, durationOf, timestampOf } from "../values/time.ts";

/** No form of this operator or function takes such values. */
export const noSuchOverload = (name: string, values: readonly Value[]): CelError =>
  new CelError(`no such overload: ${name}(${values.map(typeNameOf).join(", ")})`);

export const plus: Implementation = ([a, b], context) => {
  if (typeof a === "string" && typeof b === "string") {
    context.allocate(a.length + b.length);
    return a + b;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    context.allocate(a.length + b.length);
    return a instanceof KeyedList ? comparing(() => a.merge(b)) : (a as unknown[]).concat(b);
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    context.allocate(a.length + b.length);
    const joined = new Uint8Array(a.length + b.length);
    joined.set(a);
    joined.set(b, a.length);
    return joined;
  }
  return sum(a!, b!) ?? numeric("+", a!, b!);
};

export const minus: Implementation = ([a, b]) => {
  if (a instanceof Timestamp && b instanceof Timestamp) return durationOf(a.nanos - b.nanos);
  if (a instanceof Timestamp && b instanceof Duration) return timestampOf(a.nanos - b.nanos, a.offsetMinutes);
  if (a instanceof Duration && b instanceof Duration) return durationOf(a.nanos - b.nanos);
  return numeric("-", a!, b!);
};

export const times: Implementation = ([a, b]) => numeric("*", a!, b!);
export const quotient: Implementation = ([a, b]) => numeric("/", a!, b!);
export const remainder: Implementation = ([a, b]) => numeric("%", a!, b!);
export const negated = (value: Value): Value => negate(value) ?? noSuchOverload("-_", [value]);

/** An ordering operator, from the test that the sign of the comparison must pass; NaN passes none. */
export const order =
  (test: (sign: number) => boolean): Implementation =>
  ([a, b]) => {
    const sign = compareValues(a!, b!);
    return sign === undefined ? noSuchOverload("_<_", [a!, b!]) : test(sign);
  };

export const isIn: Implementation = ([item, container], context) => {
  if (!Array.isArray(container)) return getEntry(container as object, item!) !== undefined;
  context.work(container.length);
  return comparing(() => container.some((candidate) => equals(adapt(candidate), item!, context)));
};

const numeric = (operator: Operator, a: Value, b: Value): Value => arithmetic(operator, a, b) ?? noSuchOverload(`_${operator}_`, [a, b]);

function sum(a: Value, b: Value): Value | undefined {
  if (a instanceof Duration) {
    if (b instanceof Duration) return durationOf(a.nanos + b.nanos);
    return b instanceof Timestamp ? timestampOf(a.nanos + b.nanos, b.offsetMinutes) : undefined;
  }
  return a instanceof Timestamp && b instanceof Duration ? timestampOf(a.nanos + b.nanos, a.offsetMinutes) : undefined;
}
