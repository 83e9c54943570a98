import { isFault, type Fault } from "../kernel/faults.ts";
import { transact, type Db } from "../kernel/sql.ts";
import type { TestClock } from "../testing/clock.ts";
import type { Run, Step, StepOptions, Workflow } from "./contract.ts";
import { fromText, toText } from "./durable.ts";
import { faultOf } from "./faults.ts";

export interface RehearsalParts<Parts> {
  db: Db;
  parts: Parts;
  clock: TestClock;
  id?: string;
  about?: string;
  startedBy?: string;
  /** What comes on each topic, in order. */
  messages?: Record<string, unknown[]>;
  /** What happens when a step says how far it is. */
  onTell?: (detail: string) => Promise<void>;
}

export interface Rehearsal<Output> {
  output: Output | undefined;
  fault: Fault | undefined;
  /** Names as they ended, in order: `["build", "deploy", "undo deploy"]`. A child's stand below `<name>/`. */
  steps: string[];
  told: string[];
}

/**
 * For tests of workflows: runs a body at once in this process, with real transactions and without durability. A pause turns the clock; a wait takes
 * from `messages`, and else its time is up. What fails is rolled back as it would be.
 */
export async function rehearse<Input, Parts, Output>(
  workflow: Workflow<Input, Parts, Output>,
  input: Input,
  at: RehearsalParts<Parts>,
): Promise<Rehearsal<Output>> {
  const steps: string[] = [];
  const told: string[] = [];
  const messages = structuredClone(at.messages ?? {});
  const act = async <O>(one: Workflow<never, Parts, O>, its: unknown, id: string, about: string, prefix: string): Promise<O> => {
    const rounds = new Map<string, number>();
    const undos: (() => Promise<void>)[] = [];
    let committed = false;

    const done = async <T>(
      name: string,
      action: (step: Step) => Promise<T>,
      options: StepOptions<T>,
      attempts: number,
      atomic: boolean,
    ): Promise<T> => {
      const round = (rounds.get(name) ?? 0) + 1;
      rounds.set(name, round);
      const label = round === 1 ? name : `${name}.${round}`;
      const step = (attempt: number, key: string): Step => ({
        signal: new AbortController().signal,
        attempt,
        key,
        tell: async (detail) => {
          told.push(detail);
          await at.onTell?.(detail);
        },
      });
      const { rollback } = options;
      const undoable = (result: T | undefined) => {
        if (rollback)
          undos.push(async () => {
            if ((await rollback(result, step(1, `${id}/undo ${label}`))) !== "kept") steps.push(`${prefix}undo ${name}`);
          });
      };
      for (let attempt = 1; ; attempt++) {
        let result: T;
        try {
          result = remembered(await action(step(attempt, `${id}/${label}`)));
        } catch (error) {
          if (attempt < attempts && (committed || (isFault(error) && error.kind === "unavailable"))) continue;
          if (!atomic && !committed) undoable(undefined);
          throw error;
        }
        steps.push(prefix + name);
        undoable(result);
        return result;
      }
    };
    const run: Run = {
      id,
      about,
      startedBy: at.startedBy ?? "user:default/test",
      step: (name, action, options = {}) => done(name, action, options, options.attempts ?? 3, false),
      transaction: (name, action, options = {}) => done(name, () => transact(at.db, action), options, options.attempts ?? 3, true),
      child: (name, child, given, options = {}) =>
        done(
          name,
          (step) => act(child as never, given, step.key, options.about ?? about, `${prefix}${name}/`),
          { ...(options.rollback && { rollback: options.rollback }) },
          1,
          true,
        ),
      pause: async (seconds) => at.clock.turn(seconds),
      waitFor: async <T>(name: string, options: { topic: string; timeoutSeconds?: number }) => {
        const message = messages[options.topic]?.shift() as T | undefined;
        if (message === undefined) {
          if (options.timeoutSeconds === undefined)
            throw new Error(`Nothing comes on "${options.topic}", and "${name}" waits for ever: give it in messages`);
          at.clock.turn(options.timeoutSeconds);
        }
        steps.push(prefix + name);
        return message;
      },
      now: async () => at.clock.now(),
      commit: async () => {
        committed = true;
        undos.length = 0;
      },
    };
    try {
      return remembered(await one.body(run, remembered(its) as never, at.parts));
    } catch (error) {
      for (const undo of undos.reverse()) await undo().catch((failure) => told.push(`The rollback failed: ${faultOf(failure).message}`));
      throw faultOf(error);
    }
  };
  try {
    const output = await act(workflow as never, input, at.id ?? "run", at.about ?? "component:default/test", "");
    return { output: output as Output, fault: undefined, steps, told };
  } catch (error) {
    return { output: undefined, fault: error as Fault, steps, told };
  }
}

const remembered = <T>(value: T): T => fromText(toText(value)) as T;
