import { CelObject, Opaque, Optional, isAbnormal, type Value } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import { getEntry, mapKeys, mapSize } from "../values/maps.ts";
import { codePoints } from "../library/standard.ts";
import { ownTable } from "../values/own-table.ts";

/** What a call costs once it has run: a number, or computed from the arguments and the result. */
export type CallCost = number | ((args: readonly Value[], result: Value) => number);

/** Units of Kubernetes' cost model (cel-go common/cost.go). */
export const listCreateCost = 10;
export const mapCreateCost = 30;
export const structCreateCost = 40;
export const stringTraversalFactor = 0.1;
export const regexLengthFactor = 0.25;

/**
 * The cost of a function, told apart by overload where the checker found just one; otherwise `overload` is "". Sources:
 * cel-go interpreter/runtimecost.go and ext/lists.go, Kubernetes apiserver pkg/cel/library/cost.go.
 */
export const callCost = (name: string, overload: string): CallCost => byOverload[overload] ?? byFunction[name] ?? 1;

/** The size that the cost model takes for a value: characters, bytes, elements, entries, or 1. */
export function sizeOf(value: Value): number {
  if (typeof value === "string") return codePoints(value);
  if (typeof value !== "object" || value === null) return 1;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length;
  if (value instanceof Opaque) return value.size;
  if (value instanceof Optional) return value.value === undefined ? 1 : sizeOf(value.value);
  return value instanceof CelObject && value.kind !== "map" ? 1 : mapSize(value);
}

/** The cost of comparing two values for equality: by the smaller one's size. */
export function equalityCost(a: Value, b: Value): number {
  if (a instanceof Opaque) return 1;
  if (typeof a === "number" || typeof a === "boolean" || typeof b === "number" || typeof b === "boolean")
    return smallerCost(1, sizeOfOther(typeof a === "object" || typeof a === "string" ? a : b));
  return smallerCost(sizeOf(a), sizeOf(b));
}

const smallerCost = (a: number, b: number): number => Math.ceil(Math.min(a, b) * stringTraversalFactor);
// Beside a scalar only emptiness of the other side matters.
const sizeOfOther = (value: Value): number => (typeof value === "string" ? value.length : sizeOf(value));

const scan = (value: Value, factor = 1): number => Math.ceil(sizeOf(value) * factor * stringTraversalFactor);
const scanFirst: CallCost = ([text]) => scan(text!);
const scanFirstTwice: CallCost = ([text]) => scan(text!, 2);
const comparison: CallCost = ([a, b]) => smallerCost(sizeOf(a!), sizeOf(b!));
const joined: CallCost = ([a, b]) => Math.ceil((sizeOf(a!) + sizeOf(b!)) * stringTraversalFactor);
const regex: CallCost = ([text, pattern]) =>
  Math.ceil((1 + sizeOf(text!)) * stringTraversalFactor) * Math.ceil(sizeOf(pattern!) * regexLengthFactor);
const listMade = (size: number, factor = 1): number => Math.trunc(size * (factor < 0 ? 1 : factor)) + 1 + listCreateCost;

/** An operation that compares all elements of a list with each other. */
function selfComparison(list: Value): number {
  if (isAbnormal(list)) return 0;
  const size = sizeOf(list);
  const first = Array.isArray(list) && size > 0 ? adapt(list[0]) : undefined;
  return listMade(size * size, typeof first === "string" || first instanceof Uint8Array ? 2 + stringTraversalFactor : 2);
}

const selector: CallCost = ([, text]) => {
  const size = sizeOf(text!);
  return listCreateCost + Math.ceil(size * stringTraversalFactor) + Math.ceil(Math.ceil(size * 0.5) * (listCreateCost + structCreateCost));
};

/** Walks a value as a tree; strings and bytes count by their UTF-8 length. More than `maxTraversal` parts cost more than any budget. */
function traversal(value: Value): number {
  const pending: Value[] = [value];
  let cost = 0;
  for (let parts = 0; pending.length > 0; parts++) {
    if (parts > maxTraversal) return Infinity;
    const next = pending.pop()!;
    if (typeof next === "string") cost += Math.trunc(utf8Length(next) * stringTraversalFactor);
    else if (next instanceof Uint8Array) cost += Math.trunc(next.length * stringTraversalFactor);
    else if (Array.isArray(next)) for (const item of next) pending.push(adapt(item));
    else if (typeof next !== "object" || next === null || (next instanceof CelObject && next.kind !== "map")) cost++;
    else for (const key of mapKeys(next)) pending.push(key, getEntry(next, key)!);
  }
  return cost;
}

const maxTraversal = 2_000_000;

function utf8Length(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) length += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return length;
}

const traverseFirst: CallCost = ([list]) => traversal(list!);

const cidrContains =
  (parsesText: boolean, masks: boolean): CallCost =>
  ([cidr, other]) => {
    const compare = Math.ceil(sizeOf(cidr!) * 2 * stringTraversalFactor) + (masks ? scan(cidr!) + 1 : 0);
    return compare + (parsesText ? scan(other!) : 0);
  };

const byOverload = ownTable<CallCost>({
  starts_with_string: ([, part]: readonly Value[]) => scan(part!),
  ends_with_string: ([, part]: readonly Value[]) => scan(part!),
  string_to_bytes: scanFirst,
  bytes_to_string: scanFirst,
  strings_quote: scanFirst,
  string_format: scanFirst,
  in_list: ([, list]: readonly Value[]) => sizeOf(list!),
  less_string: comparison,
  less_equals_string: comparison,
  greater_string: comparison,
  greater_equals_string: comparison,
  less_bytes: comparison,
  less_equals_bytes: comparison,
  greater_bytes: comparison,
  greater_equals_bytes: comparison,
  add_string: joined,
  add_bytes: joined,
  matches: regex,
  matches_string: regex,
  contains_string: ([text, part]: readonly Value[]) => scan(text!) * scan(part!),
  list_slice: (_: readonly Value[], result: Value) => listMade(sizeOf(result)),
  lists_range: (_: readonly Value[], result: Value) => listMade(sizeOf(result)),
  list_reverse: (_: readonly Value[], result: Value) => listMade(sizeOf(result)),
  list_flatten: ([list]: readonly Value[]) => listMade(sizeOf(list!)),
  list_flatten_int: ([list, depth]: readonly Value[]) => listMade(sizeOf(list!), Number(depth)),
  list_distinct: ([list]: readonly Value[]) => selfComparison(list!),
  ...Object.fromEntries(
    ["int", "uint", "double", "bool", "string", "bytes", "google.protobuf.Duration", "google.protobuf.Timestamp"].flatMap((type) => [
      [`list_${type}_sort`, ([list]: readonly Value[]) => selfComparison(list!)],
      [`list_${type}_sortByAssociatedKeys`, ([, keys]: readonly Value[]) => selfComparison(keys!)],
    ]),
  ),
  list_sets_contains_list: ([a, b]: readonly Value[]) => 1 + sizeOf(a!) * sizeOf(b!),
  list_sets_intersects_list: ([a, b]: readonly Value[]) => 1 + sizeOf(a!) * sizeOf(b!),
  list_sets_equivalent_list: ([a, b]: readonly Value[]) => 1 + 2 * sizeOf(a!) * sizeOf(b!),
  cidr_ip: 1,
  cidr_contains_ip_string: cidrContains(true, false),
  cidr_contains_cidr_string: cidrContains(true, true),
});

const byFunction = ownTable<CallCost>({
  check: 350_000,
  fieldSelector: selector,
  labelSelector: selector,
  ...Object.fromEntries(["isSorted", "sum", "max", "min", "indexOf", "lastIndexOf", "includes"].map((name) => [name, traverseFirst])),
  ...Object.fromEntries(
    [
      "url",
      "lowerAscii",
      "upperAscii",
      "substring",
      "trim",
      "cidr",
      "isIP",
      "isCIDR",
      "ip",
      "quantity",
      "isQuantity",
      "semver",
      "isSemver",
    ].map((name) => [name, scanFirst]),
  ),
  replace: scanFirstTwice,
  split: scanFirstTwice,
  "ip.isCanonical": scanFirstTwice,
  join: (_: readonly Value[], result: Value) => scan(result, 2),
  find: regex,
  findAll: regex,
  containsIP: cidrContains(false, false),
  containsCIDR: cidrContains(false, true),
  validate: ([format, text]: readonly Value[]) =>
    Math.ceil((1 + sizeOf(text!)) * stringTraversalFactor) *
    Math.ceil(((format as { regexSize?: number }).regexSize ?? 1) * regexLengthFactor),
});
