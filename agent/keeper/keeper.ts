import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Server } from "node:net";
import type { Log } from "@cairn/platform/kernel/log.ts";
import type { Handover } from "../postgres/launch.ts";
import { bootId } from "../services/proc.ts";

const script = fileURLToPath(new URL("keep.sh", import.meta.url));
const LOCK = 4;
const FIRST_SOCKET = 5;

/** The command that starts this agent again: program and arguments. */
const ownCommand = (): string[] => [process.execPath, ...process.execArgv, ...process.argv.slice(1)];

/** The file descriptor of the home's lock, where a keeper handed it over. */
export const inheritedLock = (env: NodeJS.ProcessEnv): number | undefined => (env.CAIRN_LOCK ? Number(env.CAIRN_LOCK) : undefined);

/** Listening sockets that a keeper handed over: file descriptor by port. */
export function inheritedSockets(env: NodeJS.ProcessEnv): Map<number, number> {
  const found = new Map<number, number>();
  for (const pair of (env.CAIRN_SOCKETS ?? "").split(",")) {
    const [fd, port] = pair.split(":").map(Number);
    if (fd && port) found.set(port, fd);
  }
  return found;
}

/** A PostgreSQL that a keeper held for us: `fd:pid:startTicks`. */
export function inheritedPostgres(env: NodeJS.ProcessEnv): Handover | undefined {
  const [fd, pid, startTicks] = (env.CAIRN_POSTGRES ?? "").split(":").map(Number);
  return fd && pid && startTicks ? { fd, pid, startTicks, bootId } : undefined;
}

/** The one place that knows how Node keeps a server's file descriptor; undocumented, and the same since Node 0.x. */
function descriptorOf(server: Server): number | undefined {
  const fd = (server as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
  return fd !== undefined && fd >= 0 ? fd : undefined;
}

/**
 * Keeps a shell beside the agent that holds the home's lock, the listening sockets, and the pipe by which PostgreSQL knows that somebody cares for it. A shell can't be handed a socket later on, so whenever the sockets change there is a
 * new shell, and the old one goes after it. A shell that dies is replaced.
 */
export class Keeper {
  readonly #log: Log;
  readonly #lock: Server;
  readonly #servers = new Set<Server>();
  #postgres: Handover | null = null;
  #child: ChildProcess | undefined;
  #renewal: Promise<void> | undefined;
  #stopped = false;
  #command = ownCommand();

  constructor(log: Log, lock: Server) {
    this.#log = log;
    this.#lock = lock;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  add(server: Server): void {
    this.#servers.add(server);
  }

  delete(server: Server): void {
    this.#servers.delete(server);
  }

  /** Holds a PostgreSQL's pipe too, so that it outlives us; null where none runs. */
  hold(postgres: Handover | null): void {
    this.#postgres = postgres;
    void this.renew();
  }

  /** Leaves the shell as it is from now on: we are about to end, and what it holds is what our successor gets. `command` starts that, where it lies elsewhere. */
  async handOver(command: string[] | undefined): Promise<void> {
    if (command) this.#command = command;
    await this.renew();
    this.#stopped = true;
  }

  /** Replaces the shell by one that holds the sockets of now. Calls in one turn are one renewal. */
  renew(): Promise<void> {
    return (this.#renewal ??= Promise.resolve().then(() => {
      this.#renewal = undefined;
      if (!this.#stopped) this.#replace();
    }));
  }

  /** Lets go of the sockets for good: the shell ends and starts no agent. */
  stop(): void {
    this.#stopped = true;
    this.#dismiss(this.#child);
    this.#child = undefined;
  }

  #replace(): void {
    const held = [...this.#servers].flatMap((server) => {
      const fd = descriptorOf(server);
      const address = server.address();
      return fd !== undefined && address !== null && typeof address === "object" ? [{ fd, port: address.port }] : [];
    });
    const postgres = this.#postgres;
    const lock = descriptorOf(this.#lock);
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      CAIRN_LOCK: lock === undefined ? "" : String(LOCK),
      CAIRN_SOCKETS: held.map(({ port }, n) => `${FIRST_SOCKET + n}:${port}`).join(","),
      CAIRN_POSTGRES: postgres ? [FIRST_SOCKET + held.length, postgres.pid, postgres.startTicks].join(":") : "",
    };
    delete env.CAIRN_KEEPER_PID;
    const child = spawn("/bin/sh", [script, ...this.#command], {
      detached: true,
      cwd: "/",
      env,
      stdio: ["ignore", "inherit", "inherit", "pipe", lock ?? "ignore", ...held.map(({ fd }) => fd), ...(postgres ? [postgres.fd] : [])],
    });
    child.unref();
    child.stdio[3]?.on("error", () => {});
    (child.stdio[3] as unknown as { unref?: () => void }).unref?.();
    const before = this.#child;
    this.#child = child;
    child.on("error", (error) => this.#log.error({ err: error }, "the keeper did not start"));
    child.once("exit", () => {
      if (this.#child !== child || this.#stopped) return;
      this.#log.warn({ pid: child.pid }, "the keeper died; another takes its place");
      setTimeout(() => void this.renew(), 100).unref();
    });
    this.#dismiss(before);
    endStarter();
  }

  #dismiss(child: ChildProcess | undefined): void {
    // It does nothing but wait for our end, so nothing is cut off.
    child?.kill("SIGKILL");
  }
}

/** The shell that restarted us waits for our end: our own keeper has taken over its work. */
function endStarter(): void {
  const pid = Number(process.env.CAIRN_KEEPER_PID);
  delete process.env.CAIRN_KEEPER_PID;
  if (!pid || pid !== process.ppid) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone already
  }
}
