import { CelError, type Value } from "../values/values.ts";
import type { FunctionTable } from "../check/functions.ts";
import { type Duration, type Timestamp, billion } from "../values/time.ts";
import { wallClock, type WallClock } from "../values/zones.ts";

const parts: readonly (readonly [name: string, id: string, read: (clock: WallClock) => number])[] = [
  ["getFullYear", "year", ({ year }) => year],
  ["getMonth", "month", ({ month }) => month],
  ["getDayOfYear", "day_of_year", ({ yearDay }) => yearDay],
  ["getDate", "day_of_month_1_based", ({ day }) => day],
  ["getDayOfMonth", "day_of_month", ({ day }) => day - 1],
  ["getDayOfWeek", "day_of_week", ({ weekday }) => weekday],
  ["getHours", "hours", ({ hour }) => hour],
  ["getMinutes", "minutes", ({ minute }) => minute],
  ["getSeconds", "seconds", ({ second }) => second],
  ["getMilliseconds", "milliseconds", ({ millisecond }) => millisecond],
];

const spans: readonly (readonly [name: string, id: string, nanos: bigint])[] = [
  ["getHours", "hours", 3600n * billion],
  ["getMinutes", "minutes", 60n * billion],
  ["getSeconds", "seconds", billion],
  ["getMilliseconds", "milliseconds", 1_000_000n],
];

function read(time: Value, zone: string | undefined, part: (clock: WallClock) => number): Value {
  const clock = wallClock(time as Timestamp, zone);
  return clock instanceof CelError ? clock : part(clock);
}

/** `timestamp.getHours()` in UTC or a named zone, and `duration.getHours()`. */
export const timeAccessors: FunctionTable = [
  ...parts.flatMap(([name, id, part]) => [
    [`timestamp_to_${id}`, `<timestamp>.${name}() -> int`, ([time]) => read(time!, undefined, part)] as FunctionTable[number],
    [
      id === "seconds" ? "timestamp_to_seconds_tz" : `timestamp_to_${id}_with_tz`,
      `<timestamp>.${name}(string) -> int`,
      ([time, zone]) => read(time!, zone as string, part),
    ] as FunctionTable[number],
  ]),
  ...spans.map(
    ([name, id, nanos]) =>
      [`duration_to_${id}`, `<duration>.${name}() -> int`, ([span]) => Number((span as Duration).nanos / nanos)] as FunctionTable[number],
  ),
];
