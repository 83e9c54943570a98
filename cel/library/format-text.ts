import { CelError, Double, TypeValue, Uint, kindOf, typeNameOf, type Value } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import type { CallContext } from "../check/functions.ts";
import { getEntry, mapKeys } from "../values/maps.ts";
import type { Duration, Timestamp } from "../values/time.ts";
import { ownTable } from "../values/own-table.ts";
import { decodeText, formatDouble, secondsText } from "./conversions.ts";
import { fixedDigits, scientificDigits } from "./decimal.ts";
import { compareStrings } from "../values/compare.ts";

/**
 * `specified`: as the CEL specification has it now. `kubernetes`: cel-go ext.Strings version 2, which quotes strings in lists and
 * prints doubles the way English readers have them (1,234.5 and 1.05×10⁰³).
 */
export type FormatStyle = "specified" | "kubernetes";

/** `"%s of %d".format([a, b])`. An error says which clause or argument is wrong. */
export function formatText(pattern: string, args: readonly Value[], style: FormatStyle, context: CallContext): Value {
  let next = 0;
  let fault: CelError | undefined;
  const made = pattern.replaceAll(clause, (whole: string, precision: string | undefined, letter: string) => {
    if (whole === "%%" || fault) return "%";
    if (!(letter in clauses)) fault = new CelError(`could not parse formatting clause: unrecognized formatting clause "${letter}"`);
    else if (Number(precision ?? 0) > maxPrecision)
      fault = new CelError(`the precision of a formatting clause may be ${maxPrecision} at most`);
    else if (next >= args.length) fault = new CelError(`index ${next} out of range`);
    if (fault) return "";
    try {
      const part = clauses[letter]!(args[next++]!, style, Number(precision ?? 6), context);
      context.allocate(part.length);
      return part;
    } catch (error) {
      if (!(error instanceof Unformattable)) throw error;
      fault = new CelError(`error during formatting: ${error.message}`);
      return "";
    }
  });
  return fault ?? made;
}

/** The clauses of a format, and which kinds of value each takes: what is constant can be refused before it runs. */
export const clausesOf = (pattern: string): string[] =>
  [...pattern.matchAll(clause)].filter(([whole]) => whole !== "%%").map(([, , letter]) => letter!);

export const acceptedKinds = ownTable<readonly string[]>({
  s: ["null", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "timestamp", "duration", "type", "dyn", "param"],
  d: ["int", "uint", "dyn", "param"],
  f: ["double", "string", "dyn", "param"],
  e: ["double", "string", "dyn", "param"],
  b: ["int", "uint", "bool", "dyn", "param"],
  x: ["int", "uint", "string", "bytes", "dyn", "param"],
  X: ["int", "uint", "string", "bytes", "dyn", "param"],
  o: ["int", "uint", "dyn", "param"],
});

class Unformattable extends Error {}

const clause = /%%|%(?:\.(\d*))?([\s\S]?)/g;
const maxPrecision = 100;
const wrong = (what: string, value: Value): Unformattable => new Unformattable(`${what}, was given ${typeNameOf(value)}`);

const clauses = ownTable<(value: Value, style: FormatStyle, precision: number, context: CallContext) => string>({
  s: (value, style, _, context) => (style === "kubernetes" ? outermost(value, context) : plain(value, style, context, 0)),
  d: (value, style) => {
    if (value instanceof Double && style === "specified")
      return special(value.value) ?? raise(wrong("decimal clause can only be used on integers", value));
    return String(integer(value) ?? raise(wrong("decimal clause can only be used on integers", value)));
  },
  f: (value, style, precision) =>
    real(value, "fixed-point", style, (number) => {
      const digits = fixedDigits(number, precision);
      return style === "kubernetes" ? digits.replace(/^\d+/, (whole) => whole.replaceAll(/\B(?=(\d{3})+$)/g, ",")) : digits;
    }),
  e: (value, style, precision) =>
    real(value, "scientific", style, (number) => {
      const { mantissa, power } = scientificDigits(number, precision);
      const size = String(Math.abs(power)).padStart(2, "0");
      if (style === "specified") return `${mantissa}e${power < 0 ? "-" : "+"}${size}`;
      return `${mantissa}×10${power < 0 ? "⁻" : ""}${[...size].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("")}`;
    }),
  b: (value) =>
    typeof value === "boolean"
      ? String(Number(value))
      : (integer(value) ?? raise(wrong("only integers and bools can be formatted as binary", value))).toString(2),
  o: (value) => (integer(value) ?? raise(wrong("octal clause can only be used on integers", value))).toString(8),
  x: (value) => hexadecimal(value),
  X: (value) => hexadecimal(value).toUpperCase(),
});

function raise(fault: Error): never {
  throw fault;
}

const integer = (value: Value): bigint | undefined =>
  typeof value === "number" || typeof value === "bigint" ? BigInt(value) : value instanceof Uint ? value.value : undefined;

function hexadecimal(value: Value): string {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  if (bytes instanceof Uint8Array) return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return (integer(value) ?? raise(wrong("only integers, byte buffers, and strings can be formatted as hex", value))).toString(16);
}

const special = (value: number): string | undefined =>
  Number.isNaN(value) ? "NaN" : Number.isFinite(value) ? undefined : value > 0 ? "Infinity" : "-Infinity";

function real(value: Value, name: string, style: FormatStyle, digits: (value: number) => string): string {
  if (style === "kubernetes" && typeof value === "string" && /^(?:NaN|-?Infinity)$/.test(value)) return goSpecial(Number(value))!;
  if (!(value instanceof Double)) throw wrong(`${name} clause can only be used on doubles`, value);
  const sign = value.value < 0 || Object.is(value.value, -0) ? "-" : "";
  return (style === "kubernetes" ? goSpecial(value.value) : special(value.value)) ?? sign + digits(value.value);
}

const goSpecial = (value: number): string | undefined => special(value)?.replace("Infinity", "∞");

/** A value within text; maps by their keys in order. */
function plain(value: Value, style: FormatStyle, context: CallContext, depth: number): string {
  context.work(4);
  if (depth > 100) throw new Unformattable("the value is nested too deeply");
  const kind = kindOf(value);
  switch (kind) {
    case "null":
      return "null";
    case "bool":
    case "int":
      return String(value);
    case "uint":
      return String((value as Uint).value);
    case "double":
      return special((value as Double).value) ?? formatDouble((value as Double).value);
    case "string":
      return value as string;
    case "bytes": {
      const text = decodeText(value as Uint8Array);
      return typeof text === "string" ? text : raise(new Unformattable("invalid UTF-8 in bytes"));
    }
    case "timestamp":
      return (value as Timestamp).toString();
    case "duration":
      return secondsText(value as Duration);
    case "type":
      return (value as TypeValue).name;
    case "list":
      return `[${(value as unknown[]).map((item) => inner(adapt(item), style, context, depth + 1)).join(", ")}]`;
    case "map":
      return mapText(value as object, style, context, depth + 1);
    default:
      throw wrong(
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
        value,
      );
  }
}

function mapText(map: object, style: FormatStyle, context: CallContext, depth: number): string {
  const entries = mapKeys(map).map(
    (key) => [inner(key, style, context, depth), inner(getEntry(map, key)!, style, context, depth)] as const,
  );
  const colon = style === "kubernetes" ? ":" : ": ";
  return `{${entries
    .sort(([a], [b]) => compareStrings(a, b))
    .map(([key, value]) => key + colon + value)
    .join(", ")}}`;
}

/** What stands in a list or map: Kubernetes writes it as CEL would. */
function inner(value: Value, style: FormatStyle, context: CallContext, depth: number): string {
  if (style === "specified") return plain(value, style, context, depth);
  switch (kindOf(value)) {
    case "string":
      return JSON.stringify(value);
    case "bytes":
      return `b${JSON.stringify(plain(value, style, context, depth))}`;
    case "double": {
      const { value: number } = value as Double;
      return Number.isFinite(number) ? (number < 0 ? "-" : "") + fixedDigits(number, 6) : `"${formatDouble(number)}"`;
    }
    case "timestamp":
      return `timestamp("${plain(value, style, context, depth)}")`;
    case "duration":
      return `duration("${plain(value, style, context, depth)}")`;
    default:
      return plain(value, style, context, depth);
  }
}

const outermost = (value: Value, context: CallContext): string =>
  value instanceof Double ? formatDouble(value.value) : plain(value, "kubernetes", context, 0);
