import { CelError, CelObject, type Value } from "./values.ts";
import { maxInt, minInt } from "./numbers.ts";

/** An instant: nanoseconds since 1970 in UTC, from year 1 to year 9999. */
export class Timestamp extends CelObject {
  readonly kind = "timestamp";
  readonly nanos: bigint;
  /** Minutes east of UTC that it was written with: Go prints a timestamp the way it was read. */
  readonly offsetMinutes: number;
  constructor(nanos: bigint, offsetMinutes = 0) {
    super();
    this.nanos = nanos;
    this.offsetMinutes = offsetMinutes;
  }
  static fromMillis(millis: number): Value {
    return timestampOf(BigInt(millis) * 1_000_000n);
  }
  get millis(): number {
    return Number(floorDivide(this.nanos, 1_000_000n));
  }
  /** RFC 3339 with as many digits of the second as are needed. */
  override toString(): string {
    const seconds = floorDivide(this.nanos, billion);
    const local = new Date(Number(seconds) * 1000 + this.offsetMinutes * 60_000).toISOString().replace(/^\+00/, "");
    const fraction = (this.nanos - seconds * billion).toString().padStart(9, "0").replace(/0+$/, "");
    return local.slice(0, local.indexOf(".")) + (fraction && `.${fraction}`) + zoneSuffix(this.offsetMinutes);
  }
}

/** A span of time in nanoseconds, within int64. */
export class Duration extends CelObject {
  readonly kind = "duration";
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    super();
    this.nanos = nanos;
  }
  /** Seconds with an "s": what string(duration) gives. */
  override toString(): string {
    const magnitude = this.nanos < 0n ? -this.nanos : this.nanos;
    const fraction = (magnitude % billion).toString().padStart(9, "0").replace(/0+$/, "");
    return `${this.nanos < 0n ? "-" : ""}${magnitude / billion}${fraction && `.${fraction}`}s`;
  }
}

export function timestampOf(nanos: bigint, offsetMinutes = 0): Value {
  if (nanos < minTimestamp || nanos > maxTimestamp) return new CelError("timestamp overflow");
  return new Timestamp(nanos, offsetMinutes);
}

export const durationOf = (nanos: bigint): Value =>
  nanos < minInt || nanos > maxInt ? new CelError("duration overflow") : new Duration(nanos);

/** Reads RFC 3339 as Go's time.Parse does: a zone is required, the fraction of a second may have any length. */
export function parseTimestamp(text: string): Value {
  const parts = rfc3339.exec(text);
  if (!parts) return new CelError(`cannot parse '${clip(text)}' as a timestamp: RFC 3339 is expected, like 2026-01-31T08:00:00Z`);
  const [, year, month, day, hour, minute, second, fraction = "", zone, sign, zoneHour, zoneMinute] = parts;
  const fields = [year, month, day, hour, minute, second].map(Number) as [number, number, number, number, number, number];
  const offsetMinutes = zone === "Z" ? 0 : (sign === "-" ? -1 : 1) * (Number(zoneHour) * 60 + Number(zoneMinute));
  if (!isRealTime(fields) || Math.abs(offsetMinutes) >= 24 * 60 || Number(zoneMinute ?? 0) > 59)
    return new CelError(`cannot parse '${clip(text)}' as a timestamp: a part is out of range`);
  const date = new Date(0);
  date.setUTCFullYear(fields[0], fields[1] - 1, fields[2]);
  date.setUTCHours(fields[3], fields[4], fields[5]);
  const nanos = BigInt(date.getTime() - offsetMinutes * 60_000) * 1_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return timestampOf(nanos, offsetMinutes);
}

/** Reads Go's duration syntax: "1h30m", "-1.5s", "300ms"; the units are h, m, s, ms, us (or µs) and ns. */
export function parseDuration(text: string): Value {
  const fault = () => new CelError(`cannot parse '${clip(text)}' as a duration: like 1h30m, 1.5s or 300ms`);
  const negative = text.startsWith("-");
  const body = /^[+-]/.test(text) ? text.slice(1) : text;
  if (body === "0") return new Duration(0n);
  if (body === "" || body.length > 200) return fault();
  let nanos = 0n;
  let end = 0;
  for (const part of body.matchAll(durationPart)) {
    if (part.index !== end) return fault();
    end += part[0].length;
    const [, whole = "", fraction = "", unit] = part;
    if (whole === "" && fraction === "") return fault();
    const scale = units[unit!]!;
    nanos += BigInt(whole || "0") * scale + (fraction === "" ? 0n : (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length));
    if (nanos > maxInt + 1n) return fault();
  }
  if (end !== body.length) return fault();
  return negative || nanos <= maxInt ? durationOf(negative ? -nanos : nanos) : fault();
}

/** Rounds toward minus infinity. */
export function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

export const billion = 1_000_000_000n;

const minTimestamp = -62_135_596_800n * billion;
const maxTimestamp = 253_402_300_799n * billion + 999_999_999n;
const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|([+-])(\d\d):(\d\d))$/;
const durationPart = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/gy;
const units: Record<string, bigint> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: billion,
  m: 60n * billion,
  h: 3600n * billion,
};

const clip = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}...` : text);

function isRealTime([year, month, day, hour, minute, second]: [number, number, number, number, number, number]): boolean {
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return false;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return day <= [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
}

function zoneSuffix(offsetMinutes: number): string {
  if (offsetMinutes === 0) return "Z";
  const size = Math.abs(offsetMinutes);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${offsetMinutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
