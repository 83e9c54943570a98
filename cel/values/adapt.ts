import { CelError, CelObject, Double, Uint, type Value } from "./values.ts";
import { maxInt, minInt } from "./numbers.ts";
import { Timestamp } from "./time.ts";

/**
 * Takes one JavaScript value in as CEL sees it, without copying: integral numbers are ints, other numbers doubles, a Date a
 * timestamp, a Uint8Array bytes, a Set a list, undefined null. Objects and arrays stay as they are; what they hold is adapted
 * when it is read. Adapting twice changes nothing. Functions and symbols become an error value.
 */
export function adapt(raw: unknown): Value {
  switch (typeof raw) {
    case "string":
    case "boolean":
      return raw;
    case "number":
      return Number.isSafeInteger(raw) ? raw + 0 : wideNumber(raw);
    case "object":
      return raw === null || Array.isArray(raw) || raw instanceof CelObject ? raw : adaptObject(raw);
    case "undefined":
      return null;
    case "bigint":
      return adaptBigint(raw);
    default:
      return new CelError(`unsupported value: a ${typeof raw}`);
  }
}

function adaptObject(raw: object): Value {
  const prototype = Object.getPrototypeOf(raw) as unknown;
  if (prototype === Object.prototype || prototype === null) return raw;
  if (raw instanceof Date) {
    const time = raw.getTime();
    return Number.isNaN(time) ? new CelError("invalid Date") : Timestamp.fromMillis(time);
  }
  if (raw instanceof Set) return [...raw];
  return raw;
}

/** An integral number beyond 2^53 is still an int while int64 can hold it, as Kubernetes reads JSON. */
function wideNumber(raw: number): Value {
  if (!Number.isInteger(raw) || raw >= 2 ** 63 || raw < -(2 ** 63)) return new Double(raw);
  return BigInt(raw);
}

function adaptBigint(raw: bigint): Value {
  if (raw >= BigInt(Number.MIN_SAFE_INTEGER) && raw <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(raw);
  if (raw >= minInt && raw <= maxInt) return raw;
  return raw > 0n && raw < 2n ** 64n ? new Uint(raw) : new CelError("integer overflow");
}
