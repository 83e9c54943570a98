import { writeFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, type QueryConfig } from "pg";

/**
 * Loaded into the server before its own code (NODE_OPTIONS=--import), in tests only: ends it by kill -9 at points of its workflows that it could not be met at
 * from outside. It reads what the server says to the database. The folder in CAIRN_KILL_POINTS holds `points`, a line each, and gets a file for each death.
 *
 * `RUN | STEP | begun`: the step is shown as running, and has done nothing yet. `RUN | STEP | done`: it has done all, and its checkpoint is not written.
 * RUN is how the run's id begins; a name that repeats in rounds is met in its first one.
 */
export const begun = (run: string, step: string): string => `${run} | ${step} | begun`;
export const done = (run: string, step: string): string => `${run} | ${step} | done`;
/** The file that says that a point was met. */
export const metFile = (folder: string, point: string): string => join(folder, `met ${point.replaceAll("/", ":")}`);

const folder = process.env.CAIRN_KILL_POINTS;
if (folder && process.argv[1]?.endsWith("/platform/server/main.ts")) watch(folder);

function watch(into: string): void {
  const points = readFileSync(join(into, "points"), "utf8").split("\n");
  const dieAt = (run: unknown, step: unknown, what: "begun" | "done") => {
    for (const point of points) {
      const [prefix = "", name, when] = point.split(" | ");
      if (!covers(prefix, String(run)) || name !== step || when !== what) continue;
      try {
        writeFileSync(metFile(into, point), "", { flag: "wx" });
      } catch {
        continue; // it has died here before
      }
      process.kill(process.pid, "SIGKILL");
    }
  };
  const query = Client.prototype.query as (...args: unknown[]) => unknown;
  Client.prototype.query = function (this: Client, ...args: unknown[]) {
    const { text, values } = typeof args[0] === "string" ? { text: args[0], values: args[1] } : (args[0] as QueryConfig);
    const given = Array.isArray(values) ? values : [];
    // Of beginStep in platform/orchestrator/store.ts: state, name, time, run.
    const begins = text?.includes("insert into workflow_step as step");
    // Of the library's checkpoint: run, position, output, error, name.
    if (text?.includes("operation_outputs") && /^\s*insert/i.test(text)) dieAt(given[0], given[4], "done");
    const result = query.apply(this, args);
    return begins && result instanceof Promise ? result.then((answer) => (dieAt(given[3], given[1], "begun"), answer)) : result;
  } as typeof Client.prototype.query;
}

/** `deliver-` covers deliveries and not the rollouts below them; `deliver-*\/roll out to dev` covers those. */
function covers(prefix: string, run: string): boolean {
  const [top = "", below] = prefix.split("*");
  return run.startsWith(top) && (below === undefined ? !run.includes("/") : run.endsWith(below));
}
