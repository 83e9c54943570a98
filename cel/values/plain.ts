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
  return typeof value === "object" && value !== null ? plainObject(value, new Map(), 0) : value;
}

const maxDepth = 3000;

function plain(value: Value, seen: Map<object, unknown>, depth: number): unknown {
  return typeof value === "object" && value !== null ? plainObject(value, seen, depth) : value;
}

function plainObject(value: object, seen: Map<object, unknown>, depth: number): unknown {
  if (seen.has(value)) return seen.get(value);
  if (depth > maxDepth) throw new RangeError("the result is nested too deeply");
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    seen.set(value, list);
    for (const item of value) list.push(plain(adapt(item), seen, depth + 1));
    return list;
  }
  if (value instanceof Uint8Array) return value;
  if (value instanceof CelObject && value.kind !== "map") return plainLeaf(value, seen, depth);
  return plainMap(value, seen, depth);
}

function plainLeaf(value: CelObject, seen: Map<object, unknown>, depth: number): unknown {
  if (value instanceof Double) return value.value;
  if (value instanceof Uint) return canonicalInt(value.value);
  if (value instanceof Optional) return value.value === undefined ? undefined : plain(value.value, seen, depth + 1);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof CelError) return new Error(value.message);
  return value instanceof Opaque ? value.toString() : String(value);
}

function plainMap(value: object, seen: Map<object, unknown>, depth: number): unknown {
  const keys = mapKeys(value);
  if (keys.every((key) => typeof key === "string")) {
    const object = Object.create(null) as Record<string, unknown>;
    seen.set(value, object);
    for (const key of keys) object[key] = plain(getEntry(value, key)!, seen, depth + 1);
    return object;
  }
  const map = new Map<unknown, unknown>();
  seen.set(value, map);
  for (const key of keys) map.set(plain(key, seen, depth + 1), plain(getEntry(value, key)!, seen, depth + 1));
  return map;
}

