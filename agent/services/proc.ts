import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { killGroup } from "@cairn/platform/kernel/processes.ts";

/** A process by what can't be reused: the boot it lives in, its pid, and when it started (clock ticks since that boot). */
export interface ProcessIdentity {
  bootId: string;
  pid: number;
  startTicks: number;
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

export const bootId = (read("/proc/sys/kernel/random/boot_id") ?? "").trim();

/** The identity of a living process; undefined when it is gone. A zombie is gone. */
export function identify(pid: number): ProcessIdentity | undefined {
  const found = statOf(pid);
  return found && found.state !== "Z" && found.state !== "X" ? { bootId, pid, startTicks: found.startTicks } : undefined;
}

export function isAlive(process: ProcessIdentity): boolean {
  return process.bootId === bootId && identify(process.pid)?.startTicks === process.startTicks;
}

/** Source: proc_pid_stat(5). The name, in parentheses, may hold anything, so fields count from the last parenthesis. */
function statOf(pid: number): { state: string; parent: number; group: number; session: number; startTicks: number } | undefined {
  const line = read(`/proc/${pid}/stat`);
  if (line === undefined) return undefined;
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return {
    state: fields[0] ?? "",
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTicks: Number(fields[19]),
  };
}

/** One process as the table shows it. */
export interface ProcessRow extends ProcessIdentity {
  parent: number;
  session: number;
  group: number;
  /** Whom it runs as. */
  user: number;
}

/** All living processes by pid. Lets go of the event loop now and then: a machine may have thousands. */
export async function processTable(): Promise<Map<number, ProcessRow>> {
  const table = new Map<number, ProcessRow>();
  let looked = 0;
  for (const pid of pids()) {
    const stat = statOf(pid);
    const user = /^Uid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
    if (stat && user !== undefined && stat.state !== "Z" && stat.state !== "X") {
      const { parent, session, group, startTicks } = stat;
      table.set(pid, { bootId, pid, startTicks, parent, session, group, user: Number(user) });
    }
    if (++looked % 50 === 0) await new Promise((wake) => setImmediate(wake));
  }
  return table;
}

/** Whether a process's environment holds `NAME=value`. */
const bearsMark = (pid: number, mark: string): boolean => `\0${read(`/proc/${pid}/environ`) ?? ""}`.includes(`\0${mark}\0`);

/** The value of a variable in a process's environment, where we may see it. */
export const variableOf = (pid: number, name: string): string | undefined =>
  (read(`/proc/${pid}/environ`) ?? "")
    .split("\0")
    .find((entry) => entry.startsWith(`${name}=`))
    ?.slice(name.length + 1);

/** The program that a process runs, as a path; undefined when it is gone or not ours to see. */
export function programOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

/** What a process was called with: its program and, where that looks harmless, its first argument. The others may hold passwords, and this is written down. */
export function commandOf(pid: number): string {
  const [program = "", first = ""] = (read(`/proc/${pid}/cmdline`) ?? "").split("\0");
  return [program.slice(0, 120), /^[\w./-]{1,80}$/.test(first) ? first : first && "..."].filter(Boolean).join(" ");
}

/** Resident memory of a process and all its descendants. Pages that they share count for each. */
export function treeMemoryBytes(pid: number): number {
  const pages = Number(read(`/proc/${pid}/statm`)?.split(" ")[1] ?? 0);
  return childrenOf(pid).reduce((sum, child) => sum + treeMemoryBytes(child), pages * 4096);
}

function childrenOf(pid: number): number[] {
  const threads = threadsOf(pid);
  return threads.flatMap((thread) => (read(`/proc/${pid}/task/${thread}/children`) ?? "").split(" ").filter(Boolean).map(Number));
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Living processes of a session or of the process group that its leader began. */
export function sessionMembers(leader: number): number[] {
  return pids().filter((pid) => {
    const stat = statOf(pid);
    return stat !== undefined && (stat.session === leader || stat.group === leader) && stat.state !== "Z" && stat.state !== "X";
  });
}

/** Living processes whose environment holds `NAME=value`: also those that began a session of their own. Only of ours, unless we are root. */
export function marked(mark: string): number[] {
  return pids().filter((pid) => bearsMark(pid, mark) && identify(pid) !== undefined);
}

const pids = (): number[] => readdirSync("/proc").map(Number).filter(Number.isInteger);

/** Signals a session's first process group as a whole and, one by one, what has left it. */
export function signalSession(leader: number, signal: NodeJS.Signals): void {
  const members = sessionMembers(leader);
  killGroup(leader, signal);
  signalEach(members, signal);
}

export function signalEach(processes: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // it is gone already
    }
  }
}
