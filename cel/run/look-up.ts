import { adapt } from "../values/adapt.ts";
import { getEntry, getField, keyText } from "../values/maps.ts";
import { CelError, CelObject, Double, Uint, typeNameOf, type Value } from "../values/values.ts";

export const isPlain = (value: Value): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** A field of a map, or an error. */
export function readField(value: Value, field: string, node: number): Value {
  if (isPlain(value) && Object.hasOwn(value, field)) {
    const raw = (value as Record<string, unknown>)[field];
    if (typeof raw === "string") return raw;
    if (raw !== undefined) return located(adapt(raw), node);
  }
  return lookUp(value, field, node, false)!;
}

/** Whether a value is a map: has fields at all. */
export const hasFields = (value: Value): boolean =>
  typeof value === "object" && value !== null && !(value instanceof Uint8Array) && (!(value instanceof CelObject) || value.kind === "map");

/** What is under a key or index; undefined if it is not there and may be missing, else an error that says so. */
export function lookUp(container: Value, key: Value, node: number, mayMiss: boolean): Value | undefined {
  if (Array.isArray(container)) return element(container, key, node, mayMiss);
  const isMap = hasFields(container);
  if (isMap) {
    const found = typeof key === "string" ? getField(container as object, key) : getEntry(container as object, key);
    if (found !== undefined) return located(found, node);
  }
  if (mayMiss) return undefined;
  const name = keyText(key);
  return new CelError(isMap ? `no such key: ${name}` : `type ${typeNameOf(container)} has no field ${name}`, node);
}

function element(list: readonly unknown[], key: Value, node: number, mayMiss: boolean): Value | undefined {
  const index =
    key instanceof Uint
      ? Number(key.value)
      : key instanceof Double
        ? key.value
        : typeof key === "number" || typeof key === "bigint"
          ? Number(key)
          : Number.NaN;
  if (!Number.isInteger(index)) return mayMiss ? undefined : new CelError(`invalid list index of type ${typeNameOf(key)}`, node);
  if (index >= 0 && index < list.length) return located(adapt(list[index]), node);
  return mayMiss ? undefined : new CelError(`index out of bounds: ${index}`, node);
}

/** Gives an error the node it arose in, if it has none yet. */
export function located(value: Value, node: number): Value {
  if (typeof value === "object" && value instanceof CelError && value.node === 0) value.node = node;
  return value;
}
