import { connectAgent } from "@cairn/agent/client.ts";
import type { Clock } from "../kernel/clock.ts";
import { isFault, messageOf } from "../kernel/faults.ts";
import type { Log } from "../kernel/log.ts";
import { startLooking } from "./look.ts";

const EVERY_MS = 1000;
/** Asked twice before it is started: most often its keeper is quicker. */
const MISSED = 2;
const REMEMBERED_MS = 10 * 60_000;
const LONGEST_WAIT_MS = 60_000;

/**
 * Keeps the agent of a home there. One that dies alone is started by its keeper; where both are gone, it is started from here, as `cairn start` does. Two that start it at once, or a
 * keeper that is just about to, give one agent: the home's lock decides. It is asked over its socket and nowhere else, since the database may be in its hands.
 */
export function startKeepingAgent(parts: { home: string; clock: Clock; log: Log; start: () => Promise<unknown>; everyMs?: number }): {
  /** That there is no agent now, and what becomes of it; undefined where there is one. */
  absence(): string | undefined;
  close(): Promise<void>;
} {
  const { home, clock, log, start, everyMs = EVERY_MS } = parts;
  let starts: Date[] = [];
  let missed = 0;
  let failure: string | undefined;

  const look = async (): Promise<void> => {
    missed = (await isThere(home)) ? 0 : missed + 1;
    if (missed < MISSED) return;
    const now = clock.now();
    starts = starts.filter((at) => now.getTime() - at.getTime() < REMEMBERED_MS);
    if (now < startsAgainAt(starts, now)) return;
    log.error({ home, startedBefore: starts.length }, "the agent is gone, and its keeper; it is started again");
    failure = await start().then(() => undefined, messageOf);
    starts.push(clock.now());
    if (failure === undefined) missed = 0;
    else log.error({ because: failure }, "the agent could not be started");
  };
  const { close } = startLooking(look, log, everyMs);

  return {
    close,
    absence() {
      if (missed < MISSED) return undefined;
      const now = clock.now();
      const next = startsAgainAt(starts, now);
      const before =
        starts.length === 0
          ? ""
          : `, after ${starts.length} ${starts.length === 1 ? "start" : "starts"} in ten minutes${failure ? ` (the last: ${failure})` : ""}`;
      return `No agent runs${before}; it is started again ${next > now ? `at ${next.toISOString()}` : "now"}`;
    },
  };
}

/** When an agent that was started at these times, and is gone again, is to be started: at once, then after 1, 2, 4 and up to 60 seconds. */
export function startsAgainAt(starts: readonly Date[], now: Date): Date {
  const last = starts.at(-1);
  return last ? new Date(last.getTime() + Math.min(LONGEST_WAIT_MS, 1000 * 2 ** (starts.length - 1))) : now;
}

/** One that is there and does not answer well is there: it has the home's lock. */
const isThere = (home: string): Promise<boolean> =>
  connectAgent(home).then(
    () => true,
    (error: unknown) => !(isFault(error) && error.code === "agent.not_running"),
  );
