import { isFault, messageOf } from "../kernel/faults.ts";
import type { Db } from "../kernel/sql.ts";
import type { Workflow } from "./contract.ts";
import { fromText, isConnectionLoss, isSuperseded, openExecution, toText, type Execution } from "./durable.ts";
import { cancelled, faultOf, keep, revive, type KeptFault } from "./faults.ts";
import { liveRun, type LiveRun, type Surroundings } from "./run.ts";
import { changeRun, runRow, type Change } from "./store.ts";

interface ExecutorParts<Parts> {
  byName: ReadonlyMap<string, Workflow<unknown, Parts, unknown>>;
  parts: Parts;
  surroundings: Surroundings;
}

/** Executes a run in this process, from its start or from where another execution left it, to its end. Throws only when another process has taken it over. */
export function executor<Parts>({ byName, parts, surroundings: at }: ExecutorParts<Parts>): (id: string) => Promise<void> {
  return async (id) => {
    for (;;) {
      await at.mayBegin();
      try {
        return await execute(id);
      } catch (error) {
        if (isSuperseded(error)) throw error;
        await at.mayRecord();
        at.log.error(
          { run: id, err: error },
          isConnectionLoss(error) ? "the database is out of reach; the run goes on when it is back" : "a run could not go on",
        );
        if (!isConnectionLoss(error)) return abandon(id, error);
        await at.wakes.sleep(id, 1, at.letGo);
      }
    }
  };

  async function execute(id: string): Promise<void> {
    const execution = await openExecution(id);
    const row = await runRow(at.db, id);
    if (!row || row.ended_at) return;
    const workflow = byName.get(row.workflow);
    if (!workflow) {
      at.log.error({ run: id, workflow: row.workflow }, "a run waits for a process that knows its workflow");
      return new Promise(() => {});
    }
    const run = liveRun(execution, row.about, row.started_by, at);
    try {
      await succeed(execution, await workflow.body(run, fromText(row.input), parts), run.committed);
    } catch (error) {
      if (isSuperseded(error) || isConnectionLoss(error) || (isFault(error) && error.code === "orchestrator.workflow_changed")) throw error;
      await fail(execution, run, keep(faultOf(error)));
    }
  }

  async function succeed(execution: Execution, output: unknown, committed: boolean): Promise<void> {
    const stopped = await once(execution, "success", async (db) => {
      const row = await db
        .selectFrom("workflow_run")
        .select("cancelled")
        .where("id", "=", execution.id)
        .forUpdate()
        .executeTakeFirstOrThrow();
      if (row.cancelled && !committed) return keep(cancelled(row.cancelled.because, row.cancelled.by));
      await changeRun(db, execution.id, { state: "success", output: toText(output), endedAt: at.clock.now(), at: at.clock.now() });
      return null;
    });
    if (stopped) throw revive(stopped);
  }

  async function fail(execution: Execution, run: LiveRun, fault: KeptFault): Promise<void> {
    at.log.warn({ run: run.id, code: fault.code, because: fault.message }, "a run failed");
    await turn(execution, "failing", { state: run.committed ? "running" : "rolling_back", error: fault });
    const undone = await run.undo();
    const back = undone === true || (undone === undefined && fault.code === "orchestrator.cancelled");
    await turn(execution, "end", { state: back ? "rolled_back" : "failed", endedAt: at.clock.now() });
  }

  function turn(execution: Execution, name: string, change: Omit<Change, "at">): Promise<boolean> {
    return once(execution, name, async (db) => {
      await changeRun(db, execution.id, { ...change, at: at.clock.now() });
      return true;
    });
  }

  async function once<T>(execution: Execution, name: string, write: (db: Db) => Promise<T>): Promise<T> {
    const slot = execution.slot(name);
    if (slot.recorded !== undefined) return slot.recorded as T;
    await at.mayRecord();
    return slot.record(write);
  }

  /** The checkpoints no longer fit the code, or can't be written: nothing can be recorded any more, and so nothing undone. */
  async function abandon(id: string, error: unknown): Promise<void> {
    const fault = keep(faultOf(error));
    await changeRun(at.db, id, { state: "failed", error: fault, endedAt: at.clock.now(), at: at.clock.now() }).catch((unwritten) =>
      at.log.error({ run: id, because: messageOf(unwritten) }, "the end of a run could not be written"),
    );
  }
}
