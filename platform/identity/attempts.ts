import type { Clock } from "../kernel/clock.ts";
import { tooManyAttempts } from "./faults.ts";

const WINDOW_SECONDS = 60;
const MOST_ADDRESSES = 10_000;

/** Counts failed attempts by address in this process: after `most` of them within a minute the address waits for the minute's end. */
export function attempts(clock: Clock, most = 20) {
  const failed = new Map<string, { since: number; count: number }>();
  const current = (address: string) => {
    const entry = failed.get(address);
    return entry && clock.now().getTime() - entry.since < WINDOW_SECONDS * 1000 ? entry : undefined;
  };
  return {
    /** Throws `identity.too_many_attempts`. */
    refuseTooMany(address: string): void {
      const entry = current(address);
      if (entry && entry.count >= most)
        throw tooManyAttempts(Math.ceil((entry.since + WINDOW_SECONDS * 1000 - clock.now().getTime()) / 1000));
    },
    failed(address: string): void {
      const entry = current(address) ?? { since: clock.now().getTime(), count: 0 };
      entry.count += 1;
      failed.delete(address);
      failed.set(address, entry);
      // Whoever has many addresses gets no memory for them: the oldest are forgotten.
      if (failed.size > MOST_ADDRESSES) for (const oldest of failed.keys()) return void failed.delete(oldest);
    },
  };
}
