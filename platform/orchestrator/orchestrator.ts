import { hostname } from "node:os";
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/faults.ts";
import { newSecret } from "../kernel/ids.ts";
import type { Log } from "../kernel/log.ts";
import { transact, type Db } from "../kernel/sql.ts";
import type { Orchestrator, StartOptions, Workflow } from "./contract.ts";
import { fromText, isConnectionLoss, migrateEngine, startEngine, toText, type Engine } from "./durable.ts";
import { executor } from "./execute.ts";
import { pastReturn, revive, runEnded, runUnknown, startedOtherwise, stopping, workflowUnknown } from "./faults.ts";
import { forgetOld } from "./forget.ts";
import { live } from "./liveness.ts";
import { leaveMessage } from "./messages.ts";
import type { Surroundings } from "./run.ts";
import { addRun, cancelRun, runRow, unbegun } from "./store.ts";
import { newsOf, Wakes } from "./wakes.ts";

const FORGET_EVERY_MS = 3_600_000;

/** A workflow whatever its input and output: each is handed the input that was given for it. */
export type AnyWorkflow<Parts> = Workflow<unknown, Parts, unknown>;

export interface OrchestratorParts<Parts> {
  databaseUrl: string;
  db: Db;
  clock: Clock;
  log: Log;
  workflows: readonly AnyWorkflow<Parts>[];
  /** What every body gets as its third argument. */
  parts: Parts;
  /** The delay before the second attempt of a step; it doubles up to 30 s. Default 1. */
  retrySeconds?: number;
  /** How long close() lets steps finish before it aborts their signal. Default 10. */
  graceSeconds?: number;
  /** When a process that still holds its connection, but gives no sign of life, counts as dead. Default 30. */
  stuckSeconds?: number;
}

/**
 * Executes runs in this process: new ones, those that were under way when a process died, and those of processes that die from now on.
 * One in a process at a time; any number of processes on one database.
 */
export async function startOrchestrator<Parts>(options: OrchestratorParts<Parts>): Promise<Orchestrator> {
  const { databaseUrl, db, clock, log } = options;
  const byName = new Map(options.workflows.map((one) => [one.name, one]));
  const wakes = new Wakes();
  const letGo = new AbortController();
  const underWay = new Set<Promise<unknown>>();
  const never = new Promise<never>(() => {});
  let phase: "running" | "stopping" | "stopped" = "running";
  let engine: Engine | undefined;
  let forgotAt = 0;

  const surroundings: Surroundings = {
    db,
    clock,
    log,
    wakes,
    retrySeconds: options.retrySeconds ?? 1,
    letGo: letGo.signal,
    mayBegin: () => (phase === "running" ? Promise.resolve() : never),
    mayRecord: () => (phase === "stopped" ? never : Promise.resolve()),
    track(work) {
      underWay.add(work);
      return work.finally(() => underWay.delete(work));
    },
    startChild: (parent, id, child, input, about, startedBy) => begin(child, input, { id, about, startedBy }, parent),
    resultOf,
  };

  async function begin(
    workflow: AnyWorkflow<Parts>,
    input: unknown,
    { id, about, startedBy, tx }: StartOptions,
    parent: string | null,
  ): Promise<void> {
    if (!byName.has(workflow.name)) throw workflowUnknown(workflow.name);
    if (phase !== "running") throw stopping();
    const run = {
      id,
      workflow: workflow.name,
      about,
      startedBy,
      parent,
      input: toText(input),
      outline: workflow.outline(input),
      at: clock.now(),
    };
    const added = tx ? await addRun(tx, run) : await transact(db, (own) => addRun(own, run));
    if (!added) {
      const there = await runRow(tx ?? db, id);
      if (there && there.workflow !== workflow.name) throw startedOtherwise(id, there.workflow);
    } else if (!tx) await engine?.begin(id).catch(laterIfOutOfReach);
  }

  /** What was asked for in a transaction that has committed by now, or by a process that died before it began it. */
  async function beginPending(): Promise<void> {
    if (engine && phase === "running") for (const id of await unbegun(db)) await engine.begin(id);
  }

  /** The run is asked for: the next beat begins it. */
  function laterIfOutOfReach(error: unknown): void {
    if (!isConnectionLoss(error)) throw error;
    log.warn({ because: messageOf(error) }, "the database is out of reach; the run begins when it is back");
  }

  async function resultOf(id: string, signal: AbortSignal): Promise<unknown> {
    for (;;) {
      const row = await runRow(db, id).catch((error) => {
        if (isConnectionLoss(error)) return "out of reach" as const;
        throw error;
      });
      if (row === undefined) throw runUnknown(id);
      if (row !== "out of reach" && row.ended_at !== null) {
        if (row.error) throw revive(row.error);
        return row.output === null ? undefined : fromText(row.output);
      }
      signal.throwIfAborted();
      await wakes.sleep(id, 1, signal);
    }
  }

  await migrateEngine(db, databaseUrl, log);
  const executorId = `${hostname()}-${process.pid}-${newSecret().slice(0, 8)}`; // two living processes with one id would steal from each other
  const liveness = await live({
    databaseUrl,
    db,
    executorId,
    log,
    stuckSeconds: options.stuckSeconds ?? 30,
    onNotice(channel, id) {
      wakes.wake(id);
      if (channel !== "cairn_run_wakes") return;
      wakes.wake(newsOf(id));
      beginPending().catch((error) => log.debug({ because: messageOf(error) }, "the next beat begins what was asked for"));
    },
    onGap: () => wakes.wakeAll(),
    async onDead(ids) {
      if (!engine || phase !== "running") return;
      log.info({ executors: ids }, "taking over the runs of processes that are gone");
      await engine.adopt(ids);
    },
    async onBeat() {
      await beginPending();
      if (!engine || Date.now() - forgotAt < FORGET_EVERY_MS) return;
      forgotAt = Date.now();
      await forgetOld(db, engine.forget);
    },
  });
  engine = await startEngine({ databaseUrl, executorId, log, execute: executor({ byName, parts: options.parts, surroundings }) });

  return {
    async start(workflow, input, startOptions) {
      await begin(workflow as AnyWorkflow<never> as AnyWorkflow<Parts>, input, startOptions, null);
      return { id: startOptions.id };
    },
    result: <O>(id: string) => resultOf(id, letGo.signal) as Promise<O>,
    send: (id, topic, message, sending = {}) => leaveMessage(sending.tx ?? db, id, topic, sending.key ?? newSecret(), message),
    async cancel(id, because, by) {
      const found = await transact(db, (tx) => cancelRun(tx, id, { because, by }));
      if (found.ended) throw runEnded(id, found.state);
      if (found.committed) throw pastReturn(id);
    },
    async close() {
      if (phase !== "running") return;
      phase = "stopping";
      await within(options.graceSeconds ?? 10, underWay);
      letGo.abort(stopping());
      phase = "stopped";
      await within(2, underWay);
      await liveness.close();
      await engine?.close();
    },
  };
}

/** Waits for the work to end, at most so long. */
async function within(seconds: number, work: ReadonlySet<Promise<unknown>>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, seconds * 1000)));
  await Promise.race([over, Promise.allSettled(work)]);
  clearTimeout(timer);
}
