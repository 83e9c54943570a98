import { realpathSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { systemClock } from "@cairn/platform/kernel/clock.ts";
import { places } from "@cairn/platform/kernel/config.ts";
import { createLog } from "@cairn/platform/kernel/log.ts";
import { openSecretStore } from "@cairn/platform/secrets/local/store.ts";
import packageJson from "./package.json" with { type: "json" };
import { Gate } from "./admission/gate.ts";
import { trustedKey } from "./admission/trust.ts";
import { codeDigest } from "./code.ts";
import { serveControl, type Operations } from "./control.ts";
import { DataPlane } from "./data-plane.ts";
import { inheritedLock, inheritedPostgres, inheritedSockets, Keeper } from "./keeper/keeper.ts";
import { takeLock } from "./lock.ts";
import type { AgentStatus } from "./model.ts";
import { agentPlaces, controlToken, nextCommand, privateFolder } from "./places.ts";
import { PostgresKeeper } from "./postgres/supervise.ts";
import { readBecause, readDigest, readLogQuery, readSpec, readTarget } from "./requests.ts";
import { findIsolation } from "./services/isolation.ts";

/** The data plane of one home: `main.ts HOME [--no-postgres]`. Exit 0: it was asked to stop; 75: another agent runs for this home; else its keeper starts it again. */
const [wantedHome, ...flags] = process.argv.slice(2);
if (!wantedHome) throw new Error("usage: main.ts HOME [--no-postgres]");
const home = realpathSync(wantedHome);
const startedAt = systemClock.now();
const code = codeDigest();
const log = createLog("agent");

// One that a keeper restarts has its lock from there; one that is started anew must not outwait a stop.
const lock = await takeLock(home, process.env.CAIRN_KEEPER_PID ? 2 : 0, inheritedLock(process.env));
if (!lock) process.exit(75);
const own = agentPlaces(home);
await privateFolder(places(home).agent);
await mkdir(places(home).logs, { recursive: true, mode: 0o700 });

const keeper = new Keeper(log, lock);
const postgres = new PostgresKeeper({
  folder: places(home).postgres,
  logFile: own.postgresLog,
  log,
  inherited: inheritedPostgres(process.env),
  onHandover: (handover) => keeper.hold(handover),
});
const isolation = await findIsolation(home);
const gate = new Gate({ clock: systemClock, log, key: trustedKey(home) });
const plane = new DataPlane({
  clock: systemClock,
  log,
  gate,
  secrets: openSecretStore(home),
  isolation,
  keeper,
  journalFile: own.journal,
  logsFolder: own.serviceLogs,
  portSeed: home,
});

// Addresses first: whoever has connected meanwhile waits for us.
const dead = await plane.open(inheritedSockets(process.env));
await keeper.renew();

const operations: Operations = {
  "GET /ping": async () => ({ pid: process.pid, code }),
  "GET /status": async () => status(),
  "GET /postgres": async () => ({ url: await postgres.url() }),
  "POST /stop": async () => {
    setImmediate(() => void stop("asked over the control socket"));
    return { pid: process.pid };
  },
  "POST /restart": async () => {
    setImmediate(() => void restart());
    return { pid: process.pid };
  },
  "POST /look": async () => plane.look(),
  "GET /attempts": async () => gate.attempts(),
  "GET /quarantine": async () => gate.quarantine(),
  "PUT /quarantine/:digest": async ({ path, body }) => plane.quarantine(readDigest(path), readBecause(body)),
  "POST /quarantine/:digest/lift": async ({ path, body }) => plane.liftQuarantine(readDigest(path), body),
  "GET /targets": async () => plane.targets(),
  "PUT /targets/:service/:environment": async ({ path }) => plane.ensureTarget(readTarget(path)),
  "GET /targets/:service/:environment": async ({ path }) => plane.observe(readTarget(path)),
  "DELETE /targets/:service/:environment": async ({ path }) => plane.remove(readTarget(path)),
  "PUT /targets/:service/:environment/weights": async ({ path, body }) => plane.setWeights(readTarget(path), body),
  "GET /targets/:service/:environment/logs": async ({ path, query }) => plane.logs(readTarget(path), readLogQuery(query)),
  "GET /targets/:service/:environment/logs/tail": async ({ path, query }) => plane.tail(readTarget(path), readLogQuery(query)),
  "PUT /targets/:service/:environment/revisions/:id": async ({ path, body }) =>
    plane.deploy(readTarget(path), readSpec(body, path.id ?? "")),
  "DELETE /targets/:service/:environment/revisions/:id": async ({ path }) => plane.retire(readTarget(path), path.id ?? ""),
};
const control = await serveControl({ socket: own.socket, token: await controlToken(home), operations, log });

for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signal));
process.on("SIGHUP", () => {});
log.info({ home, pid: process.pid }, "the agent is up");
if (flags.includes("--no-postgres")) plane.restore(dead);
else {
  postgres.start();
  // Services that are to be started find their database there; after the agent's death alone they live and need no start.
  if (dead.length > 0) await postgres.url(20).catch(() => {});
  plane.restore(dead);
}

flushCompileCache(); // now, not at the end: kill -9 has none, and the next start should be quick

function status(): AgentStatus {
  return {
    pid: process.pid,
    version: packageJson.version,
    code,
    startedAt: startedAt.toISOString(),
    uptimeSeconds: Math.round(process.uptime()),
    memoryBytes: process.memoryUsage.rss(),
    postgres: postgres.status(),
    keeperPid: keeper.pid,
    isolation: { ownUser: isolation.ownUser, memory: "watchdog" },
    targets: plane.status(),
  };
}

let ending = false;
async function stop(because: string): Promise<void> {
  if (ending) return;
  ending = true;
  log.info({ because }, "stopping");
  keeper.stop();
  control.close();
  await plane.stop();
  await postgres.stop();
  log.info("stopped");
  process.exit(0);
}

/** Ends without the services and PostgreSQL; the keeper, which waits for our end, starts the agent anew: as the version that asked, where that left its command. */
async function restart(): Promise<void> {
  if (ending) return;
  ending = true;
  log.info("restarting");
  control.close();
  const next = await nextCommand(home);
  await keeper.handOver(next);
  const outlivesUs = postgres.outlivesUs; // one that comes up now is in nobody's hands
  await plane.pauseFronts();
  if (!outlivesUs) await postgres.stop();
  process.exit(1);
}
