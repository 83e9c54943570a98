import { setFlagsFromString } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { filters } from "./filters.ts";
import type { Job, Limits, Outcome } from "./renderer.ts";

// The engine's memory is WebAssembly's, which a worker's resource limits don't cover; V8 takes its limit as a flag, read when the engine is loaded below.
const { memoryMib, fuel } = workerData as Limits;
setFlagsFromString(`--wasm-max-mem-pages=${memoryMib * 16}`);
const { Environment } = await import("minijinja-js");

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
parentPort?.on("message", ({ variables, sources, maxBytes }: Job) => parentPort?.postMessage(renderAll(variables, sources, maxBytes)));

/** Only renderStr: rendering by file name would escape YAML and HTML by itself. */
function renderAll(variables: Job["variables"], sources: Job["sources"], maxBytes: number): Outcome {
  const environment = new Environment();
  environment.trimBlocks = true;
  environment.lstripBlocks = true;
  environment.keepTrailingNewline = true;
  environment.undefinedBehavior = "strict";
  environment.fuel = fuel;
  for (const [name, filter] of Object.entries(filters)) environment.addFilter(name, filter);
  const texts: string[] = [];
  let bytes = 0;
  for (const { where, text } of sources) {
    try {
      const rendered = environment.renderStr(text, variables);
      bytes += Buffer.byteLength(rendered);
      if (bytes > maxBytes) return { failed: "too_large", where, why: `${maxBytes} bytes` };
      texts.push(rendered);
    } catch (error) {
      // A trap of the engine, not a complaint about the template: it ran out of memory.
      if (error instanceof Error && (error.name === "RuntimeError" || error.name === "RangeError"))
        return { failed: "too_large", where, why: `${memoryMib} MiB` };
      return { failed: "template", where, why: error instanceof Error ? error.message : String(error) };
    }
  }
  return { texts };
}
