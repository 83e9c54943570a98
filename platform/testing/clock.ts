import type { Clock } from "../kernel/clock.ts";

/** A clock that stands still until the test turns it. */
export interface TestClock extends Clock {
  turn(seconds: number): void;
}

export function testClock(start = "2026-03-01T12:00:00.000Z"): TestClock {
  let now = new Date(start).getTime();
  return { now: () => new Date(now), turn: (seconds) => void (now += seconds * 1000) };
}
