import { CelError, CelObject, Double, Uint, kindOf, type Value } from "./values.ts";
import { adapt } from "./adapt.ts";
import { canonicalInt } from "./numbers.ts";

/** What a key is looked up by: equal numbers are one key whatever their type; strings, numbers and booleans never meet. */
type Key = string | number | bigint | boolean;

/** A map that CEL made. Host maps stay what they are: read them with the functions below. */
export class CelMap extends CelObject {
  readonly kind = "map";
  readonly #values = new Map<Key, Value>();
  #uints: Set<Key> | undefined;

  /** Adds an entry. False if the key is there already; an error value if it cannot be a key. */
  add(key: Value, value: Value): boolean | CelError {
    const normal = normalKey(key);
    if (normal === undefined) return new CelError(`unsupported key type: ${kindOf(key)}`);
    if (this.#values.has(normal)) return false;
    this.#values.set(normal, value);
    if (key instanceof Uint) (this.#uints ??= new Set()).add(normal);
    return true;
  }

  get(key: Key): Value | undefined {
    return this.#values.get(key);
  }

  get size(): number {
    return this.#values.size;
  }

  *keys(): Iterable<Value> {
    for (const key of this.#values.keys()) yield this.#uints?.has(key) ? new Uint(BigInt(key)) : key;
  }
}

/** The value under a string key, or undefined. Own keys only, so no prototype is ever reached. */
export function getField(map: object, key: string): Value | undefined {
  if (Object.getPrototypeOf(map) === Object.prototype) return ownField(map, key);
  if (map instanceof CelMap) return map.get(key);
  if (map instanceof Map) return map.has(key) ? adapt(map.get(key)) : undefined;
  if (map instanceof FieldReader) return map.field(key);
  return ownField(map, key);
}

function ownField(map: object, key: string): Value | undefined {
  if (!Object.hasOwn(map, key)) return undefined;
  const value = (map as Record<string, unknown>)[key];
  return value === undefined ? undefined : adapt(value);
}

/** The value under any key, or undefined; 1, 1u and 1.0 name the same entry. */
export function getEntry(map: object, key: Value): Value | undefined {
  if (typeof key === "string") return getField(map, key);
  const normal = normalKey(key);
  if (normal === undefined) return undefined;
  if (map instanceof CelMap) return map.get(normal);
  if (map instanceof Map) {
    const found = map.has(normal) ? normal : typeof normal === "number" && map.has(BigInt(normal)) ? BigInt(normal) : undefined;
    return found === undefined ? undefined : adapt(map.get(found));
  }
  return undefined;
}

export function mapSize(map: object): number {
  if (map instanceof CelMap || map instanceof Map) return map.size;
  if (map instanceof FieldReader) return map.names().length;
  let size = 0;
  for (const key of Object.keys(map)) if ((map as Record<string, unknown>)[key] !== undefined) size++;
  return size;
}

export function mapKeys(map: object): Value[] {
  if (map instanceof CelMap) return [...map.keys()];
  if (map instanceof Map) return [...map.keys()].map(adapt);
  if (map instanceof FieldReader) return map.names();
  return Object.keys(map).filter((key) => (map as Record<string, unknown>)[key] !== undefined);
}

/** A key as messages show it. */
export function keyText(key: Value): string {
  if (key instanceof Uint || key instanceof Double) return String(key.value);
  return typeof key === "object" ? `a ${kindOf(key)}` : String(key);
}

/** An object read through its declared type: see schema/typed.ts. */
export abstract class FieldReader extends CelObject {
  readonly kind = "map";
  abstract field(name: string): Value | undefined;
  abstract names(): string[];
}

/** The form a key is stored under, or undefined if the value can be no key. A double finds an equal int, as CEL asks. */
function normalKey(key: Value): Key | undefined {
  switch (typeof key) {
    case "string":
    case "boolean":
    case "bigint":
    case "number":
      return key;
    default:
      if (key instanceof Uint) return canonicalInt(key.value);
      if (key instanceof Double && Number.isInteger(key.value)) return canonicalInt(BigInt(key.value));
      return undefined;
  }
}
