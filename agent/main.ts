import { realpathSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { places } from "@cairn/platform/kernel/config.ts";
import { createLog } from "@cairn/platform/kernel/log.ts";
import packageJson from "./package.json" with { type: "json" };
import { serveControl, type Operations } from "./control.ts";
import { Keeper } from "./keeper/keeper.ts";
import { takeLock } from "./lock.ts";
import { agentPlaces, controlToken, privateFolder } from "./places.ts";
import { PostgresKeeper } from "./postgres/supervise.ts";
import type { AgentStatus } from "./model.ts";

/** The data plane of one home: `main.ts HOME [--no-postgres]`. Exit 0: it was asked to stop; 75: another agent runs for this home; else its keeper starts it again. */
const [wantedHome, ...flags] = process.argv.slice(2);
if (!wantedHome) throw new Error("usage: main.ts HOME [--no-postgres]");
const home = realpathSync(wantedHome);
const startedAt = new Date();
const log = createLog("agent");

const lock = await takeLock(home);
if (!lock) process.exit(75);
await privateFolder(places(home).agent);
await mkdir(places(home).logs, { recursive: true, mode: 0o700 });

const keeper = new Keeper(log);
const postgres = new PostgresKeeper({ folder: places(home).postgres, logFile: agentPlaces(home).postgresLog, log });

const operations: Operations = {
  "GET /ping": async () => ({ pid: process.pid }),
  "GET /status": async () => status(),
  "GET /postgres": async () => ({ url: await postgres.url() }),
  "POST /stop": async () => {
    setImmediate(() => void stop("asked over the control socket"));
    return { pid: process.pid };
  },
};

const control = await serveControl({ socket: agentPlaces(home).socket, token: await controlToken(home), operations, log });
await keeper.renew();
if (!flags.includes("--no-postgres")) postgres.start();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signal));
process.on("SIGHUP", () => {});
log.info({ home, pid: process.pid }, "the agent is up");

function status(): AgentStatus {
  return {
    pid: process.pid,
    version: packageJson.version,
    startedAt: startedAt.toISOString(),
    uptimeSeconds: Math.round(process.uptime()),
    memoryBytes: process.memoryUsage.rss(),
    postgres: postgres.status(),
    keeperPid: keeper.pid,
    isolation: { ownUser: false, memory: "watchdog" },
    targets: [],
  };
}

let stopping = false;
async function stop(because: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ because }, "stopping");
  keeper.stop();
  control.close();
  await postgres.stop();
  log.info("stopped");
  process.exit(0);
}
