import { CelError, type Value } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import { overloadsOf, type CallContext, type FunctionTable, type Overload } from "../check/functions.ts";
import { ownTable } from "../values/own-table.ts";
import { codePoints } from "./standard.ts";
import { formatText } from "./format-text.ts";
import { findLast, findFirst, occurrences } from "./text-search.ts";

type Args = readonly Value[];
const text = (args: Args, i = 0): string => args[i] as string;
const outOfRange = (index: Value): CelError => new CelError(`index out of range: ${String(index)}`);

/** A string by characters, indexed as CEL indexes it; plain where every character is one UTF-16 unit. */
const characters = (value: string): string | string[] => (codePoints(value) === value.length ? value : [...value]);
const sliced = (chars: string | string[], from: number, to: number): string =>
  typeof chars === "string" ? chars.slice(from, to) : chars.slice(from, to).join("");

function charAt(args: Args): Value {
  const chars = characters(text(args));
  const index = Number(args[1]);
  return index < 0 || index > chars.length ? outOfRange(args[1]!) : sliced(chars, index, index + 1);
}

function substring(args: Args): Value {
  const chars = characters(text(args));
  const from = Number(args[1]);
  const to = args.length > 2 ? Number(args[2]) : chars.length;
  if (from > to && args.length > 2) return new CelError(`invalid substring range. start: ${from}, end: ${to}`);
  if (from < 0 || from > chars.length) return outOfRange(args[1]!);
  return to < 0 || to > chars.length ? outOfRange(args[2]!) : sliced(chars, from, to);
}

function indexOf(args: Args, context: CallContext): Value {
  const from = args.length > 2 ? Number(args[2]) : 0;
  return from < 0 ? outOfRange(args[2]!) : findFirst(text(args), text(args, 1), from, context);
}

function lastIndexOf(args: Args, context: CallContext): Value {
  const from = args.length > 2 ? Number(args[2]) : undefined;
  return from !== undefined && from < 0 ? outOfRange(args[2]!) : findLast(text(args), text(args, 1), from, context);
}

function replace(args: Args, context: CallContext): Value {
  const [source, from, to] = [text(args), text(args, 1), text(args, 2)];
  const limit = args.length > 3 && Number(args[3]) >= 0 ? Number(args[3]) : Infinity;
  const found = from === "" ? boundaries(source).slice(0, limit) : occurrences(source, from, limit, context);
  context.allocate(source.length + found.length * to.length);
  let made = "";
  let end = 0;
  for (const at of found) {
    made += source.slice(end, at) + to;
    end = at + from.length;
  }
  return made + source.slice(end);
}

/** Where an empty string is found: before each character, and at the end. */
function boundaries(source: string): number[] {
  const found = [0];
  for (const char of source) found.push(found.at(-1)! + char.length);
  return found;
}

function split(args: Args, context: CallContext): Value {
  const [source, separator] = [text(args), text(args, 1)];
  const limit = args.length > 2 && Number(args[2]) >= 0 ? Number(args[2]) : Infinity;
  if (limit === 0) return [];
  const cuts =
    separator === ""
      ? boundaries(source)
          .slice(1, -1)
          .slice(0, limit - 1)
      : occurrences(source, separator, limit - 1, context);
  context.allocate(source.length + cuts.length);
  if (separator === "" && source === "") return [];
  const parts: string[] = [];
  let end = 0;
  for (const at of cuts) {
    parts.push(source.slice(end, at));
    end = at + separator.length;
  }
  parts.push(source.slice(end));
  return parts;
}

function join(args: Args, context: CallContext): Value {
  const separator = args.length > 1 ? text(args, 1) : "";
  const parts = (args[0] as unknown[]).map(adapt);
  const wrong = parts.find((part) => typeof part !== "string");
  if (wrong !== undefined) return new CelError("join: every element must be a string");
  context.allocate((parts as string[]).reduce((sum, part) => sum + part.length + separator.length, 0));
  return parts.join(separator);
}

const ascii = (args: Args, pattern: RegExp, change: (char: string) => string): Value => text(args).replaceAll(pattern, change);

const quotes = ownTable<string>({
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
});
const quote = (args: Args): Value => `"${Array.from(text(args).toWellFormed(), (char) => quotes[char] ?? char).join("")}"`;

/** White space as Go's unicode.IsSpace has it. */
const isBlank = (unit: number): boolean =>
  (unit >= 9 && unit <= 13) ||
  unit === 32 ||
  unit === 0x85 ||
  unit === 0xa0 ||
  unit === 0x1680 ||
  (unit >= 0x2000 && unit <= 0x200a) ||
  unit === 0x2028 ||
  unit === 0x2029 ||
  unit === 0x202f ||
  unit === 0x205f ||
  unit === 0x3000;

function trim(args: Args): Value {
  const source = text(args);
  let [start, end] = [0, source.length];
  while (start < end && isBlank(source.charCodeAt(start))) start++;
  while (end > start && isBlank(source.charCodeAt(end - 1))) end--;
  return source.slice(start, end);
}

const first: FunctionTable = [
  ["string_char_at_int", "<string>.charAt(int) -> string", charAt],
  ["string_index_of_string", "<string>.indexOf(string) -> int", indexOf],
  ["string_index_of_string_int", "<string>.indexOf(string, int) -> int", indexOf],
  ["string_last_index_of_string", "<string>.lastIndexOf(string) -> int", lastIndexOf],
  ["string_last_index_of_string_int", "<string>.lastIndexOf(string, int) -> int", lastIndexOf],
  ["string_lower_ascii", "<string>.lowerAscii() -> string", (args) => ascii(args, /[A-Z]+/g, (part) => part.toLowerCase())],
  ["string_upper_ascii", "<string>.upperAscii() -> string", (args) => ascii(args, /[a-z]+/g, (part) => part.toUpperCase())],
  ["string_replace_string_string", "<string>.replace(string, string) -> string", replace],
  ["string_replace_string_string_int", "<string>.replace(string, string, int) -> string", replace],
  ["string_split_string", "<string>.split(string) -> list(string)", split],
  ["string_split_string_int", "<string>.split(string, int) -> list(string)", split],
  ["string_substring_int", "<string>.substring(int) -> string", substring],
  ["string_substring_int_int", "<string>.substring(int, int) -> string", substring],
  ["string_trim", "<string>.trim() -> string", trim],
  ["list_join", "<list(string)>.join() -> string", join],
  ["list_join_string", "<list(string)>.join(string) -> string", join],
];

const second: FunctionTable = [
  ["strings_quote", "strings.quote(string) -> string", quote],
  [
    "string_format",
    "<string>.format(list(dyn)) -> string",
    (args, context) => formatText(text(args), (args[1] as unknown[]).map(adapt), "kubernetes", context),
  ],
];

const latest: FunctionTable = [
  [
    "string_format",
    "<string>.format(list(dyn)) -> string",
    (args, context) => formatText(text(args), (args[1] as unknown[]).map(adapt), "specified", context),
  ],
  ["string_reverse", "<string>.reverse() -> string", (args) => [...text(args)].toReversed().join("")],
];

/** cel-go ext.Strings version 0, what version 2 adds, and what later versions add or change. */
export const stringFunctions = (): Overload[] => overloadsOf(first);
export const stringFunctions2 = (): Overload[] => overloadsOf(second);
export const stringFunctionsLatest = (): Overload[] => overloadsOf(latest);
