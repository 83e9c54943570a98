import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { cpus, loadavg, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { interruption } from "../scripts/demo/tools.ts";
import { Ground } from "./path/ground.ts";
import { idleMemory, memory } from "./path/memory.ts";
import { merge } from "./path/merge.ts";
import { plan } from "./path/plan.ts";
import { portal } from "./path/portal.ts";
import { proxy } from "./path/proxy.ts";
import { print, verdict, type Measurement, type Row } from "./path/report.ts";
import { setup } from "./path/setup.ts";
import { start } from "./path/start.ts";
import { swaps } from "./path/swaps.ts";
import { upgrades } from "./path/upgrades.ts";

/** What a service meets on its way to production and there, each part beside its aim or a peer. In this order: idle is before the first service, memory takes those that merge has made. */
const measurements: Record<string, Measurement> = { start, proxy, swaps, upgrades, idle: idleMemory, plan, merge, memory, portal, setup };

/** Runs all parts, or one. Exit 1 where an aim is missed or a part failed; what could not be measured is no pass, and said. */
export default async function bench(part?: string, options: string[] = []): Promise<void> {
  const { json } = parseArgs({ args: options, options: { json: { type: "string" } } }).values;
  if (part !== undefined && !(part in measurements)) {
    console.error(`path has no part ${part}; it has ${Object.keys(measurements).join(", ")}`);
    process.exit(2);
  }
  const machine = {
    processor: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: import.meta.dirname, encoding: "utf8" }).trim(),
    loadBefore: loadavg()[0],
    startedAt: new Date().toISOString(),
  };
  console.log(`${machine.processor}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node ${machine.node}, commit ${machine.commit}; load before: ${machine.loadBefore?.toFixed(2)}`); // prettier-ignore
  const found: { part: string; seconds: number; rows: Row[] }[] = [];
  const ground = new Ground();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      console.error("Interrupted: what this run started is ended and removed.");
      interruption.abort(new Error(signal));
    });
  try {
    for (const [name, measure] of Object.entries(measurements)) {
      if (interruption.signal.aborted || (part !== undefined && part !== name)) continue;
      const startedAt = performance.now();
      const rows = await measure(ground).catch((error: unknown): Row[] => [{ what: name, unit: "", samples: [], missing: `failed: ${String(error)}`, failed: true }]); // prettier-ignore
      const seconds = (performance.now() - startedAt) / 1000;
      print(`path/${name} (${seconds.toFixed(0)} s)`, rows);
      found.push({ part: name, seconds, rows });
    }
  } finally {
    await ground.end();
  }
  if (json) await writeFile(json, `${JSON.stringify({ machine, parts: found }, null, 2)}\n`);
  if (interruption.signal.aborted) process.exitCode = 130;
  else if (found.some(({ rows }) => rows.some((row) => row.failed || verdict(row) === "MISSED"))) process.exitCode = 1;
}
