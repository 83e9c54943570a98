import { isFault, type Fault } from "../../kernel/faults.ts";
import { transact } from "../../kernel/sql.ts";
import type { Orchestrator, Run, StartOptions, Step, StepOptions, WaitOptions, Workflow } from "../../orchestrator/contract.ts";
import { fromText, toText } from "../../orchestrator/durable.ts";
import { cancelled, faultOf } from "../../orchestrator/faults.ts";
import type { TestClock } from "../../testing/clock.ts";
import type { Parts } from "../parts.ts";

/** CAIRN_SIMULATION_SEED: this history or set alone. */
export const givenSeed = process.env.CAIRN_SIMULATION_SEED;

/** The death of the process, thrown where it happens. */
export class Death extends Error {}

type Waiting =
  | { kind: "step"; name: string }
  | { kind: "until"; at: number }
  | { kind: "topic"; name: string; topic: string; until: number }
  | { kind: "child"; id: string };

interface Outcome {
  name: string;
  value?: string;
  fault?: Fault;
}

export interface SimulatedRun {
  id: string;
  workflow: Workflow<never, Parts, unknown>;
  input: string;
  about: string;
  startedBy: string;
  state: "running" | "success" | "failed" | "rolled_back";
  output: unknown;
  fault: Fault | undefined;
  checkpoints: Outcome[];
  messages: { topic: string; key: string; message: unknown; taken: boolean }[];
  cancelled: { because: string; by: string } | undefined;
  waiting: Waiting | undefined;
}

interface Live extends SimulatedRun {
  go: () => void;
  idle: Promise<void>;
  rest: () => void;
}

/**
 * The orchestrator's contract (orchestrator/contract.ts) in one process and without time: checkpoints are kept in memory, one step at a time is taken by whichever
 * run is chosen, and `die()` forgets everything but the checkpoints, so that every body runs again from its start.
 */
export class Scheduler implements Pick<Orchestrator, "start" | "send" | "cancel"> {
  readonly runs = new Map<string, Live>();
  #life = 0;
  readonly #parts: Parts;
  readonly #clock: TestClock;

  constructor(parts: Parts, clock: TestClock) {
    this.#parts = parts;
    this.#clock = clock;
  }

  async start<I, P, O>(workflow: Workflow<I, P, O>, input: I, { id, about, startedBy }: StartOptions): Promise<{ id: string }> {
    if (this.runs.has(id)) return { id };
    const run = {
      id,
      workflow: workflow as unknown as Workflow<never, Parts, unknown>,
      input: toText(input),
      about,
      startedBy,
      state: "running",
      output: undefined,
      fault: undefined,
      checkpoints: [],
      messages: [],
      cancelled: undefined,
      waiting: undefined,
    } as unknown as Live;
    this.runs.set(id, run);
    await this.#execute(run);
    return { id };
  }

  async send(id: string, topic: string, message: unknown, { key = String(Math.random()) }: { key?: string } = {}): Promise<void> {
    const run = this.runs.get(id);
    if (run && !run.messages.some((one) => one.topic === topic && one.key === key))
      run.messages.push({ topic, key, message, taken: false });
  }

  async cancel(id: string, because: string, by: string): Promise<void> {
    for (const run of this.runs.values()) if (run.id === id || run.id.startsWith(`${id}/`)) run.cancelled ??= { because, by };
  }

  /** Runs that could take a step now. */
  ready(): SimulatedRun[] {
    const now = this.#clock.now().getTime();
    return [...this.runs.values()].filter((run) => {
      const { waiting } = run;
      if (run.state !== "running" || !waiting) return false;
      if (waiting.kind === "step") return true;
      if (waiting.kind === "child") return this.runs.get(waiting.id)?.state !== "running";
      if (run.cancelled) return true;
      if (waiting.kind === "until") return waiting.at <= now;
      return waiting.until <= now || run.messages.some((one) => one.topic === waiting.topic && !one.taken);
    });
  }

  /** When the next run that sleeps wakes up. */
  nextWake(): number | undefined {
    const times = [...this.runs.values()].flatMap(({ state, waiting }) =>
      state !== "running"
        ? []
        : waiting?.kind === "until"
          ? [waiting.at]
          : waiting?.kind === "topic" && Number.isFinite(waiting.until)
            ? [waiting.until]
            : [],
    );
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** Lets a run take its step, and waits until it stands at the next one, or has ended. */
  async advance(id: string): Promise<void> {
    const run = this.runs.get(id);
    if (!run?.waiting) throw new Error(`${id} does not wait`);
    this.#awake(run);
    run.go();
    await run.idle;
  }

  /** The process dies, and another begins. */
  async die(): Promise<void> {
    this.#life += 1;
    for (const run of this.runs.values()) if (run.state === "running") await this.#execute(run);
  }

  #awake(run: Live): void {
    run.waiting = undefined;
    run.idle = new Promise((resolve) => (run.rest = resolve));
  }

  async #execute(run: Live): Promise<void> {
    const life = this.#life;
    this.#awake(run);
    void this.#body(run, life);
    await run.idle;
  }

  async #body(run: Live, life: number): Promise<void> {
    const its = this.#runOf(run, life);
    const end = (state: SimulatedRun["state"], output?: unknown, fault?: Fault) => {
      Object.assign(run, { state, output, fault, waiting: undefined });
      run.rest();
    };
    try {
      end("success", kept(await run.workflow.body(its.run, fromText(run.input) as never, this.#parts)));
    } catch (error) {
      const undone = await its.undo();
      end(undone ? "rolled_back" : "failed", undefined, faultOf(error));
    }
  }

  #runOf(run: Live, life: number): { run: Run; undo: () => Promise<boolean> } {
    const rounds = new Map<string, number>();
    const undos: { label: string; undo: (step: Step) => Promise<void | "kept"> }[] = [];
    let position = 0;
    let committed = false;

    const block = (waiting: Waiting): Promise<void> =>
      new Promise((resolve) => {
        if (this.#life !== life) return; // this process is dead
        run.waiting = waiting;
        run.go = resolve;
        run.rest();
      });
    const label = (name: string) => {
      const round = (rounds.get(name) ?? 0) + 1;
      rounds.set(name, round);
      return round === 1 ? name : `${name}.${round}`;
    };
    const stepOf = (attempt: number, key: string): Step => ({ signal: new AbortController().signal, attempt, key, tell: async () => {} });
    const dead = () => new Promise<never>(() => {});

    /** What happened at this place before, or what happens now. */
    const once = async (name: string, waiting: Waiting, act: () => Promise<unknown>): Promise<unknown> => {
      const at = position++;
      const before = run.checkpoints[at];
      if (before && before.name !== name) throw new Error(`${run.id} recorded ${before.name} where it now has ${name}`);
      if (!before) {
        await block(waiting);
        let outcome: Outcome;
        try {
          if (run.cancelled && !committed && !name.startsWith("undo ")) throw cancelled(run.cancelled.because, run.cancelled.by);
          outcome = { name, value: toText(await act()) };
        } catch (error) {
          if (error instanceof Death) {
            run.rest();
            return dead();
          }
          outcome = { name, fault: faultOf(error) };
        }
        if (this.#life !== life) return dead();
        run.checkpoints[at] = outcome;
      }
      const { fault, value } = run.checkpoints[at]!;
      if (fault) throw fault;
      return fromText(value!);
    };
    const attempts = async <T>(act: (attempt: number) => Promise<T>, limit: number): Promise<T> => {
      for (let attempt = 1; ; attempt++)
        try {
          return await act(attempt);
        } catch (error) {
          if (attempt >= limit || !isFault(error) || error.kind !== "unavailable") throw error;
        }
    };
    const step = async <T>(
      name: string,
      waiting: Waiting,
      act: (step: Step) => Promise<T>,
      options: StepOptions<T>,
      atomic: boolean,
    ): Promise<T> => {
      const its = label(name);
      const { rollback } = options;
      const undoable = (result: T | undefined) => {
        if (rollback) undos.push({ label: its, undo: (undoing) => rollback(result, undoing) });
      };
      let result: T;
      try {
        result = (await once(its, waiting, () =>
          attempts((attempt) => act(stepOf(attempt, `${run.id}/${its}`)), options.attempts ?? 3),
        )) as T;
      } catch (error) {
        if (!atomic && !committed && !(isFault(error) && error.code === "orchestrator.cancelled")) undoable(undefined);
        throw error;
      }
      undoable(result);
      return result;
    };

    const simulated: Run = {
      id: run.id,
      about: run.about,
      startedBy: run.startedBy,
      step: (name, action, options = {}) => step(name, { kind: "step", name }, action, options, false),
      transaction: (name, action, options = {}) =>
        step(name, { kind: "step", name }, () => transact(this.#parts.db, action), options, true),
      child: async <I, P, O>(name: string, workflow: Workflow<I, P, O>, input: I): Promise<O> => {
        const id = `${run.id}/${label(name)}`;
        await once(`${name} begun`, { kind: "step", name }, () =>
          this.start(workflow, input, { id, about: run.about, startedBy: run.startedBy }),
        );
        return (await once(name, { kind: "child", id }, async () => {
          const child = this.runs.get(id)!;
          if (child.fault) throw child.fault;
          return child.output;
        })) as O;
      },
      pause: async (seconds) => {
        const until = (await once(
          "pause",
          { kind: "step", name: "pause" },
          async () => this.#clock.now().getTime() + seconds * 1000,
        )) as number;
        await once("paused", { kind: "until", at: until }, async () => null);
      },
      waitFor: async <T>(name: string, { topic, timeoutSeconds }: WaitOptions) => {
        const its = label(name);
        const until = (await once(`${its} asked`, { kind: "step", name }, async () =>
          timeoutSeconds === undefined ? null : this.#clock.now().getTime() + timeoutSeconds * 1000,
        )) as number | null;
        return (await once(its, { kind: "topic", name, topic, until: until ?? Number.POSITIVE_INFINITY }, async () => {
          const message = run.messages.find((one) => one.topic === topic && !one.taken);
          if (message) message.taken = true;
          return message?.message;
        })) as T | undefined;
      },
      now: async () => new Date((await once("now", { kind: "step", name: "now" }, async () => this.#clock.now().getTime())) as number),
      commit: async () => {
        await once("commit", { kind: "step", name: "commit" }, async () => null);
        committed = true;
        undos.length = 0;
      },
    };
    return {
      run: simulated,
      undo: async () => {
        let all: boolean | undefined;
        for (const { label: its, undo } of undos.reverse()) {
          const name = `undo ${its}`;
          const done = (await once(name, { kind: "step", name }, async () => {
            try {
              return (await attempts((attempt) => undo(stepOf(attempt, `${run.id}/${name}`)), 3)) ?? true;
            } catch (error) {
              if (error instanceof Death) throw error;
              return false;
            }
          })) as boolean | "kept";
          if (done !== "kept") all = (all ?? true) && done;
        }
        return all ?? false;
      },
    };
  }
}

const kept = (value: unknown): unknown => fromText(toText(value));
