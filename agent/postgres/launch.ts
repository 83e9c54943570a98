import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { chown, mkdir, open, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { dirname, join } from "node:path";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { newSecret } from "@cairn/platform/kernel/ids.ts";
import { run } from "@cairn/platform/kernel/processes.ts";
import { reachableByOthers } from "@cairn/platform/kernel/other-users.ts";
import { identify, isAlive, type ProcessIdentity } from "../services/proc.ts";
import { findBinaries, type Binaries } from "./binaries.ts";

export interface Postgres {
  /** The superuser's connection string; `database` is `postgres` unless told. */
  url(database?: string): string;
  pid: number;
  socketFolder: string;
  /** Settles when the postmaster ends, for whatever reason. */
  exited: Promise<void>;
  /** Fast shutdown: ends sessions, writes a checkpoint. */
  stop(): Promise<void>;
  /** By what another process takes it over from us; null where that can't be. */
  handover: Handover | null;
}

/** A PostgreSQL that runs, and our end of its watchdog's pipe: as long as somebody holds that, it runs on. */
export interface Handover extends ProcessIdentity {
  fd: number;
}

export interface PostgresOptions {
  /** Keeps data, password and socket. Made when missing. */
  folder: string;
  /** Further `-c` settings. */
  settings?: Record<string, string>;
  /** File that the server's own log is appended to; by default one in its folder. */
  logFile?: string;
  /** Who may reach the socket besides the owner; service processes run as others when we are root. */
  socketMode?: number;
}

const SUPERUSER = "cairn";

/**
 * Starts the PostgreSQL of `folder`, making its cluster at the first start (2 to 3 s), and waits until it answers. It listens on a Unix socket only.
 * A watchdog shell holds a pipe from us: when nobody holds its other end any more, PostgreSQL gets SIGINT and shuts down in order.
 * Throws `postgres.start_failed` with the end of its log.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const binaries = await findBinaries();
  const folder = await home(options.folder, binaries);
  const data = join(folder, "data");
  const password = await passwordOf(folder);
  const socketFolder = await socketsOf(folder, binaries, options.socketMode ?? 0o711);
  if (!(await readFile(join(data, "PG_VERSION"), "utf8").catch(() => ""))) await initialise(binaries, folder, data);
  const settings = { listen_addresses: "", unix_socket_directories: socketFolder, ...options.settings };
  const args = ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  const url = urlIn(password, socketFolder);
  const logFile = options.logFile ?? join(folder, "postgres.log");
  const log = await open(logFile, "a", 0o600);
  try {
    let lastOutput = "";
    for (let attempt = 1; attempt <= 20; attempt++) {
      const stale = startOf(await pidFile(data));
      const from = (await log.stat()).size;
      const child = spawnWatched(binaries, args, log.fd);
      const exited = once(child, "exit").then(() => undefined);
      let ended = false;
      void exited.then(() => (ended = true));
      if (await isReady(data, stale, () => ended)) {
        const pid = Number((await pidFile(data))[0]);
        const stop = async () => {
          if (!ended) signal(pid, "SIGINT");
          await exited;
        };
        return { url, pid, socketFolder, exited, stop, handover: handoverOf(child.stdio[3] as Socket, pid) };
      }
      if (!ended) child.stdio[3]?.destroy();
      await exited;
      lastOutput = (await readFile(logFile)).subarray(from).toString().slice(-4000);
      // After a kill -9 of the postmaster its orphans hold the memory segment for some seconds more.
      if (!/lock file|shared memory block|is another postmaster/i.test(lastOutput)) break;
      await endLeftBehind(data);
      await new Promise((wake) => setTimeout(wake, 250));
    }
    throw new Fault(
      "unavailable",
      "postgres.start_failed",
      `PostgreSQL did not start: ${lastOutput.trim().split("\n").slice(-5).join(" | ")}`,
      `Look at ${folder}.`,
    );
  } finally {
    await log.close();
  }
}

/**
 * Takes over the PostgreSQL that another process of ours started, with its end of the watchdog's pipe. Undefined where it does not run any more, or is not the one
 * of this folder.
 */
export async function adoptPostgres(options: PostgresOptions, from: Handover): Promise<Postgres | undefined> {
  const binaries = await findBinaries();
  const folder = await home(options.folder, binaries);
  const [pid, , , , , , , state] = await pidFile(join(folder, "data"));
  if (Number(pid) !== from.pid || state?.trim() !== "ready" || !isAlive(from)) return undefined;
  const password = await passwordOf(folder);
  const socketFolder = await socketsOf(folder, binaries, options.socketMode ?? 0o711);
  const exited = (async () => {
    while (isAlive(from)) await new Promise((wake) => setTimeout(wake, 200));
    closeSync(from.fd);
  })();
  return {
    url: urlIn(password, socketFolder),
    pid: from.pid,
    socketFolder,
    exited,
    async stop() {
      signal(from.pid, "SIGINT");
      await exited;
    },
    handover: from,
  };
}

/** The one place that knows how Node keeps a pipe's file descriptor; undocumented. */
function handoverOf(pipe: Socket, pid: number): Handover | null {
  const fd = (pipe as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
  const process = identify(pid);
  return fd !== undefined && fd >= 0 && process ? { ...process, fd } : null;
}

const urlIn =
  (password: string, socketFolder: string) =>
  (database = "postgres"): string =>
    `postgresql://${SUPERUSER}:${password}@localhost/${database}?host=${encodeURIComponent(socketFolder)}&port=5432`;

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // gone already
  }
}

/**
 * A shell between us and the postmaster: it starts it, waits for the end of the pipe from us, then asks it to shut down until it has: one that has just begun does not
 * hear it yet, since a shell's background process ignores SIGINT until it says otherwise.
 */
function spawnWatched(binaries: Binaries, args: string[], log: number) {
  const script =
    'ulimit -c 0; "$0" "$@" 3<&- & pid=$!; (read -r _ <&3; while kill -INT $pid 2>/dev/null; do sleep 1; done) & dog=$!; wait $pid; code=$?; kill $dog 2>/dev/null; exit $code';
  return spawn("/bin/sh", ["-c", script, join(binaries.folder, "bin", "postgres"), ...args], {
    detached: true,
    stdio: ["ignore", "ignore", log, "pipe"],
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    cwd: "/",
    ...binaries.runAs,
  });
}

async function initialise(binaries: Binaries, folder: string, data: string): Promise<void> {
  // A name of its own: the initdb of an agent that was killed may still be at work.
  for (const name of await readdir(folder))
    if (name.startsWith("data.")) await rm(join(folder, name), { recursive: true, force: true, maxRetries: 5 });
  const temporary = `${data}.${newSecret().slice(0, 8)}`;
  const made = await run(
    join(binaries.folder, "bin", "initdb"),
    [
      "-D",
      temporary,
      "-U",
      SUPERUSER,
      "--locale=C",
      "-E",
      "UTF8",
      "-A",
      "scram-sha-256",
      `--pwfile=${join(folder, "password")}`,
      "--no-instructions",
    ],
    { env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" }, cwd: "/", timeoutSeconds: 120, ...binaries.runAs },
  );
  if (made.code !== 0)
    throw new Fault(
      "failed",
      "postgres.initdb_failed",
      `initdb failed: ${made.stderr.toString().trim()}`,
      `Check that ${folder} is writable and not full.`,
    );
  await rename(temporary, data);
}

/** As root the data belongs to another user, who must be able to reach it: where CAIRN_HOME is closed to others it lies in /var/lib instead. */
async function home(wanted: string, { runAs }: Binaries): Promise<string> {
  const folder = runAs && !(await reachableByOthers(wanted)) ? join("/var/lib/cairn", shortHash(wanted)) : wanted;
  await mkdir(folder, { recursive: true, mode: 0o755 });
  if (runAs) await chown(folder, runAs.uid, runAs.gid);
  // Whose data it is, for whoever finds it after its home has gone.
  if (folder !== wanted)
    await symlink(dirname(wanted), join(folder, "home")).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  return folder;
}

async function passwordOf(folder: string): Promise<string> {
  const file = join(folder, "password");
  const known = await readFile(file, "utf8").catch(() => "");
  if (known) return known.trim();
  await writeFile(file, newSecret(), { mode: 0o600 });
  const owner = process.getuid?.() === 0 ? await findBinaries() : undefined;
  if (owner?.runAs) await chown(file, owner.runAs.uid, owner.runAs.gid);
  return passwordOf(folder);
}

/** A socket's path has at most about 107 bytes: a long folder gets a short stand-in. */
async function socketsOf(folder: string, { runAs }: Binaries, mode: number): Promise<string> {
  const near = join(folder, "socket");
  const path = near.length <= 80 ? near : join("/tmp", `cairn-pg-${shortHash(folder)}`);
  await mkdir(path, { recursive: true, mode });
  if (runAs) await chown(path, runAs.uid, runAs.gid);
  return path;
}

/** Whether the postmaster says "ready" in its pid file (the eighth line; what pg_ctl waits for). `stale` is the start of which a killed one left the file. */
async function isReady(data: string, stale: string, ended: () => boolean): Promise<boolean> {
  const deadline = performance.now() + 120_000;
  while (!ended() && performance.now() < deadline) {
    const lines = await pidFile(data);
    if (startOf(lines) !== stale && lines[7]?.trim() === "ready") return true;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  return false;
}

/** Asks a postmaster of our folder to shut down that nobody cares for any more, since its watchdog was killed. Whoever comes here has the lock of the home, so it is nobody else's. */
async function endLeftBehind(data: string): Promise<void> {
  const pid = Number((await pidFile(data))[0]);
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (command.split("\0").includes(data)) signal(pid, "SIGINT");
}

/** Pid and time: where processes are few, as in a container, a pid comes again at once. */
const startOf = (lines: readonly string[]): string => `${lines[0] ?? ""} ${lines[2] ?? ""}`;

const pidFile = async (data: string): Promise<string[]> =>
  (await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).split("\n");

const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12);
