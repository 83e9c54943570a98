import { Type } from "../check/types.ts";
import type { Expr } from "../syntax/ast.ts";
import { listCreateCost, regexLengthFactor, stringTraversalFactor, structCreateCost } from "./actual.ts";
import { add, fixed, multiply, scale, unbounded, union, unknownSize, type Range } from "./range.ts";
import { ownTable } from "../values/own-table.ts";

export interface Operand {
  node: Expr;
  type: Type;
  size: Range | undefined;
}

/** The cost of a call without its arguments, and the size of its result where that is known. */
export interface CallEstimate {
  cost: Range;
  size?: Range;
}

type Estimate = (target: Operand | undefined, args: readonly Operand[]) => CallEstimate | undefined;

/**
 * By overload, then by function, then 1. Sources: cel-go checker/cost.go, ext/lists.go and ext/sets.go; Kubernetes apiserver
 * pkg/cel/library/cost.go, which notes that any change there changes which rules a CRD may have.
 */
export function estimateCall(name: string, overload: string, target: Operand | undefined, args: readonly Operand[]): CallEstimate {
  return byOverload[overload]?.(target, args) ?? byFunction[name]?.(target, args) ?? basic[overload]?.(target, args) ?? one;
}

const one: CallEstimate = { cost: fixed(1) };
const sizeOf = (operand: Operand): Range => operand.size ?? unknownSize;
const scan = (size: Range, factor = 1): Range => scale(size, factor * stringTraversalFactor);
const scanArgument: Estimate = (_, [text]) => text && { cost: scan(sizeOf(text)) };
const scanTarget: Estimate = (target) => target && { cost: scan(sizeOf(target)), size: sizeOf(target) };

const regex = (text: Operand, pattern: Operand): Range =>
  multiply(scan(add(sizeOf(text), fixed(1))), scale(sizeOf(pattern), regexLengthFactor));

/** What a literal int says, or else a default. */
function literalInt({ node }: Operand, otherwise: number): number {
  return node.kind === "literal" && (typeof node.value === "number" || typeof node.value === "bigint")
    ? Math.max(0, Number(node.value))
    : otherwise;
}

const madeList = (size: Range, factor = 1): CallEstimate => ({ cost: add(scale(size, factor), fixed(1 + listCreateCost)), size });
const squared = (operand: Operand): Range => multiply(sizeOf(operand), sizeOf(operand));

const sorted =
  (type: string): Estimate =>
  (target, args) => {
    const keys = args[0] ?? target;
    return keys && madeList(squared(keys), type === "string" || type === "bytes" ? 2 + stringTraversalFactor : 2);
  };

const sets =
  (factor: number): Estimate =>
  (_, [a, b]) =>
    a && b && { cost: add(scale(multiply(sizeOf(a), sizeOf(b)), factor), fixed(1)) };

const byOverload = ownTable<Estimate>({
  list_slice: (target, [from, to]) =>
    target && from && to && madeList(fixed(Math.max(0, literalInt(to, sizeOf(target).max) - literalInt(from, 0)))),
  list_flatten: (target) => target && madeList(sizeOf(target)),
  list_flatten_int: (target, [depth]) => target && depth && madeList(sizeOf(target), literalInt(depth, unbounded)),
  lists_range: (_, [count]) => count && madeList(fixed(literalInt(count, unbounded))),
  list_reverse: (target) => target && madeList(sizeOf(target)),
  list_distinct: (target) => target && madeList(squared(target), 2),
  ...Object.fromEntries(
    ["int", "uint", "double", "bool", "string", "bytes", "google.protobuf.Duration", "google.protobuf.Timestamp"].flatMap((type) => [
      [`list_${type}_sort`, sorted(type)],
      [`list_${type}_sortByAssociatedKeys`, sorted(type)],
    ]),
  ),
  list_sets_contains_list: sets(1),
  list_sets_intersects_list: sets(1),
  list_sets_equivalent_list: sets(2),
});

const elementOf = ({ type }: Operand): Type | undefined => type.params[0];
const elementSize = (element: Type): Range => (element.maxSize === undefined ? unknownSize : { min: 0, max: element.maxSize });

function traversal(name: string): Estimate {
  return (target) => {
    if (!target) return undefined;
    const element = elementOf(target);
    if (!element) return { cost: name === "includes" ? sizeOf(target) : scan(sizeOf(target)) };
    const each = element.kind === "string" || element.kind === "bytes" ? add(fixed(1), scan(elementSize(element))) : fixed(1);
    return { cost: multiply(sizeOf(target), each) };
  };
}

const replace: Estimate = (target, [from, to]) => {
  if (!target || !from || !to) return undefined;
  const [size, replaced, by] = [sizeOf(target), sizeOf(from), sizeOf(to)];
  const count = { min: 0, max: 0 };
  const kept = { min: 0, max: 0 };
  if (replaced.min === 0) {
    count.max = Math.min(size.max + 1, unbounded);
    kept.max = size.max;
  } else if (by.max <= replaced.min) kept.max = size.max;
  else count.max = Math.ceil(size.max / replaced.min);
  if (replaced.max === 0) {
    count.min = Math.min(size.min + 1, unbounded);
    kept.min = size.min;
  } else if (replaced.max <= by.min) kept.min = size.min;
  else count.min = Math.ceil(size.min / replaced.max);
  return { cost: scan(size, 2), size: add(multiply(count, by), kept) };
};

const split: Estimate = (target, args) => {
  if (!target) return undefined;
  const limit = args[1]?.node;
  const max =
    limit?.kind === "literal" && typeof limit.value === "number" ? (limit.value < 0 ? unbounded : limit.value) : sizeOf(target).max;
  return { cost: scan(sizeOf(target), 2), size: { min: 0, max } };
};

const join: Estimate = (target, [separator]) => {
  if (!target) return undefined;
  const count = sizeOf(target);
  const element = elementOf(target);
  let size: Range = element ? multiply(count, elementSize(element)) : fixed(0);
  if (separator) size = add(size, multiply(sizeOf(separator), { min: Math.max(0, count.min - 1), max: Math.max(0, count.max - 1) }));
  return { cost: scan(size), size };
};

const addressSize: Range = { min: 4, max: 16 };
const containsIp =
  (overload: (args: readonly Operand[]) => boolean, masks: boolean): Estimate =>
  (_, args) => {
    let cost = scan(add(addressSize, addressSize));
    if (masks) cost = add(cost, scan(addressSize), fixed(1));
    return { cost: overload(args) ? add(cost, scan(sizeOf(args[0]!))) : cost };
  };
const isText = ([other]: readonly Operand[]): boolean => other?.type.kind === "string";

const selector: Estimate = (_, [text]) => {
  if (!text) return undefined;
  const size = sizeOf(text);
  return { cost: add(fixed(listCreateCost), scan(size), scale(scale(size, 0.5), listCreateCost + structCreateCost)) };
};

/** The longest regular expression that stands behind a named format (apiserver pkg/cel/format.go). */
const maxFormatRegexSize = 128;

const byFunction = ownTable<Estimate>({
  check: () => ({ cost: fixed(350_000) }),
  fieldSelector: selector,
  labelSelector: selector,
  ...Object.fromEntries(["isSorted", "sum", "max", "min", "indexOf", "lastIndexOf", "includes"].map((name) => [name, traversal(name)])),
  url: (_, [text]) => text && { cost: scan(sizeOf(text)), size: sizeOf(text) },
  lowerAscii: scanTarget,
  upperAscii: scanTarget,
  substring: scanTarget,
  trim: scanTarget,
  replace,
  split,
  join,
  find: (target, [pattern]) => target && pattern && { cost: regex(target, pattern), size: { min: 0, max: sizeOf(target).max } },
  findAll: (target, [pattern]) => target && pattern && { cost: regex(target, pattern), size: { min: 0, max: sizeOf(target).max } },
  cidr: scanArgument,
  isIP: scanArgument,
  isCIDR: scanArgument,
  ip: (target, args) => (target ? one : scanArgument(target, args)),
  "ip.isCanonical": (_, [text]) => text && { cost: scan(sizeOf(text), 2) },
  containsIP: containsIp(isText, false),
  containsCIDR: containsIp(isText, true),
  quantity: scanArgument,
  isQuantity: scanArgument,
  semver: scanArgument,
  isSemver: scanArgument,
  validate: (_, [text]) => text && { cost: scale(scan(sizeOf(text)), maxFormatRegexSize * regexLengthFactor) },
  "_==_": (_, [a, b]) => opaqueEquality(a!, b!),
});

/** Kubernetes' own types compare in one step. */
function opaqueEquality(a: Operand, b: Operand): CallEstimate | undefined {
  if (a.type.kind !== "opaque" || a.type.name !== b.type.name) return undefined;
  if (a.type.name === "optional_type") return undefined;
  if (a.type.name === "kubernetes.URL") {
    const size = b.size ? union(b.size, b.size) : fixed(1);
    return { cost: scan({ min: 1, max: size.max }) };
  }
  return a.type.name === "kubernetes.NamedFormat" ? { cost: scan({ min: 1, max: 64 }) } : one;
}

const comparison: Estimate = (_, [a, b]) => {
  const max = Math.min(sizeOf(a!).max, sizeOf(b!).max);
  return { cost: scan({ min: max > 0 ? 1 : 0, max }) };
};
const joined: Estimate = (_, [a, b]) => {
  const size = add(sizeOf(a!), sizeOf(b!));
  return { cost: scan(size), size };
};
const scanPart: Estimate = (_, [part]) => part && { cost: scan(sizeOf(part)) };

const basic = ownTable<Estimate>({
  string_format: (target) => target && { cost: scan(sizeOf(target)) },
  string_to_bytes: (_, [text]) => ({
    cost: scan(sizeOf(text!)),
    size: { min: sizeOf(text!).min, max: Math.min(unbounded, sizeOf(text!).max * 4) },
  }),
  bytes_to_string: (_, [text]) => ({ cost: scan(sizeOf(text!)), size: { min: Math.floor(sizeOf(text!).min / 4), max: sizeOf(text!).max } }),
  strings_quote: (_, [text]) => ({
    cost: scan(sizeOf(text!)),
    size: { min: sizeOf(text!).min + 2, max: Math.min(unbounded, sizeOf(text!).max * 2 + 2) },
  }),
  starts_with_string: scanPart,
  ends_with_string: scanPart,
  in_list: (_, [, list]) => ({ cost: sizeOf(list!) }),
  matches: (_, [text, pattern]) => ({ cost: regex(text!, pattern!) }),
  matches_string: (target, [pattern]) => target && { cost: regex(target, pattern!) },
  contains_string: (target, [part]) => target && { cost: multiply(scan(sizeOf(target)), scan(sizeOf(part!))) },
  add_string: joined,
  add_bytes: joined,
  add_list: (_, [a, b]) => ({ cost: fixed(1), size: add(sizeOf(a!), sizeOf(b!)) }),
  ...Object.fromEntries(
    ["less", "less_equals", "greater", "greater_equals"].flatMap((name) => [
      [`${name}_string`, comparison],
      [`${name}_bytes`, comparison],
    ]),
  ),
  equals: comparison,
  not_equals: comparison,
});
