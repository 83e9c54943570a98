import { CelError } from "./values.ts";
import { type Timestamp, floorDivide } from "./time.ts";

/** The parts of an instant as a wall clock in one zone shows them. */
export interface WallClock {
  year: number;
  /** 0 to 11 */
  month: number;
  /** 1 to 31 */
  day: number;
  /** 0 is Sunday */
  weekday: number;
  /** 0 to 365 */
  yearDay: number;
  hour: number;
  minute: number;
  second: number;
  millisecond: number;
}

/** What the clock shows in a zone: an IANA name, or an offset like "+02:00"; without one, in UTC. */
export function wallClock(time: Timestamp, zone?: string): WallClock | CelError {
  const offset = zone === undefined ? 0 : offsetSeconds(time.millis, zone);
  if (offset instanceof CelError) return offset;
  const local = new Date(time.millis + offset * 1000);
  const year = local.getUTCFullYear();
  const newYear = new Date(0);
  newYear.setUTCFullYear(year, 0, 1);
  return {
    year,
    month: local.getUTCMonth(),
    day: local.getUTCDate(),
    weekday: local.getUTCDay(),
    yearDay: Math.floor((local.getTime() - newYear.getTime()) / 86_400_000),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    millisecond: Number((floorDivide(time.nanos, 1_000_000n) % 1000n) + 1000n) % 1000,
  };
}

const clocks = new Map<string, Intl.DateTimeFormat>();
const maxClocks = 200;

function offsetSeconds(millis: number, zone: string): number | CelError {
  if (zone === "" || zone === "UTC") return 0;
  const colon = zone.indexOf(":");
  if (colon >= 0) return fixedOffset(zone, colon);
  const clock = clockOf(zone);
  if (clock === undefined) return new CelError(`unknown time zone ${zone.slice(0, 60)}`);
  const parts: Record<string, number> = {};
  let beforeChrist = false;
  for (const { type, value } of clock.formatToParts(millis)) {
    if (type === "era") beforeChrist = value.startsWith("B");
    else parts[type] = Number(value);
  }
  const local = new Date(0);
  local.setUTCFullYear(beforeChrist ? 1 - parts.year! : parts.year!, parts.month! - 1, parts.day);
  local.setUTCHours(parts.hour!, parts.minute, parts.second);
  return Math.round((local.getTime() - Math.floor(millis / 1000) * 1000) / 1000);
}

/** Hours and minutes, the sign optional: "-08:30", "2:00". */
function fixedOffset(zone: string, colon: number): number | CelError {
  const hours = zone.slice(0, colon);
  const minutes = zone.slice(colon + 1);
  if (!/^[+-]?\d{1,4}$/.test(hours) || !/^[+-]?\d{1,4}$/.test(minutes))
    return new CelError(`invalid time zone offset ${zone.slice(0, 60)}`);
  if (Number(minutes) < 0 || Number(minutes) > 59) return new CelError(`time zone offset minutes out of range: ${zone}`);
  return 60 * (Number(hours) * 60 + (zone.startsWith("-") ? -1 : 1) * Number(minutes));
}

function clockOf(zone: string): Intl.DateTimeFormat | undefined {
  const known = clocks.get(zone);
  if (known) return known;
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]{0,60}$/.test(zone) || zone === "Local") return undefined;
  try {
    const clock = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    if (clocks.size >= maxClocks) clocks.clear();
    clocks.set(zone, clock);
    return clock;
  } catch {
    return undefined; // a RangeError: no such zone
  }
}
