import { CelObject, Double, Incomparable, Uint, kindOf, type Value } from "./values.ts";
import { adapt } from "./adapt.ts";
import { getField } from "./maps.ts";
import { Duration, Timestamp } from "./time.ts";

/**
 * A list whose order means nothing to equality, as `x-kubernetes-list-type` declares it: a map by the fields that make an element's key,
 * or, without such fields, a set of scalars (apiserver pkg/cel/common/valuesunstructured.go). Everything else sees a list like any other.
 */
export class KeyedList extends Array<Value> {
  readonly #fields: readonly string[];

  constructor(elements: readonly Value[], fields: readonly string[]) {
    super();
    this.#fields = fields;
    for (const element of elements) this.push(element);
  }

  /** What slices, joins or maps it makes a plain list. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** Whether the elements of both are the same, in any order; `same` compares two of one key. Throws Incomparable if a key is no scalar. */
  sameAs(others: readonly unknown[], same: (a: Value, b: Value) => boolean): boolean {
    if (others.length !== this.length) return false;
    const mine = new Map(this.map((element) => [this.#keyOf(element), element]));
    const seen = new Set<string>();
    for (const other of others.map(adapt)) {
      const key = this.#keyOf(other);
      const element = mine.get(key);
      if (element === undefined || (this.#fields.length > 0 && !same(element, other))) return false;
      seen.add(key);
    }
    return seen.size === mine.size;
  }

  /** Its elements in their places, those of the others that share a key instead of them, and then the rest. Throws Incomparable. */
  merge(others: readonly unknown[]): KeyedList {
    const isSet = this.#fields.length === 0;
    const places = new Map(this.map((element, place) => [this.#keyOf(element), place]));
    const merged = new KeyedList(this, this.#fields);
    for (const other of others.map(adapt)) {
      const key = this.#keyOf(other);
      const place = places.get(key);
      if (place === undefined) {
        // Kubernetes keeps the appended elements of a map apart even if they share a key.
        if (isSet) places.set(key, merged.length);
        merged.push(other);
      } else if (!isSet) merged[place] = other;
    }
    return merged;
  }

  #keyOf(element: Value): string {
    if (this.#fields.length === 0) return scalarKey(element);
    const map = kindOf(element) === "map" ? (element as object) : undefined;
    const parts = this.#fields.map((field) => scalarKey((map && getField(map, field)) ?? null));
    return parts.length === 1 ? parts[0]! : JSON.stringify(parts);
  }
}

/** Tells scalars apart by kind and value. */
function scalarKey(value: Value): string {
  if (value instanceof Double || value instanceof Uint) return `${value.kind} ${value.value}`;
  if (value instanceof Timestamp || value instanceof Duration) return `${value.kind} ${value.nanos}`;
  const kind = kindOf(value);
  if (kind === "list" || kind === "map" || value instanceof CelObject)
    throw new Incomparable("sets of a schema hold scalars only, and keys of its list maps are scalars");
  return `${kind} ${String(value)}`;
}
