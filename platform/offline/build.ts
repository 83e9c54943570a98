import { Cell } from "../ci/cell.ts";
import { messageOf } from "../kernel/faults.ts";
import { cairnCi } from "../offline.ts";

// The process in which the runner lets a build happen: `node build.ts FOLDER OUT change|merge CELL`. Tells what happens as JSON, a line each, on standard output.
const [folder, out, purpose, cell] = process.argv.slice(2);
if (folder === undefined || out === undefined || (purpose !== "change" && purpose !== "merge") || cell === undefined) {
  console.error("usage: node build.ts FOLDER OUT change|merge CELL");
  process.exit(2);
}
// Without the runner nobody wants the result: a build that was left alone ends.
const alone = new AbortController();
const runner = process.ppid;
setInterval(() => {
  if (process.ppid !== runner) alone.abort();
}, 500).unref();
process.stdout.on("error", () => alone.abort());
try {
  const result = await cairnCi({
    folder,
    out,
    asRunner: true,
    evenWithFailedTests: purpose === "merge",
    cell: Cell.parse(JSON.parse(cell)),
    signal: alone.signal,
    onEvent: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`),
  });
  process.exitCode = result.state === "passed" ? 0 : 1;
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 70;
}
