import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { descriptors } from "../services/sockets.ts";

/** Who calls: a service in its environment as `orders/production`; somebody else on this machine; or nobody knows. */
export const OUTSIDE = "outside";
export const UNKNOWN = "unknown";

/** What tells services apart: the user that one runs as, where each has its own, else its processes. */
export interface ServiceProcesses {
  key: string;
  user: number | null;
  pids: () => number[];
}

/** At most this share of the time is spent on finding out. */
const RESTS_FOR_EACH_MS = 20;
const LEAST_REST_MS = 10;
/** Tables that are read faster than this are read at once, while even a caller that asks one thing and goes is still there. */
const AT_ONCE_MS = 1;

/**
 * Finds out who holds the other end of a connection, by what the kernel says of it and not by what the request claims: the user of the caller's socket, or the
 * process that holds it. A connection that is gone before it was looked up is unknown. Looked up at once where that costs little, else in batches, away from the
 * path of requests.
 */
export class Callers {
  readonly #services: () => ServiceProcesses[];
  #waiting: { socket: Socket; settle: (caller: string) => void }[] = [];
  #isBusy = false;
  #lastMs = 0;

  constructor(services: () => ServiceProcesses[]) {
    this.#services = services;
  }

  of(socket: Socket): Promise<string> {
    return new Promise((settle) => {
      this.#waiting.push({ socket, settle });
      if (!this.#isBusy) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      const startedAt = performance.now();
      const tables =
        this.#lastMs < AT_ONCE_MS
          ? TABLES.map(readNow)
          : await Promise.all(TABLES.map((table) => readFile(table, "latin1").catch(() => "")));
      this.#lastMs = performance.now() - startedAt;
      let found: string[] = [];
      try {
        found = this.#find(
          batch.map(({ socket }) => socket),
          tables,
        );
      } catch {
        // Of these nobody knows; the next may be found out.
      }
      for (const [n, { settle }] of batch.entries()) settle(found[n] ?? UNKNOWN);
      const rest = Math.max(LEAST_REST_MS, RESTS_FOR_EACH_MS * (performance.now() - startedAt));
      await new Promise((wake) => setTimeout(wake, Math.min(rest, 1000)));
    }
    this.#isBusy = false;
  }

  #find(sockets: readonly Socket[], tables: readonly string[]): string[] {
    const ends = new Map<string, End>();
    for (const table of tables) for (const end of endsIn(table)) ends.set(end.name, end);
    const services = this.#services();
    const own = sockets.map((socket) =>
      socket.remotePort && socket.localPort ? ends.get(`${socket.remotePort}>${socket.localPort}`) : undefined,
    );
    const byUser = new Map(services.flatMap(({ key, user }) => (user === null ? [] : [[user, key] as const])));
    const shared = services.filter(({ user }) => user === null);
    const inodes = own.flatMap((end) => (end && end.inode !== "0" && !byUser.has(end.user) ? [end.inode] : []));
    const byInode = shared.length > 0 && inodes.length > 0 ? holdersOf(inodes, shared) : new Map<string, string>();
    return own.map((end) => {
      if (!end || end.inode === "0") return UNKNOWN; // it is closed already
      return byUser.get(end.user) ?? byInode.get(end.inode) ?? OUTSIDE;
    });
  }
}

/** Counts requests by caller; those of a connection whose caller is still being found out are counted when it is. */
export class CallerCounts {
  epoch = randomBytes(6).toString("hex");
  readonly #requests = new Map<string, number>();
  readonly #connections = new WeakMap<object, { caller: string | undefined; waiting: number }>();
  readonly #callers: Callers;

  constructor(callers: Callers) {
    this.#callers = callers;
  }

  /** A connection is there: now its other end is looked for. */
  connected(socket: Socket): void {
    const connection = { caller: undefined as string | undefined, waiting: 0 };
    this.#connections.set(socket, connection);
    void this.#callers.of(socket).then((caller) => {
      connection.caller = caller;
      if (connection.waiting > 0) this.#add(caller, connection.waiting);
    });
  }

  /** A request came on a connection. */
  count(socket: Socket): void {
    const known = this.#connections.get(socket);
    if (known?.caller !== undefined) this.#add(known.caller, 1);
    else if (known) known.waiting += 1;
    else this.#add(UNKNOWN, 1);
  }

  /** Counts on where one before it ended. */
  resume(kept: { epoch: string; counts: readonly { caller: string; requests: number }[] }): void {
    this.epoch = kept.epoch;
    for (const { caller, requests } of kept.counts) this.#add(caller, requests);
  }

  counts(): { caller: string; requests: number }[] {
    return [...this.#requests].map(([caller, requests]) => ({ caller, requests }));
  }

  #add(caller: string, requests: number): void {
    this.#requests.set(caller, (this.#requests.get(caller) ?? 0) + requests);
  }
}

const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];

function readNow(table: string): string {
  try {
    return readFileSync(table, "latin1");
  } catch {
    return ""; // a kernel without IPv6
  }
}

/** Which service's processes hold sockets, by inode. */
function holdersOf(inodes: readonly string[], services: readonly ServiceProcesses[]): Map<string, string> {
  const wanted = new Map(inodes.map((inode) => [`socket:[${inode}]`, inode]));
  const found = new Map<string, string>();
  for (const { key, pids } of services)
    for (const pid of pids())
      for (const link of descriptors(pid)) {
        const inode = wanted.get(link);
        if (inode !== undefined) found.set(inode, key);
      }
  return found;
}

interface End {
  /** `its port>the other's port`. */
  name: string;
  user: number;
  inode: string;
}

/** Sockets of a table whose two ends are on this machine. Source: proc_net(5), the table's columns. */
function endsIn(table: string): End[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [local = "", remote = ""] = [fields[1], fields[2]];
      if (fields[3] === "0A" || !isLoopback(local) || !isLoopback(remote)) return [];
      return [{ name: `${portOf(local)}>${portOf(remote)}`, user: Number(fields[7]), inode: fields[9] ?? "0" }];
    });
}

/** 127.x.y.z in the machine's byte order, alone or within an IPv6 address. */
const isLoopback = (end: string): boolean => /(^|FFFF0000)[0-9A-F]{6}7F:/.test(end);
const portOf = (end: string): number => Number.parseInt(end.slice(end.lastIndexOf(":") + 1), 16);
