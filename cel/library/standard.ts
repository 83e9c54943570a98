import { CelError, type Value } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import { equalsValue } from "../values/compare.ts";
import { getEntry, mapSize } from "../values/maps.ts";
import { overloadsOf, type FunctionTable, type Overload } from "../check/functions.ts";
import { conversions } from "./conversions.ts";
import { isIn, minus, negated, order, plus, quotient, remainder, times } from "./operators.ts";
import { timeAccessors } from "./time-accessors.ts";
import { matches } from "./regex.ts";
import { contains } from "./text-search.ts";

/** The functions of the CEL specification, with cel-go's overload ids and in its order: where a type is open, the first form decides. */
export const standardFunctions = (): Overload[] =>
  overloadsOf([...operators().toSorted(([a], [b]) => (a < b ? -1 : 1)), ...conversions, ...timeAccessors, ...rest]);

/** Orderings between ints, uints and doubles: Kubernetes has them since 1.28. */
export const crossTypeComparisons = (): Overload[] =>
  overloadsOf(
    orderings.flatMap(([symbol, id, test]) =>
      [
        ["int", "double"],
        ["int", "uint"],
        ["uint", "double"],
        ["uint", "int"],
        ["double", "int"],
        ["double", "uint"],
      ].map(([a, b]) => [`${id}_${long[a!]}_${long[b!]}`, `_${symbol}_(${a}, ${b}) -> bool`, order(test)] as const),
    ),
  );

const long: Record<string, string> = { int: "int64", uint: "uint64", double: "double" };
const orderings = [
  ["<", "less", (sign: number) => sign < 0],
  ["<=", "less_equals", (sign: number) => sign <= 0],
  [">", "greater", (sign: number) => sign > 0],
  [">=", "greater_equals", (sign: number) => sign >= 0],
] as const;

function operators(): FunctionTable {
  const ordered = ["bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"];
  return [
    ...orderings.flatMap(([symbol, id, test]) =>
      ordered.map((type) => [`${id}_${long[type] ?? type}`, `_${symbol}_(${type}, ${type}) -> bool`, order(test)] as const),
    ),
    ["equals", "_==_(A, A) -> bool", ([a, b], context) => equalsValue(a!, b!, context)],
    [
      "not_equals",
      "_!=_(A, A) -> bool",
      ([a, b], context) => {
        const same = equalsValue(a!, b!, context);
        return typeof same === "boolean" ? !same : same;
      },
    ],
    ["logical_and", "_&&_(bool, bool) -> bool", ([a, b]) => a === true && b === true],
    ["logical_or", "_||_(bool, bool) -> bool", ([a, b]) => a === true || b === true],
    ["conditional", "_?_:_(bool, A, A) -> A", ([test, a, b]) => (test === true ? a! : b!)],
    ["logical_not", "!_(bool) -> bool", ([value]) => value !== true],
    ["not_strictly_false", "@not_strictly_false(bool) -> bool", ([value]) => value !== false],
    ["negate_int64", "-_(int) -> int", ([value]) => negated(value!)],
    ["negate_double", "-_(double) -> double", ([value]) => negated(value!)],
    ...["int", "uint", "double"].flatMap((type) => [
      [`add_${long[type]}`, `_+_(${type}, ${type}) -> ${type}`, plus] as const,
      [`subtract_${long[type]}`, `_-_(${type}, ${type}) -> ${type}`, minus] as const,
      [`multiply_${long[type]}`, `_*_(${type}, ${type}) -> ${type}`, times] as const,
      [`divide_${long[type]}`, `_/_(${type}, ${type}) -> ${type}`, quotient] as const,
    ]),
    ["modulo_int64", "_%_(int, int) -> int", remainder],
    ["modulo_uint64", "_%_(uint, uint) -> uint", remainder],
    ["add_string", "_+_(string, string) -> string", plus],
    ["add_bytes", "_+_(bytes, bytes) -> bytes", plus],
    ["add_list", "_+_(list(A), list(A)) -> list(A)", plus],
    ["add_duration_duration", "_+_(duration, duration) -> duration", plus],
    ["add_duration_timestamp", "_+_(duration, timestamp) -> timestamp", plus],
    ["add_timestamp_duration", "_+_(timestamp, duration) -> timestamp", plus],
    ["subtract_duration_duration", "_-_(duration, duration) -> duration", minus],
    ["subtract_timestamp_duration", "_-_(timestamp, duration) -> timestamp", minus],
    ["subtract_timestamp_timestamp", "_-_(timestamp, timestamp) -> duration", minus],
    ["in_list", "@in(A, list(A)) -> bool", isIn],
    ["in_map", "@in(A, map(A, B)) -> bool", isIn],
    ["index_list", "_[_](list(A), int) -> A", ([list, index]) => element(list as readonly unknown[], Number(index))],
    ["index_map", "_[_](map(A, B), A) -> B", ([map, key]) => getEntry(map as object, key!) ?? new CelError("no such key")],
  ];
}

const element = (list: readonly unknown[], index: number): Value =>
  index >= 0 && index < list.length ? adapt(list[index]) : new CelError(`index out of bounds: ${index}`);

const textSize = ([text]: readonly Value[]): Value => codePoints(text as string);
const length = ([value]: readonly Value[]): Value => (value as { length: number }).length;
const entries = ([map]: readonly Value[]): Value => mapSize(map as object);

const rest: FunctionTable = [
  ["size_string", "size(string) -> int", textSize],
  ["string_size", "<string>.size() -> int", textSize],
  ["size_bytes", "size(bytes) -> int", length],
  ["bytes_size", "<bytes>.size() -> int", length],
  ["size_list", "size(list(A)) -> int", length],
  ["list_size", "<list(A)>.size() -> int", length],
  ["size_map", "size(map(A, B)) -> int", entries],
  ["map_size", "<map(A, B)>.size() -> int", entries],
  ["contains_string", "<string>.contains(string) -> bool", ([text, part], context) => contains(text as string, part as string, context)],
  ["starts_with_string", "<string>.startsWith(string) -> bool", ([text, part]) => (text as string).startsWith(part as string)],
  ["ends_with_string", "<string>.endsWith(string) -> bool", ([text, part]) => (text as string).endsWith(part as string)],
  ["matches", "matches(string, string) -> bool", ([text, pattern]) => matches(text as string, pattern as string)],
  ["matches_string", "<string>.matches(string) -> bool", ([text, pattern]) => matches(text as string, pattern as string)],
];

/** Characters of a string as CEL counts them. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit <= 0xdbff) {
      const next = text.charCodeAt(at + 1);
      if (next >= 0xdc00 && next <= 0xdfff) {
        count--;
        at++;
      }
    }
  }
  return count;
}
