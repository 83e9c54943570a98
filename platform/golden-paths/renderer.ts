import { Worker } from "node:worker_threads";
import { renderFailed, renderTooLarge } from "./faults.ts";

export interface Limits {
  memoryMib: number;
  /** Steps of the engine for one text. */
  fuel: number;
  timeoutSeconds: number;
  /** Of all texts together. */
  maxBytes: number;
}
const LIMITS: Limits = { memoryMib: 128, fuel: 2_000_000, timeoutSeconds: 20, maxBytes: 8 * 1024 * 1024 };

export interface Source {
  /** What to call it in a complaint. */
  where: string;
  text: string;
}
export interface Job {
  variables: Readonly<Record<string, unknown>>;
  sources: readonly Source[];
  maxBytes: number;
}
export type Outcome = { texts: string[] } | { failed: "template" | "too_large"; where: string; why: string };

export type Render = (sources: readonly Source[]) => Promise<string[]>;

/**
 * Keeps the engine's compiled code, which all threads of this process share, though nothing is rendered here. Were the last thread that uses it to end while V8 still compiles in the background, V8 would free it there, and
 * has been seen to end the whole process by that (a failed check in ThreadIsolation::UnregisterWasmAllocation, Node 24).
 */
const keepEngine = (): Promise<unknown> => import("minijinja-js");

/**
 * Gives `body` a function that renders Jinja2 texts with the variables, in a thread of its own with limits on memory, steps, time and output.
 * It throws `golden_paths.render_failed` or `golden_paths.render_too_large`, naming the text.
 */
export async function withRenderer<T>(
  variables: Readonly<Record<string, unknown>>,
  body: (render: Render) => Promise<T>,
  limits: Partial<Limits> = {},
): Promise<T> {
  const bounds = { ...LIMITS, ...limits };
  await keepEngine();
  const worker = new Worker(new URL("./render-worker.ts", import.meta.url), {
    workerData: bounds,
    resourceLimits: { maxOldGenerationSizeMb: bounds.memoryMib, maxYoungGenerationSizeMb: 32 },
    env: {},
    execArgv: [],
  });
  worker.on("error", () => {}); // also said to whoever waits; between two questions nobody does
  try {
    return await body(async (sources) => {
      const outcome = await ask(worker, { variables, sources, maxBytes: bounds.maxBytes }, bounds);
      if ("texts" in outcome) return outcome.texts;
      throw outcome.failed === "too_large" ? renderTooLarge(outcome.where, outcome.why) : renderFailed(outcome.where, outcome.why);
    });
  } finally {
    await worker.terminate();
  }
}

function ask(worker: Worker, job: Job, { timeoutSeconds, memoryMib }: Limits): Promise<Outcome> {
  const whole = `${job.sources.length} texts`;
  return new Promise((resolve, reject) => {
    const settle = (done: () => void) => {
      clearTimeout(timer);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      done();
    };
    const onMessage = (outcome: Outcome) => settle(() => resolve(outcome));
    const onError = (error: NodeJS.ErrnoException) =>
      settle(() => reject(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? renderTooLarge(whole, `${memoryMib} MiB`) : error));
    const onExit = () => settle(() => reject(renderFailed(whole, "the thread that renders ended before it answered")));
    const timer = setTimeout(
      () => settle(() => reject(renderFailed(whole, `not rendered within ${timeoutSeconds} s`))),
      timeoutSeconds * 1000,
    );
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(job);
  });
}
