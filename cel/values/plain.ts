import { CelError, CelObject, Double, Opaque, Optional, TypeValue, Uint, type Value } from "./values.ts";
import { adapt } from "./adapt.ts";
import { getEntry, mapKeys } from "./maps.ts";
import { canonicalInt } from "./numbers.ts";

/**
 * A CEL value as plain JavaScript: ints and uints as numbers (bigints beyond 2^53), bytes as Uint8Array, lists as arrays, maps
 * as objects without a prototype (as Maps if a key is no string), timestamps, durations, quantities and the like as their text, an
 * optional as its content or undefined, a type as its name. Shared parts stay shared, so the result is never larger than the value.
 */
export function toPlain(value: Value): unknown {
  if (typeof value !== "object" || value === null) return value;
  const made = new Map<object, unknown>();
  const pending: (() => void)[] = [];
  const result = plain(value, made, pending);
  // What containers hold is filled in one after another: no depth of data can exhaust the stack.
  for (let fill = pending.pop(); fill; fill = pending.pop()) fill();
  return result;
}

function plain(value: Value, made: Map<object, unknown>, pending: (() => void)[]): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (made.has(value)) return made.get(value);
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    made.set(value, list);
    pending.push(() => {
      for (const item of value) list.push(plain(adapt(item), made, pending));
    });
    return list;
  }
  if (value instanceof CelObject && value.kind !== "map") return plainLeaf(value, made, pending);
  return value instanceof Uint8Array ? value : plainMap(value, made, pending);
}

function plainLeaf(value: CelObject, made: Map<object, unknown>, pending: (() => void)[]): unknown {
  if (value instanceof Double) return value.value;
  if (value instanceof Uint) return canonicalInt(value.value);
  if (value instanceof Optional) return value.value === undefined ? undefined : plain(value.value, made, pending);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof CelError) return new Error(value.message);
  return value instanceof Opaque ? value.toString() : String(value);
}

function plainMap(value: object, made: Map<object, unknown>, pending: (() => void)[]): unknown {
  const keys = mapKeys(value);
  if (keys.every((key) => typeof key === "string")) {
    const object = Object.create(null) as Record<string, unknown>;
    made.set(value, object);
    pending.push(() => {
      for (const key of keys) object[key] = plain(getEntry(value, key)!, made, pending);
    });
    return object;
  }
  const map = new Map<unknown, unknown>();
  made.set(value, map);
  pending.push(() => {
    for (const key of keys) map.set(plain(key, made, pending), plain(getEntry(value, key)!, made, pending));
  });
  return map;
}
