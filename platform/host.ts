import { spawn } from "node:child_process";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectAgent, startAgent, stopAgent } from "@cairn/agent/client.ts";
import { ensureAdministrator, makeSignInLink } from "./identity/store.ts";
import { systemClock } from "./kernel/clock.ts";
import { places, type Config } from "./kernel/config.ts";
import { Fault, isFault } from "./kernel/faults.ts";
import { openDatabase } from "./kernel/sql.ts";
import { embeddedDatabase } from "./server/database.ts";
import { holderOf, portTaken } from "./server/port.ts";
import { forgetServer, runningServer, startTicks } from "./server/record.ts";

export { examineHost } from "./host/doctor.ts";
export { removeTraces, tracesOf } from "./host/uninstall.ts";

/** Starts what is not running of this home: the agent, then the server; waits until it is ready. Throws `server.port_taken`, `server.start_failed`. */
export async function startPlatform(config: Config, env: NodeJS.ProcessEnv): Promise<{ url: string; started: boolean }> {
  const running = await runningServer(config.home);
  if (running) {
    await startAgent(config.home, { postgres: config.databaseUrl === undefined });
    return { url: running.url, started: false };
  }
  const holder = await holderOf(config.port);
  if (holder) throw portTaken(config.port, holder);
  await mkdir(places(config.home).logs, { recursive: true, mode: 0o700 });
  const logFile = join(places(config.home).logs, "server.log");
  const log = await open(logFile, "a", 0o600);
  const from = (await log.stat()).size;
  const main = fileURLToPath(new URL("server/main.ts", import.meta.url));
  // Garbage is young here: half of V8's 16 MiB of room for it costs no time that one sees, and leaves 45 MB less resident.
  const child = spawn(process.execPath, ["--max-semi-space-size=8", "--disable-warning=ExperimentalWarning", main], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    env: { ...env, CAIRN_HOME: config.home, NODE_COMPILE_CACHE: join(config.home, "cache", "compile") },
  });
  await log.close();
  child.unref();
  const end: { because?: string } = {};
  child.once("error", (error) => (end.because = error.message));
  child.once("exit", (code, signal) => (end.because = `it ended with ${signal ?? code}`));
  // Side by side: the server asks for the agent only when it has loaded its own code.
  await startAgent(config.home, { postgres: config.databaseUrl === undefined }).catch((error: unknown) => {
    child.kill();
    throw error;
  });
  const deadline = performance.now() + 90_000;
  while (performance.now() < deadline) {
    const record = await runningServer(config.home);
    if (record && (await readiness(record.url)).ready) return { url: record.url, started: record.pid === child.pid };
    // Of two starts at once the second's server finds the port taken, and ends: the first's is the one.
    if (end.because !== undefined && !record && !(await holderOf(config.port))) break;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  const said = (await readFile(logFile, "utf8")).slice(from);
  throw startFailed(end.because ?? "it was not ready within 90 seconds", said, logFile);
}

/** Whether a server can work, and what it says that it lacks. */
async function readiness(url: string): Promise<{ ready: boolean; lacks: Record<string, string> }> {
  try {
    const { ready, parts } = (await (await fetch(`${url}/readyz`)).json()) as { ready: boolean; parts: Record<string, string> };
    return { ready, lacks: Object.fromEntries(Object.entries(parts).filter(([, state]) => state !== "ok")) };
  } catch {
    return { ready: false, lacks: {} };
  }
}

function startFailed(because: string, said: string, logFile: string): Fault {
  const lines = said.trim().split("\n").slice(-6).map(readable);
  return new Fault(
    "unavailable",
    "server.start_failed",
    `The server did not start: ${because}${lines.length > 0 ? `\n  ${lines.join("\n  ")}` : ""}`,
    `Its whole log: ${logFile}`,
  );
}

function readable(line: string): string {
  try {
    const entry = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return [entry.msg, entry.err?.message].filter(Boolean).join(": ");
  } catch {
    return line;
  }
}

/** Stops the server in order; with `all` also the agent, and with it services and PostgreSQL. Gives what was stopped and what goes on. */
export async function stopPlatform(
  config: Config,
  options: { all: boolean },
): Promise<{ server: boolean; agent: "stopped" | "runs on" | "none" }> {
  const running = await runningServer(config.home);
  if (running) {
    process.kill(running.pid, "SIGTERM");
    const deadline = performance.now() + 30_000;
    while ((await startTicks(running.pid)) === running.startTicks) {
      if (performance.now() > deadline) {
        process.kill(running.pid, "SIGKILL");
        break;
      }
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }
  await forgetServer(config.home);
  if (options.all) return { server: running !== undefined, agent: (await stopAgent(config.home)) ? "stopped" : "none" };
  const agent = await connectAgent(config.home).catch((error: unknown) => {
    if (isFault(error)) return undefined;
    throw error;
  });
  return { server: running !== undefined, agent: agent ? "runs on" : "none" };
}

/** The platform's database on this machine, without the server. Throws `agent.not_running`. */
async function databaseUrl(config: Config): Promise<string> {
  if (config.databaseUrl) return config.databaseUrl;
  const agent = await connectAgent(config.home);
  return embeddedDatabase((await agent.postgres()).url);
}

/** The address of the server that runs on this machine, if any. */
export const hereAt = async (config: Config): Promise<string | undefined> => (await runningServer(config.home))?.url;

/** A new one-time sign-in link for the administrator; whoever can read this home's files may have one. */
export async function signInLink(config: Config): Promise<string> {
  const db = openDatabase(await databaseUrl(config), { maxConnections: 1 });
  try {
    await ensureAdministrator(db, systemClock);
    const token = await makeSignInLink(db, systemClock);
    const url = (await runningServer(config.home))?.url ?? `http://127.0.0.1:${config.port}`;
    return `${url}/login#token=${token}`;
  } finally {
    await db.destroy();
  }
}

/** What is up on this machine, asked without the server. */
export async function platformStatus(config: Config) {
  const server = await runningServer(config.home);
  const agent = await connectAgent(config.home).then(
    (client) => client.status(),
    (error: unknown) => {
      if (isFault(error)) return undefined;
      throw error;
    },
  );
  return { home: config.home, server: server ? { ...server, ...(await readiness(server.url)) } : undefined, agent };
}
