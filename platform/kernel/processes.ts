import { spawn } from "node:child_process";
import type { Readable } from "node:stream";

export interface RunOptions {
  cwd?: string;
  /** The whole environment of the child; nothing is inherited unless it stands here. */
  env: NodeJS.ProcessEnv;
  input?: string | Uint8Array;
  timeoutSeconds?: number;
  signal?: AbortSignal;
  /** Most bytes kept of each stream; what is over is counted, not kept. Default 16 MiB. */
  maxBytes?: number;
  /** Called with each line of either stream as it comes. */
  onLine?: (line: string, stream: "stdout" | "stderr") => void;
  uid?: number;
  gid?: number;
}

export interface Finished {
  /** The exit status; null when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: Buffer;
  timedOut: boolean;
  /** Bytes that were over maxBytes. */
  droppedBytes: number;
}

/**
 * Runs a program without a shell, in a process group of its own, and waits for its end. At the time limit or the abort signal the whole group is killed,
 * so that nothing it started stays behind. Never throws for an exit status: look at `code`. Throws when the program can't be started.
 */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      uid: options.uid,
      gid: options.gid,
    });
    const maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
    const stdout = collect(child.stdout, maxBytes, (line) => options.onLine?.(line, "stdout"));
    const stderr = collect(child.stderr, maxBytes, (line) => options.onLine?.(line, "stderr"));
    let timedOut = false;
    let draining: NodeJS.Timeout | undefined;
    const kill = () => killGroup(child.pid, "SIGKILL");
    const timer =
      options.timeoutSeconds === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            kill();
          }, options.timeoutSeconds * 1000);
    options.signal?.addEventListener("abort", kill, { once: true });
    const cleanUp = () => {
      clearTimeout(timer);
      clearTimeout(draining);
      options.signal?.removeEventListener("abort", kill);
    };
    child.once("error", (error) => {
      cleanUp();
      reject(error);
    });
    child.once("exit", () => {
      kill();
      // One that left the group and still holds the pipes must not keep us waiting: what was written before the exit is read long before this.
      draining = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, 2000);
    });
    child.once("close", (code, signal) => {
      cleanUp();
      resolve({
        code,
        signal,
        stdout: stdout.bytes(),
        stderr: stderr.bytes(),
        timedOut,
        droppedBytes: stdout.dropped() + stderr.dropped(),
      });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input);
    if (options.signal?.aborted) kill();
  });
}

/** Sends a signal to a whole process group; one that is gone already is no error. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH" && (error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
}

function collect(stream: Readable, maxBytes: number, onLine: (line: string) => void) {
  const chunks: Buffer[] = [];
  let kept = 0;
  let dropped = 0;
  let rest = "";
  const decoder = new TextDecoder();
  stream.on("data", (chunk: Buffer) => {
    const room = Math.max(0, maxBytes - kept);
    if (room > 0) chunks.push(chunk.subarray(0, room));
    kept += Math.min(room, chunk.length);
    dropped += Math.max(0, chunk.length - room);
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = (lines.pop() ?? "").slice(-65_536);
    for (const line of lines) onLine(line);
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
  return { bytes: () => Buffer.concat(chunks), dropped: () => dropped };
}
