import { CelError, Incomparable, type Opaque, type Optional, type TypeValue, kindOf, type Value } from "./values.ts";
import { adapt } from "./adapt.ts";
import { KeyedList } from "./keyed-list.ts";
import { getEntry, mapKeys, mapSize } from "./maps.ts";
import { compareNumbers, isNumber } from "./numbers.ts";
import { Duration, Timestamp } from "./time.ts";

/** Nesting of data that equality and traversal go into; deeper data is an error, never a stack overflow. */
export const maxDataDepth = 1000;

/** Counts the steps of a comparison: values may share parts so often that walking them never ends. */
export interface Meter {
  work(steps: number): void;
}

/**
 * CEL equality: total over values, numbers compared across types, NaN unequal to itself, values of different kinds unequal.
 * Throws Incomparable on data nested beyond `maxDataDepth` and on sets of what is no scalar, and what the meter throws.
 */
export function equals(a: Value, b: Value, meter: Meter, depth = 0): boolean {
  if (a === b) return true;
  if (typeof a === "string" || typeof b === "string" || typeof a === "boolean" || typeof b === "boolean") return false;
  if (isNumber(a)) return isNumber(b) && compareNumbers(a, b) === 0;
  if (a === null || b === null || isNumber(b)) return false;
  if (depth > maxDataDepth) throw new Incomparable("data is nested too deeply to compare");
  const kind = kindOf(a);
  return kind === kindOf(b) && sameObject(kind, a as object, b as object, meter, depth + 1);
}

/** equals() as a CEL value: an error if the data cannot be compared. */
export const equalsValue = (a: Value, b: Value, meter: Meter): Value => comparing(() => equals(a, b, meter));

/** Runs something that compares values; Incomparable becomes an error value. */
export function comparing(action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    if (error instanceof Incomparable) return new CelError(error.message);
    throw error;
  }
}

function sameObject(kind: string, a: object, b: object, meter: Meter, depth: number): boolean {
  switch (kind) {
    case "list": {
      const left = a as unknown[];
      const right = b as unknown[];
      if (left.length !== right.length) return false;
      meter.work(left.length + 2);
      if (left instanceof KeyedList) return left.sameAs(right, (one, other) => equals(one, other, meter, depth));
      for (let i = 0; i < left.length; i++) if (!equals(adapt(left[i]), adapt(right[i]), meter, depth)) return false;
      return true;
    }
    case "map": {
      const size = mapSize(a);
      if (size !== mapSize(b)) return false;
      meter.work(size + 2);
      for (const key of mapKeys(a)) {
        const other = getEntry(b, key);
        if (other === undefined || !equals(getEntry(a, key)!, other, meter, depth)) return false;
      }
      return true;
    }
    case "bytes":
      return compareBytes(a as Uint8Array, b as Uint8Array) === 0;
    case "timestamp":
    case "duration":
      return (a as Timestamp | Duration).nanos === (b as Timestamp | Duration).nanos;
    case "type":
      return (a as TypeValue).name === (b as TypeValue).name;
    case "optional": {
      const left = (a as Optional).value;
      const right = (b as Optional).value;
      return left === undefined || right === undefined ? left === right : equals(left, right, meter, depth);
    }
    case "opaque":
      return (a as Opaque).typeName === (b as Opaque).typeName && (a as Opaque).equals(b as Opaque);
    default:
      return false;
  }
}

/** Orders two values of kinds that CEL orders; undefined if it orders them not. NaN compares as NaN. */
export function compareValues(a: Value, b: Value): number | undefined {
  if (typeof a === "string") return typeof b === "string" ? compareStrings(a, b) : undefined;
  if (typeof a === "boolean") return typeof b === "boolean" ? Number(a) - Number(b) : undefined;
  if (isNumber(a)) return isNumber(b) ? compareNumbers(a, b) : undefined;
  if (a instanceof Timestamp && b instanceof Timestamp) return compareBigints(a.nanos, b.nanos);
  if (a instanceof Duration && b instanceof Duration) return compareBigints(a.nanos, b.nanos);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  return undefined;
}

/** By code point, as Go orders UTF-8; JavaScript's own order differs beyond the basic plane. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return surrogateLast(left) - surrogateLast(right);
  }
  return a.length - b.length;
}

const surrogateLast = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

const compareBigints = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
