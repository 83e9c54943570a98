import type { Tx } from "../kernel/sql.ts";

/**
 * A durable workflow: its name, the steps that it expects to take, and the story itself.
 * The body runs again from its start after an interruption; what finished gives its recorded result instead of running again. So between two calls
 * of `run` the body decides from `input` and recorded results alone: no clock, no random number, no database, no network.
 */
export interface Workflow<Input, Parts, Output> {
  readonly name: string;
  /** Names of the steps, in order: shown as pending from the start. A name that repeats in rounds stands once. */
  outline(input: Input): readonly string[];
  body(run: Run, input: Input, parts: Parts): Promise<Output>;
}

/** Declares a workflow. Input, output and results of steps are JSON values without secrets: they are kept in clear. */
export const workflow = <Input, Parts, Output>(
  name: string,
  outline: (input: Input) => readonly string[],
  body: (run: Run, input: Input, parts: Parts) => Promise<Output>,
): Workflow<Input, Parts, Output> => ({ name, outline, body });

/** One run of a workflow, as its body sees it. Calls follow one another: await each before the next. */
export interface Run {
  readonly id: string;
  /** What it is about, e.g. `component:default/orders`, and who started it. */
  readonly about: string;
  readonly startedBy: string;

  /**
   * Does something outside the database. It may run again after a crash, so the action must be idempotent; `step.key` names this step of this run
   * (and round) for systems that take an idempotency key. A fault of kind `unavailable` is tried again with back-off; any other ends the run and
   * what finished before is rolled back in reverse, and first of all the failed step itself.
   */
  step<T>(name: string, action: (step: Step) => Promise<T>, options?: StepOptions<T>): Promise<T>;

  /** Rows of the platform and the checkpoint in one transaction: exactly once. The body may run again where the database chose it as victim of a deadlock. */
  transaction<T>(name: string, action: (tx: Tx) => Promise<T>, options?: StepOptions<T>): Promise<T>;

  /** A run of its own, linked to this one and shown as a step. Throws the child's fault. Its id is `<this run>/<name>` (from the second round on `/<name>.<round>`). */
  child<I, P, O>(name: string, workflow: Workflow<I, P, O>, input: I, options?: ChildOptions<O>): Promise<O>;

  /** Sleeps; a restart goes on with what is left of it. Not shown as a step. */
  pause(seconds: number): Promise<void>;

  /** Waits for a message on a topic; shown as waiting for `waitsFor` (who or what unblocks it). Gives undefined at the time limit (default: none). */
  waitFor<T>(name: string, options: WaitOptions): Promise<T | undefined>;

  /** The time, recorded: a replay sees the same. */
  now(): Promise<Date>;

  /** The point of no return: nothing before it is rolled back from here on, cancelling is refused, and later steps try again whatever went wrong. */
  commit(): Promise<void>;
}

/** One execution of a step. */
export interface Step {
  /** Aborted at the time limit, when the run is cancelled and when the process stops. An action that hears it cleans up and throws. */
  readonly signal: AbortSignal;
  /** Counts from 1. A crash counts as an attempt. */
  readonly attempt: number;
  /** The same for every execution of this step of this run and round. */
  readonly key: string;
  /** Says how far it is; shown live. */
  tell(detail: string): Promise<void>;
}

export interface StepOptions<T> {
  /**
   * Undoes what the step did. Idempotent. It is called too where the step's last attempt failed, was cancelled or ran out of time: then `result` is undefined,
   * and nothing, a part or all of it may be there. Gives "kept" where what was done is to stay, since by now something else rests on it. One that fails is
   * recorded and does not stop the others. A transaction that fails, and a child, leave nothing to undo: they undo themselves.
   */
  rollback?: (result: T | undefined, step: Step) => Promise<void | "kept">;
  /** Of one attempt. Default 300. */
  timeoutSeconds?: number;
  /** How often at most, where what failed is `unavailable` (after commit(): whatever failed). Default 3; after commit() 10. */
  attempts?: number;
}

export type ChildOptions<O> = Pick<StepOptions<O>, "rollback"> & { about?: string };

export interface WaitOptions {
  topic: string;
  /** Who or what unblocks it, in words for people: "an approval by team-pay". */
  waitsFor: string;
  timeoutSeconds?: number;
}

export interface StartOptions {
  /** The same id twice is one run. */
  id: string;
  about: string;
  startedBy: string;
  /** With it the run begins when this transaction commits, and never if it doesn't. */
  tx?: Tx;
}

export interface Orchestrator {
  start<I, P, O>(workflow: Workflow<I, P, O>, input: I, options: StartOptions): Promise<{ id: string }>;
  /** Waits for the end. Gives the output or throws the fault that ended it. */
  result<O = unknown>(id: string): Promise<O>;
  /** Hands a message to a run's waitFor on that topic, now or when it comes there; with a `tx` when that commits. Sent twice with one key it is one message. */
  send(id: string, topic: string, message: unknown, options?: { key?: string; tx?: Tx }): Promise<void>;
  /** Asks a run (and its children) to stop and roll back: the step that is under way hears it by its signal, and none begins after it. Throws `orchestrator.run_ended` or `orchestrator.past_return`. */
  cancel(id: string, because: string, by: string): Promise<void>;
  /** Lets running steps finish for some seconds, then stops; what is unfinished goes on at the next start. */
  close(): Promise<void>;
}
