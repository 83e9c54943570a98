import { CelError, Double, TypeValue, Uint, typeNameOf, type Value } from "../values/values.ts";
import type { FunctionTable } from "../check/functions.ts";
import { toInt, toUint } from "../values/numbers.ts";
import { type Duration, type Timestamp, billion, floorDivide, parseDuration, parseTimestamp, timestampOf } from "../values/time.ts";

const same = ([value]: readonly Value[]): Value => value!;
const doubleValue = (value: Value): number =>
  value instanceof Double ? value.value : value instanceof Uint ? Number(value.value) : Number(value);

/** Conversions between types, each an error where the value has no place in the other type. */
export const conversions: FunctionTable = [
  ["bool_to_bool", "bool(bool) -> bool", same],
  ["string_to_bool", "bool(string) -> bool", ([text]) => parseBool(text as string)],
  ["bytes_to_bytes", "bytes(bytes) -> bytes", same],
  ["string_to_bytes", "bytes(string) -> bytes", ([text]) => new TextEncoder().encode(text as string)],
  ["double_to_double", "double(double) -> double", same],
  ["int64_to_double", "double(int) -> double", ([value]) => new Double(doubleValue(value!))],
  ["uint64_to_double", "double(uint) -> double", ([value]) => new Double(doubleValue(value!))],
  ["string_to_double", "double(string) -> double", ([text]) => parseDouble(text as string)],
  ["duration_to_duration", "duration(duration) -> duration", same],
  ["string_to_duration", "duration(string) -> duration", ([text]) => parseDuration(text as string)],
  ["to_dyn", "dyn(A) -> dyn", same],
  ["int64_to_int64", "int(int) -> int", same],
  ["uint64_to_int64", "int(uint) -> int", ([value]) => toInt((value as Uint).value)],
  ["double_to_int64", "int(double) -> int", ([value]) => doubleToInt((value as Double).value)],
  ["string_to_int64", "int(string) -> int", ([text]) => parseInteger(text as string)],
  ["timestamp_to_int64", "int(timestamp) -> int", ([value]) => Number(floorDivide((value as Timestamp).nanos, billion))],
  ["duration_to_int64", "int(duration) -> int", ([value]) => toInt((value as Duration).nanos)],
  ["string_to_string", "string(string) -> string", same],
  ["bool_to_string", "string(bool) -> string", ([value]) => String(value)],
  ["int64_to_string", "string(int) -> string", ([value]) => String(value)],
  ["uint64_to_string", "string(uint) -> string", ([value]) => String((value as Uint).value)],
  ["double_to_string", "string(double) -> string", ([value]) => formatDouble((value as Double).value)],
  ["bytes_to_string", "string(bytes) -> string", ([value]) => decodeText(value as Uint8Array)],
  ["timestamp_to_string", "string(timestamp) -> string", ([value]) => (value as Timestamp).toString()],
  ["duration_to_string", "string(duration) -> string", ([value]) => secondsText(value as Duration)],
  ["timestamp_to_timestamp", "timestamp(timestamp) -> timestamp", same],
  ["int64_to_timestamp", "timestamp(int) -> timestamp", ([value]) => timestampOf(BigInt(value as number) * billion)],
  ["string_to_timestamp", "timestamp(string) -> timestamp", ([text]) => parseTimestamp(text as string)],
  ["uint64_to_uint64", "uint(uint) -> uint", same],
  ["int64_to_uint64", "uint(int) -> uint", ([value]) => toUint(BigInt(value as number))],
  ["double_to_uint64", "uint(double) -> uint", ([value]) => doubleToUint((value as Double).value)],
  ["string_to_uint64", "uint(string) -> uint", ([text]) => parseUint(text as string)],
  ["type", "type(A) -> type(A)", ([value]) => new TypeValue(typeNameOf(value!))],
];

/** A double as Go's %g with the shortest digits prints it. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  const size = Math.abs(power);
  return `${mantissa}e${power < 0 ? "-" : "+"}${size < 10 ? "0" : ""}${size}`;
}

export function decodeText(bytes: Uint8Array): Value {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new CelError("invalid UTF-8 in bytes, cannot convert to string");
  }
}

/** Seconds by way of a double, as Go prints a duration. */
export function secondsText(value: Duration): string {
  const seconds = Number(value.nanos / billion) + Number(value.nanos % billion) / 1e9;
  return Math.abs(seconds) < 1e-6 ? value.toString() : `${seconds}s`;
}

const trueWords = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const falseWords = new Set(["0", "f", "F", "false", "FALSE", "False"]);

function parseBool(text: string): Value {
  if (trueWords.has(text)) return true;
  return falseWords.has(text) ? false : new CelError(`cannot convert ${show(text)} to bool`);
}

export function parseDouble(text: string): Value {
  const digits = text.replaceAll(/(?<=\d)_(?=\d)/g, "");
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(digits)) {
    const value = Number(digits);
    return Number.isFinite(value) ? new Double(value) : new CelError(`${show(text)} is out of the range of double`);
  }
  const hex = /^([+-]?)0[xX]([0-9a-fA-F]{1,13})(?:\.([0-9a-fA-F]{0,13}))?[pP]([+-]?\d{1,4})$/.exec(text);
  if (hex)
    return new Double(
      (hex[1] === "-" ? -1 : 1) * Number.parseInt(hex[2]! + (hex[3] ?? ""), 16) * 2 ** (Number(hex[4]) - 4 * (hex[3] ?? "").length),
    );
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (word) return new Double(/nan/i.test(text) ? Number.NaN : word[1] === "-" ? -Infinity : Infinity);
  return new CelError(`cannot convert ${show(text)} to double`);
}

const parseInteger = (text: string): Value =>
  /^[+-]?\d{1,60}$/.test(text) ? toInt(BigInt(text.replace("+", ""))) : new CelError(`cannot convert ${show(text)} to int`);

const parseUint = (text: string): Value =>
  /^\d{1,60}$/.test(text) ? toUint(BigInt(text)) : new CelError(`cannot convert ${show(text)} to uint`);

const doubleToInt = (value: number): Value =>
  value > -(2 ** 63) && value < 2 ** 63 ? toInt(BigInt(Math.trunc(value))) : new CelError("integer overflow");

const doubleToUint = (value: number): Value =>
  value >= 0 && value < 2 ** 64 ? toUint(BigInt(Math.trunc(value))) : new CelError("unsigned integer overflow");

const show = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
