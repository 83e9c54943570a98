import type { Clock } from "../kernel/clock.ts";
import { isFault } from "../kernel/faults.ts";
import type { Log } from "../kernel/log.ts";
import type { Db } from "../kernel/sql.ts";
import type { Observation, Runtime, Target } from "../runtime/contract.ts";
import { minuteOf } from "./counters.ts";
import { evaluateAll, type EvaluationParts } from "./evaluate.ts";
import { fold, forgetOldTraffic, forgetTargets } from "./store.ts";

/** How often the counters are read: four times a minute, so that little is lost when an agent's restart resets them. */
const LOOK_EVERY_MS = 15_000;
/** A look just after the minute has turned belongs to the minute before as a whole. */
const AFTER_THE_MINUTE_MS = 20;
const AT_ONCE = 8;

/** Reads the counters of all targets once and adds what they grew by. Throws what the runtime throws. */
export async function look(db: Db, runtime: Runtime): Promise<void> {
  const targets = await runtime.targets();
  const observations: Observation[] = [];
  const rest = [...targets];
  const one = async () => {
    for (let target = rest.pop(); target; target = rest.pop()) {
      const observation = await runtime.observe(target).catch(removedMeanwhile);
      if (observation) observations.push(observation);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  await fold(db, observations);
  await forgetTargets(db, targets);
}

/** A runtime whose counters are read once more before a revision or a target goes, and its counters with it. */
export function countedRuntime(runtime: Runtime, db: Db, log: Log): Runtime {
  const readOnceMore = async (target: Target) => {
    try {
      await fold(db, [await runtime.observe(target)]);
    } catch (error) {
      if (!isGone(error)) log.warn({ err: error, ...target }, "counters could not be read before their revision went");
    }
  };
  return {
    ...runtime,
    retire: async (target, revision) => {
      await readOnceMore(target);
      await runtime.retire(target, revision);
    },
    remove: async (target) => {
      await readOnceMore(target);
      await runtime.remove(target);
    },
  };
}

/** Reads the counters as long as the server runs, and evaluates the objectives once a minute. */
export function startWatching(parts: EvaluationParts & { runtime: Runtime; log: Log; everyMs?: number }): { close(): Promise<void> } {
  const { db, clock, log, runtime, everyMs = LOOK_EVERY_MS } = parts;
  let closed = false;
  let wake = () => {};
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      if (!closed) log.error({ err: error }, `${what} failed; it is tried again`);
    }
  };
  const loop = (async () => {
    let evaluated: number | undefined;
    let cleaned: number | undefined;
    while (!closed) {
      await attempt("reading the counters", () => look(db, runtime));
      const minute = minuteOf(clock.now()).getTime();
      if (!closed && minute !== evaluated) {
        await attempt("evaluating the objectives", () => evaluateAll(parts));
        evaluated = minute;
      }
      const hour = Math.floor(minute / 3_600_000);
      if (!closed && hour !== cleaned) {
        await attempt("removing old counts", () => forgetOldTraffic(db, clock.now()));
        cleaned = hour;
      }
      if (!closed)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, untilNext(clock, everyMs));
          wake = () => (clearTimeout(timer), resolve());
        });
    }
  })();
  return {
    async close() {
      closed = true;
      wake();
      await loop;
    },
  };
}

const untilNext = (clock: Clock, everyMs: number): number => everyMs - (clock.now().getTime() % everyMs) + AFTER_THE_MINUTE_MS;

const isGone = (error: unknown): boolean => isFault(error) && error.code === "runtime.target_unknown";

function removedMeanwhile(error: unknown): undefined {
  if (isGone(error)) return undefined;
  throw error;
}
