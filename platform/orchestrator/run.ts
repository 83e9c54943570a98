import type { Clock } from "../kernel/clock.ts";
import { messageOf, type Fault } from "../kernel/faults.ts";
import type { Log } from "../kernel/log.ts";
import { transact, type Db, type Tx } from "../kernel/sql.ts";
import type { ChildOptions, Run, Step, StepOptions, WaitOptions, Workflow } from "./contract.ts";
import { isConnectionLoss, isSuperseded, keepable, outside, superseded, type Execution, type Slot } from "./durable.ts";
import { cancelled, faultOf, keep, revive, stepsOverlap, stepTimedOut, type KeptFault } from "./faults.ts";
import { hasNews, takeMessage } from "./messages.ts";
import type { StepState } from "./model.ts";
import { beginStep, cancellationOf, commitRun, endStep, tellStep } from "./store.ts";
import { newsOf, type Wakes } from "./wakes.ts";

const TIMEOUT_SECONDS = 300;
const ATTEMPTS = 3;
const ATTEMPTS_AFTER_COMMIT = 10;
/** Some minutes: the next attempt begins once the database answers. */
const ATTEMPTS_WITHOUT_DATABASE = 20;
const LONGEST_RETRY_SECONDS = 30;
/** How long an action may take to let go after its signal. */
const SETTLE_SECONDS = 10;
/** How often a waiting run looks by itself, in case a notice was lost. */
const LOOK_SECONDS = 5;

/** What a run needs of the process it is in. */
export interface Surroundings {
  db: Db;
  clock: Clock;
  log: Log;
  wakes: Wakes;
  /** The first delay before another attempt; it doubles. */
  retrySeconds: number;
  /** Aborted when the process stops: actions let go. */
  letGo: AbortSignal;
  /** Settles while the process runs. Once it is stopping no new work begins: never settles then. */
  mayBegin(): Promise<void>;
  /** Settles until the process has stopped: what was under way may still be recorded while it is stopping. */
  mayRecord(): Promise<void>;
  /** Work that a stopping process waits for. */
  track<T>(work: Promise<T>): Promise<T>;
  startChild(
    parent: string,
    id: string,
    workflow: Workflow<never, never, unknown>,
    input: unknown,
    about: string,
    startedBy: string,
  ): Promise<void>;
  resultOf(id: string, signal: AbortSignal): Promise<unknown>;
}

/** How something ended, as a checkpoint keeps it: a fault is kept field by field, so that it survives. */
type Outcome = { value: unknown; fault?: undefined } | { fault: KeptFault; again?: boolean; notBegun?: boolean };

export interface LiveRun extends Run {
  /** Undoes what finished, in reverse. True when everything could be undone; undefined when there was nothing to undo. */
  undo(): Promise<boolean | undefined>;
  readonly committed: boolean;
}

interface Undoable {
  name: string;
  label: string;
  timeoutSeconds: number | undefined;
  attempts: number | undefined;
  /** Why the step itself failed, where it did. */
  failed: string | undefined;
  rollback: (step: Step) => Promise<void | "kept">;
}

/** The run of an execution. See contract.ts for what each call promises. */
export function liveRun(execution: Execution, about: string, startedBy: string, at: Surroundings): LiveRun {
  const { id } = execution;
  const rounds = new Map<string, number>();
  const undoables: Undoable[] = [];
  let committed = false;
  let busy: string | undefined;
  let lost: Error | undefined;
  let settled: Promise<unknown> = Promise.resolve();

  /** One call at a time; none after the run went to another process. */
  const alone = <T>(name: string, body: () => Promise<T>): Promise<T> => {
    if (busy !== undefined) return Promise.reject(stepsOverlap(name));
    busy = name;
    const result = guarded(body);
    settled = result.catch(() => {});
    return result;
  };
  const guarded = async <T>(body: () => Promise<T>): Promise<T> => {
    try {
      if (lost) throw lost;
      await at.mayBegin();
      return await body();
    } catch (error) {
      if (isSuperseded(error)) lost = error as Error;
      else await at.mayRecord(); // what fails while the process stops is not what the run should remember
      throw error;
    } finally {
      busy = undefined;
    }
  };

  const roundOf = (name: string): number => {
    const round = (rounds.get(name) ?? 0) + 1;
    rounds.set(name, round);
    return round;
  };
  const labelOf = (name: string, round: number) => (round === 1 ? name : `${name}.${round}`);

  const record = async <T>(slot: Slot, write: (db: Db) => Promise<T>): Promise<T> => {
    await at.mayRecord();
    return slot.record(write);
  };

  /** Repeats what only reads or shows until the database answers. */
  const reaching = async <T>(query: () => Promise<T>): Promise<T> => {
    for (let delay = 0.1; ; delay = Math.min(delay * 2, 5)) {
      await at.mayRecord();
      try {
        return await query();
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
        at.log.warn({ run: id, because: messageOf(error) }, "the database is out of reach; trying again");
        await at.wakes.sleep(id, delay, at.letGo);
      }
    }
  };

  const begin = async (
    name: string,
    round: number,
    state: "running" | "waiting" = "running",
    waitsFor: string | null = null,
    childRun: string | null = null,
  ) => {
    await at.mayBegin();
    const begun = await reaching(() =>
      beginStep(at.db, { run: id, owner: execution.owner, name, round, state, waitsFor, childRun, at: at.clock.now() }),
    );
    if (!begun) throw superseded(id);
    return begun;
  };

  const delayOf = (attempt: number) => Math.min(at.retrySeconds * 2 ** (attempt - 1), LONGEST_RETRY_SECONDS);
  const mayTryAgain = (fault: Fault, error: unknown, attempt: number, attempts: number | undefined) => {
    // The database that went away in the middle of an action says nothing about the action.
    if (isConnectionLoss(error)) return attempt < ATTEMPTS_WITHOUT_DATABASE;
    return (committed || fault.kind === "unavailable") && attempt < (attempts ?? (committed ? ATTEMPTS_AFTER_COMMIT : ATTEMPTS));
  };

  /** Gives the action what it may know, and ends waiting for it at the time limit. */
  const bounded = async <T>(
    name: string,
    key: string,
    attempt: number,
    timeoutSeconds: number,
    action: (step: Step) => Promise<T>,
    cancellable: boolean,
  ): Promise<T> => {
    const limit = new AbortController();
    const timedOut = stepTimedOut(name, timeoutSeconds);
    const step: Step = {
      signal: AbortSignal.any([limit.signal, at.letGo]),
      attempt,
      key,
      tell: async (detail) => {
        if (!(await reaching(() => tellStep(at.db, id, execution.owner, name, detail)))) limit.abort(superseded(id));
      },
    };
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, reject) => {
      if (!Number.isFinite(timeoutSeconds)) return;
      timer = setTimeout(() => {
        limit.abort(timedOut);
        timer = setTimeout(() => reject(timedOut), SETTLE_SECONDS * 1000);
      }, timeoutSeconds * 1000);
    });
    const ended = new AbortController();
    if (cancellable) void hearCancellation(limit, ended.signal);
    try {
      return await Promise.race([outside(() => action(step)), over]);
    } catch (error) {
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      ended.abort();
      clearTimeout(timer);
    }
  };

  /** Tells an action that its run was cancelled. An action that does not listen ends as it would; the next step then does not begin. */
  const hearCancellation = async (limit: AbortController, ended: AbortSignal): Promise<void> => {
    for (;;) {
      await at.wakes.sleep(newsOf(id), LOOK_SECONDS, ended);
      if (ended.aborted) return;
      const found = await cancellationOf(at.db, id).catch(() => undefined);
      if (found && !ended.aborted) return limit.abort(cancelled(found.because, found.by));
    }
  };

  /** Executes a step until it ended, and records how. */
  const perform = async <T>(
    slot: Slot,
    name: string,
    round: number,
    action: (step: Step) => Promise<T>,
    options: StepOptions<T>,
    childRun: string | null,
  ): Promise<Outcome> => {
    for (let attempt = 1; ; attempt++) {
      const begun = await begin(name, round, "running", null, childRun);
      // A step that an earlier execution began is executed again even if the run was cancelled meanwhile: only so it is known to be done, and then undone.
      if (begun.cancelled && !committed && (attempt > 1 || begun.attempt === 1))
        return endCancelled(slot, name, begun.cancelled.because, begun.cancelled.by);
      const executed = async (): Promise<Outcome | undefined> => {
        let outcome: Outcome;
        try {
          outcome = {
            value: keepable(
              name,
              await bounded(
                name,
                `${id}/${labelOf(name, round)}`,
                begun.attempt,
                options.timeoutSeconds ?? TIMEOUT_SECONDS,
                action,
                !committed && childRun === null,
              ),
            ),
          };
        } catch (error) {
          await at.mayRecord();
          if (isSuperseded(error)) throw error;
          const fault = faultOf(error);
          at.log.warn({ run: id, step: name, attempt: begun.attempt, err: error }, "a step failed");
          if (mayTryAgain(fault, error, attempt, options.attempts)) {
            await reaching(() => tellStep(at.db, id, execution.owner, name, `${fault.message} Trying again.`));
            return undefined;
          }
          outcome = { fault: keep(fault) };
        }
        return record(slot, (db) => end(db, name, outcome));
      };
      const outcome = await (childRun === null ? at.track(executed()) : executed());
      if (outcome) return outcome;
      await at.wakes.sleep(`${id} retry`, delayOf(attempt), at.letGo);
    }
  };

  const end = async (db: Db, name: string, outcome: Outcome): Promise<Outcome> => {
    const state: StepState = outcome.fault ? (outcome.again ? "running" : "failed") : "success";
    await endStep(db, id, name, state, outcome.fault?.message, at.clock.now());
    return outcome;
  };

  const endCancelled = (slot: Slot, name: string, because: string, by: string): Promise<Outcome> =>
    record(slot, async (db) => {
      await endStep(db, id, name, "pending", "Not begun: the run was cancelled.", at.clock.now());
      return { fault: keep(cancelled(because, by)), notBegun: true };
    });

  /** `atomic`: a failure has left nothing to undo. */
  const settle = <T>(name: string, label: string, outcome: Outcome, options: StepOptions<T>, atomic: boolean): T => {
    const { rollback } = options;
    const value = outcome.fault ? undefined : (outcome.value as T);
    if (rollback && !(outcome.fault && (atomic || committed || outcome.notBegun)))
      undoables.push({
        name,
        label,
        timeoutSeconds: options.timeoutSeconds,
        attempts: options.attempts,
        failed: outcome.fault?.message,
        rollback: (step) => rollback(value, step),
      });
    if (outcome.fault) throw revive(outcome.fault);
    return value as T;
  };

  const stepOf = <T>(
    name: string,
    action: (step: Step) => Promise<T>,
    options: StepOptions<T>,
    childOf?: (label: string) => string,
  ): Promise<T> =>
    alone(name, async () => {
      const round = roundOf(name);
      const label = labelOf(name, round);
      const slot = execution.slot(label);
      const outcome =
        (slot.recorded as Outcome | undefined) ?? (await perform(slot, name, round, action, options, childOf?.(label) ?? null));
      return settle(name, label, outcome, options, childOf !== undefined);
    });

  return {
    id,
    about,
    startedBy,
    get committed() {
      return committed;
    },

    step: (name, action, options = {}) => stepOf(name, action, options),

    transaction: <T>(name: string, action: (tx: Tx) => Promise<T>, options: StepOptions<T> = {}) =>
      alone(name, async () => {
        const round = roundOf(name);
        const label = labelOf(name, round);
        for (let attempt = 1; ; attempt++) {
          const slot = execution.slot(label);
          const outcome =
            (slot.recorded as Outcome | undefined) ??
            (await at.track(
              record(slot, async (db): Promise<Outcome> => {
                const begun = await beginStep(db, {
                  run: id,
                  owner: execution.owner,
                  name,
                  round,
                  state: "running",
                  waitsFor: null,
                  childRun: null,
                  at: at.clock.now(),
                });
                if (!begun) throw superseded(id);
                if (begun.cancelled && !committed) {
                  await endStep(db, id, name, "pending", "Not begun: the run was cancelled.", at.clock.now());
                  return { fault: keep(cancelled(begun.cancelled.because, begun.cancelled.by)), notBegun: true };
                }
                try {
                  return await end(db, name, { value: await outside(() => transact(db, async (tx) => keepable(name, await action(tx)))) });
                } catch (error) {
                  if (isConnectionLoss(error) || isSuperseded(error)) throw error; // the whole transaction is repeated, or given up
                  const fault = faultOf(error);
                  at.log.warn({ run: id, step: name, attempt, err: error }, "a step failed");
                  return end(db, name, { fault: keep(fault), again: mayTryAgain(fault, error, attempt, options.attempts) });
                }
              }),
            ));
          if (!outcome.fault || !outcome.again) return settle(name, label, outcome, options, true);
          if (!slot.recorded) await at.wakes.sleep(`${id} retry`, delayOf(attempt), at.letGo);
          await at.mayBegin();
        }
      }),

    child: <I, P, O>(name: string, workflow: Workflow<I, P, O>, input: I, options: ChildOptions<O> = {}) => {
      const childOf = (label: string) => `${id}/${label}`;
      return stepOf<O>(
        name,
        async (step) => {
          await at.startChild(id, step.key, workflow as Workflow<never, never, unknown>, input, options.about ?? about, startedBy);
          return (await at.resultOf(step.key, step.signal)) as O;
        },
        { ...(options.rollback && { rollback: options.rollback }), timeoutSeconds: Number.POSITIVE_INFINITY, attempts: 1 },
        childOf,
      );
    },

    pause: (seconds) =>
      alone("pause", async () => {
        const slot = execution.slot("pause");
        const until = (slot.recorded as Date | undefined) ?? (await record(slot, async () => new Date(Date.now() + seconds * 1000)));
        // A message or a cancellation ends the sleep; only the latter ends the pause, and the next step finds it.
        for (let left = until.getTime() - Date.now(); left > 0; left = until.getTime() - Date.now()) {
          await at.wakes.sleep(id, left / 1000, at.letGo);
          await at.mayBegin();
          if (until.getTime() > Date.now() && (await reaching(() => hasNews(at.db, id, "")))) return;
        }
      }),

    waitFor: <T>(name: string, options: WaitOptions) =>
      alone(name, async () => {
        const round = roundOf(name);
        const label = labelOf(name, round);
        const asked = execution.slot(`${label} asked`);
        const until =
          (asked.recorded as Date | undefined) ??
          (await record(
            asked,
            async () => new Date(Date.now() + Math.min(options.timeoutSeconds ?? Number.POSITIVE_INFINITY, 1e10) * 1000),
          ));
        const slot = execution.slot(label);
        let outcome = slot.recorded as Outcome | undefined;
        while (!outcome) {
          await begin(name, round, "waiting", options.waitsFor);
          while (!(await reaching(() => hasNews(at.db, id, options.topic))) && Date.now() < until.getTime()) {
            await at.wakes.sleep(id, Math.min(LOOK_SECONDS, Math.max(0.01, (until.getTime() - Date.now()) / 1000)), at.letGo);
            await at.mayBegin();
          }
          outcome = await record(slot, async (db): Promise<Outcome> => {
            const row = await db.selectFrom("workflow_run").select("cancelled").where("id", "=", id).executeTakeFirstOrThrow();
            if (row.cancelled && !committed) return end(db, name, { fault: keep(cancelled(row.cancelled.because, row.cancelled.by)) });
            return end(db, name, { value: (await takeMessage(db, id, options.topic))?.message });
          });
        }
        return settle<T | undefined>(name, label, outcome, {}, true);
      }),

    now: () =>
      alone("now", async () => {
        const slot = execution.slot("now");
        return (slot.recorded as Date | undefined) ?? record(slot, async () => at.clock.now());
      }),

    commit: () =>
      alone("commit", async () => {
        const slot = execution.slot("commit");
        const outcome =
          (slot.recorded as Outcome | undefined) ??
          (await record(slot, async (db): Promise<Outcome> => {
            const stopped = await commitRun(db, id, at.clock.now());
            return stopped ? { fault: keep(cancelled(stopped.because, stopped.by)) } : { value: true };
          }));
        if (outcome.fault) throw revive(outcome.fault);
        committed = true;
        undoables.length = 0;
      }),

    async undo() {
      await settled; // a body that did not await its last step failed before that step ended
      let all: boolean | undefined;
      for (const undoable of undoables.reverse()) {
        const done = await alone(`undo ${undoable.label}`, async () => {
          const slot = execution.slot(`undo ${undoable.label}`);
          return (slot.recorded as boolean | "kept" | undefined) ?? (await undoOne(slot, undoable));
        });
        if (done !== "kept") all = (all ?? true) && done;
      }
      return all;
    },
  };

  async function undoOne(slot: Slot, { name, label, timeoutSeconds, attempts, failed, rollback }: Undoable): Promise<boolean | "kept"> {
    for (let attempt = 1; ; attempt++) {
      if (!(await reaching(() => tellStep(at.db, id, execution.owner, name, "Rolling back.")))) throw superseded(id);
      let fault: Fault | undefined;
      let result: void | "kept" = undefined;
      try {
        result = await bounded(name, `${id}/undo ${label}`, attempt, timeoutSeconds ?? TIMEOUT_SECONDS, rollback, false);
      } catch (error) {
        await at.mayRecord();
        if (isSuperseded(error)) throw error;
        fault = faultOf(error);
        at.log.error({ run: id, step: name, attempt, err: error }, "a rollback failed");
        if (mayTryAgain(fault, error, attempt, attempts)) {
          await at.wakes.sleep(`${id} retry`, delayOf(attempt), at.letGo);
          continue;
        }
      }
      const end = fault ? { state: "failed" as const, said: `The rollback failed: ${fault.message}` } : undoneAs(result, failed);
      const done = fault ? false : (result ?? true);
      return record(slot, async (db) => {
        await endStep(db, id, name, end.state, failed === undefined ? end.said : `${failed} ${end.said}`, at.clock.now());
        return done;
      });
    }
  }
}

/** How a step is shown once its rollback went well. One that had failed stays failed. */
function undoneAs(result: void | "kept", failed: string | undefined): { state: StepState; said: string } {
  if (failed !== undefined) return { state: "failed", said: result === "kept" ? "Kept." : "What it had done was undone." };
  return result === "kept" ? { state: "success", said: "Kept." } : { state: "rolled_back", said: "Rolled back." };
}
