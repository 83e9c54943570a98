import { CelError, Double, Optional, Uint, kindOf, none, type Value } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import { compareValues, comparing, equals } from "../values/compare.ts";
import { Duration } from "../values/time.ts";
import { overloadsOf, type CallContext, type FunctionTable, type Implementation, type Overload } from "../check/functions.ts";
import type { Macro } from "../syntax/macros.ts";
import { bind, expandMap } from "../syntax/macros.ts";
import { plus } from "./operators.ts";

const items = (list: Value | undefined): Value[] => (list as unknown[]).map(adapt);
const sortable = ["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"];

const isSorted: Implementation = ([list]) => {
  const all = items(list);
  for (let i = 1; i < all.length; i++) {
    const sign = compareValues(all[i - 1]!, all[i]!);
    if (sign === undefined) return new CelError("no such overload: isSorted");
    if (sign > 0) return false;
  }
  return true;
};

const sum =
  (start: Value): Implementation =>
  ([list], context) => {
    let total = start;
    for (const item of items(list)) {
      total = plus([total, item], context);
      if (total instanceof CelError) return total;
    }
    return total;
  };

const extreme =
  (name: string, wanted: number): Implementation =>
  ([list]) => {
    let best: Value | undefined;
    for (const item of items(list)) {
      const sign = best === undefined ? 0 : compareValues(best, item);
      if (sign === undefined) return new CelError(`no such overload: ${name}`);
      if (best === undefined || sign * wanted > 0) best = item;
    }
    return best ?? new CelError(`${name} called on empty list`);
  };

const indexOf =
  (fromEnd: boolean): Implementation =>
  ([list, wanted], context) => {
    const all = items(list);
    context.work(all.length);
    return comparing(() =>
      fromEnd ? all.findLastIndex((item) => equals(item, wanted!, context)) : all.findIndex((item) => equals(item, wanted!, context)),
    );
  };

/** Kubernetes' own list functions. */
const kubernetes: FunctionTable = [
  ...sortable.flatMap((type) => [
    [`list_${type}_is_sorted_bool`, `<list(${type})>.isSorted() -> bool`, isSorted] as FunctionTable[number],
    [`list_${type}_min_${type}`, `<list(${type})>.min() -> ${type}`, extreme("min", 1)] as FunctionTable[number],
    [`list_${type}_max_${type}`, `<list(${type})>.max() -> ${type}`, extreme("max", -1)] as FunctionTable[number],
  ]),
  ["list_int_sum_int", "<list(int)>.sum() -> int", sum(0)],
  ["list_uint_sum_uint", "<list(uint)>.sum() -> uint", sum(new Uint(0n))],
  ["list_double_sum_double", "<list(double)>.sum() -> double", sum(new Double(0))],
  ["list_duration_sum_duration", "<list(duration)>.sum() -> duration", sum(new Duration(0n))],
  ["list_a_index_of_int", "<list(A)>.indexOf(A) -> int", indexOf(false)],
  ["list_a_last_index_of_int", "<list(A)>.lastIndexOf(A) -> int", indexOf(true)],
];

const includes: Implementation = ([target, wanted], context) =>
  Array.isArray(target)
    ? comparing(() => items(target).some((item) => equals(item, wanted!, context)))
    : comparing(() => equals(target!, wanted!, context));

export const kubernetesLists = (): Overload[] => overloadsOf(kubernetes);
export const kubernetesIncludes = (): Overload[] => overloadsOf([["list_includes_dyn_dyn", "<dyn>.includes(dyn) -> bool", includes]]);

function slice([list, from, to]: readonly Value[]): Value {
  const [start, end] = [Number(from), Number(to)];
  const shown = `cannot slice(${start}, ${end})`;
  if (start < 0 || end < 0) return new CelError(`${shown}, negative indexes not supported`);
  if (start > end) return new CelError(`${shown}, start index must be less than or equal to end index`);
  const length = (list as unknown[]).length;
  return end > length ? new CelError(`${shown}, list is length ${length}`) : (list as unknown[]).slice(start, end);
}

function flatten(list: Value, depth: number, context: CallContext): Value {
  if (depth < 0) return new CelError("level must be non-negative");
  const made: Value[] = [];
  const add = (part: Value, left: number): void => {
    context.work(4);
    for (const item of items(part)) {
      if (Array.isArray(item) && left > 0) add(item, left - 1);
      else {
        context.allocate(4);
        made.push(item);
      }
    }
  };
  add(list, Math.min(depth, 1000));
  return made;
}

/** Sorts by keys of one comparable type; what is equal keeps its order. */
function sortByKeys(list: Value, by: Value, context: CallContext): Value {
  const [all, keys] = [items(list), items(by)];
  if (all.length !== keys.length)
    return new CelError(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${all.length} and ${keys.length} elements respectively`,
    );
  if (all.length === 0) return list;
  const kind = kindOf(keys[0]!);
  if (compareValues(keys[0]!, keys[0]!) === undefined) return new CelError("list elements must be comparable");
  if (keys.some((key) => kindOf(key) !== kind)) return new CelError("list elements must have the same type");
  context.work(all.length * Math.ceil(Math.log2(all.length + 1)));
  context.allocate(all.length);
  return keys
    .map((key, i) => [key, all[i]!] as const)
    .sort(([a], [b]) => compareValues(a, b) || 0)
    .map(([, item]) => item);
}

function distinct(list: Value, context: CallContext): Value {
  return comparing(() => {
    const kept: Value[] = [];
    for (const item of items(list)) {
      context.work(kept.length);
      if (!kept.some((known) => equals(known, item, context))) kept.push(item);
    }
    return kept;
  });
}

function range(count: number, context: CallContext): Value {
  if (count < 0) return new CelError(`lists.range: size must be non-negative, got ${count}`);
  context.allocate(count);
  return Array.from({ length: count }, (_, i) => i);
}

const edge = (list: Value, at: number): Value => {
  const item = (list as unknown[]).at(at);
  return item === undefined ? none : new Optional(adapt(item));
};

const typeName = (type: string): string =>
  type === "duration" ? "google.protobuf.Duration" : type === "timestamp" ? "google.protobuf.Timestamp" : type;

const extended: FunctionTable = [
  ["list_slice", "<list(T)>.slice(int, int) -> list(T)", slice],
  ["list_flatten", "<list(list(T))>.flatten() -> list(T)", ([list], context) => flatten(list!, 1, context)],
  ["list_flatten_int", "<list(dyn)>.flatten(int) -> list(dyn)", ([list, depth], context) => flatten(list!, Number(depth), context)],
  ...sortable.flatMap((type) => [
    [
      `list_${typeName(type)}_sort`,
      `<list(${type})>.sort() -> list(${type})`,
      ([list], context) => sortByKeys(list!, list!, context),
    ] as FunctionTable[number],
    [
      `list_${typeName(type)}_sortByAssociatedKeys`,
      `<list(T)>.@sortByAssociatedKeys(list(${type})) -> list(T)`,
      ([list, keys], context) => sortByKeys(list!, keys!, context),
    ] as FunctionTable[number],
  ]),
  ["lists_range", "lists.range(int) -> list(int)", ([count], context) => range(Number(count), context)],
  ["list_reverse", "<list(T)>.reverse() -> list(T)", ([list]) => items(list).toReversed()],
  ["list_distinct", "<list(T)>.distinct() -> list(T)", ([list], context) => distinct(list!, context)],
  ["list_first", "<list(V)>.first() -> optional_type(V)", ([list]) => edge(list!, 0)],
  ["list_last", "<list(V)>.last() -> optional_type(V)", ([list]) => edge(list!, -1)],
];

/** cel-go ext.Lists version 3. */
export const extendedLists = (): Overload[] => overloadsOf(extended);

/** `list.sortBy(x, key)`: the list bound once, and sorted by the keys of its elements. */
export const sortMacros: Record<string, Macro> = {
  ".sortBy/2": (tree, { at, target, args }) => {
    const name = "@__sortBy_input__";
    const keys = expandMap(tree, at, tree.ident(at, name), args);
    return bind(tree, at, name, target!, tree.call(at, "@sortByAssociatedKeys", [keys], tree.ident(at, name)));
  },
};
