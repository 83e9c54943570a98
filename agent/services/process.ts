import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { bootId, identify, isAlive, marked, sessionMembers, signalEach, signalSession, type ProcessIdentity } from "./proc.ts";

export interface StartOrder {
  /** Run by `sh -c`. */
  command: string;
  folder: string;
  env: Record<string, string>;
  user: { uid: number; gid: number } | undefined;
  /** Files that the two streams are appended to. Never pipes: a service would block or die with us. */
  out: string;
  err: string;
  memoryLimitBytes: number | undefined;
  /** Called with the process before it does anything; only when this is done the command runs. */
  onBorn: (process: ProcessIdentity) => Promise<void>;
  onExit: (how: string) => void;
}

// It waits for a word on fd 3 before it becomes the command. Should the agent die before it has noted the process in its journal, the word never comes and
// the shell ends: so no process runs that nobody knows of. It dumps no core, into a file or to a
// collector: its environment holds secrets. The data limit is a backstop behind the watchdog; the score makes the kernel take services first.
const SCRIPT =
  'read -r word <&3 || exit 1; exec 3<&-; ulimit -c 0; echo 0 2>/dev/null >/proc/self/coredump_filter; [ -n "$1" ] && ulimit -d "$1" 2>/dev/null; echo 500 2>/dev/null >/proc/self/oom_score_adj; unset PWD OLDPWD; exec /bin/sh -c "$0"';

/** Starts a command in a session of its own. Throws when it can't be started. */
export async function startProcess(order: StartOrder): Promise<ProcessIdentity> {
  const limit = order.memoryLimitBytes === undefined ? "" : String(Math.ceil(order.memoryLimitBytes / 1024) + 600 * 1024);
  const out = openSync(order.out, "a", 0o600);
  const err = openSync(order.err, "a", 0o600);
  try {
    const child = spawn("/bin/sh", ["-c", SCRIPT, order.command, limit], {
      cwd: order.folder,
      env: order.env,
      detached: true,
      stdio: ["ignore", out, err, "pipe"],
      ...order.user,
    });
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    failed.catch(() => {});
    child.once("exit", (code, signal) => order.onExit(howItEnded(code, signal)));
    const go = child.stdio[3] as unknown as { end(text: string): void; on(name: "error", handle: () => void): void };
    go.on("error", () => {});
    child.unref();
    if (child.pid === undefined) return await failed;
    const born = identify(child.pid);
    let word = "";
    try {
      if (!born) throw new Error("it ended at once");
      await Promise.race([order.onBorn(born), failed]);
      word = "go\n";
      return born;
    } finally {
      go.end(word);
    }
  } finally {
    closeSync(out);
    closeSync(err);
  }
}

/** A shell tells of a command that a signal ended by a status of 128 and the signal's number. */
function howItEnded(code: number | null, signal: string | null): string {
  if (signal !== null) return `it was ended by ${signal}`;
  const name = Object.entries(constants.signals).find(([, number]) => number + 128 === code)?.[0];
  return `it ended with status ${code}${name ? `, as by ${name}` : ""}`;
}

/** Ends a process with all that it started: SIGTERM to its session, then SIGKILL after the grace. Settles when nothing of it is left. */
export async function endProcess(process: ProcessIdentity, mark: string, graceSeconds: number): Promise<void> {
  if (isAlive(process)) {
    signalSession(process.pid, "SIGTERM");
    await until(() => sessionMembers(process.pid).length === 0, graceSeconds * 1000); // the shell may be gone before what it started
  }
  await endRest(process, mark);
}

/** Kills what is left of a process's session, and whatever bears its mark. */
export async function endRest(process: ProcessIdentity, mark: string): Promise<void> {
  // A session keeps its number as long as it has a member, and so long no new process gets that pid. Another process with it, or another boot: the session is gone.
  const now = identify(process.pid);
  const isOurs = process.bootId === bootId && (now === undefined || now.startTicks === process.startTicks);
  const rest = () => [...(isOurs ? sessionMembers(process.pid) : []), ...marked(mark)];
  await until(() => {
    const left = rest();
    signalEach(left, "SIGKILL");
    return left.length === 0;
  }, 5000);
}

async function until(condition: () => boolean, milliseconds: number): Promise<void> {
  const deadline = performance.now() + milliseconds;
  for (let wait = 5; !condition() && performance.now() < deadline; wait = Math.min(100, wait * 1.5))
    await new Promise((wake) => setTimeout(wake, wait));
}
