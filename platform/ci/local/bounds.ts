import { readdir, readFile, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { MARK } from "../environment.ts";

const LOOK_EVERY_MS = 1000;
/** What a build may not take of the disk: the database and the services are on it too. */
const FREE_DISK_BYTES = 200 * 1024 * 1024;
const FREE_DISK_SHARE = 0.02;

/** What one build may use of the machine. */
export interface Bounds {
  memoryBytes: number;
}

/** CAIRN_CI_MEMORY_MIB, or a build's share of half of the machine's memory, at least 1 GiB. */
export function boundsFrom(env: NodeJS.ProcessEnv, atOnce: number): Bounds {
  const set = Number(env.CAIRN_CI_MEMORY_MIB);
  if (set > 0) return { memoryBytes: set * 2 ** 20 };
  const machine = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  return { memoryBytes: Math.max(2 ** 30, machine / 2 / atOnce) };
}

/**
 * Looks once a second at what a run uses, until `leave`; `over` is aborted with the reason, as its message, once that is too much. Memory is what is resident of each process that bears the run's mark, or is of its
 * cell's user: a limit of the kernel's (RLIMIT_AS) would count what is only reserved, which for Node is tens of gigabytes.
 */
export function watchBounds(
  of: { mark: string; user: number | undefined; folder: string },
  bounds: Bounds,
): { over: AbortSignal; leave: () => void } {
  const over = new AbortController();
  let looking = false;
  const look = async () => {
    const [used, disk] = [await memoryOf(of.mark, of.user), await statfs(of.folder)];
    if (used > bounds.memoryBytes)
      over.abort(
        new Error(
          `the build used ${mebibytes(used)} MiB of memory, its limit is ${mebibytes(bounds.memoryBytes)} MiB (CAIRN_CI_MEMORY_MIB)`,
        ),
      );
    const free = disk.bavail * disk.bsize;
    if (free < Math.min(FREE_DISK_BYTES, disk.blocks * disk.bsize * FREE_DISK_SHARE))
      over.abort(
        new Error(
          `the build left ${mebibytes(free)} MiB free on the disk (no space left): make room in ${of.folder}, or have the build write less`,
        ),
      );
  };
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    // The folder may go while we look, when the run ends.
    void look().catch(() => {}).finally(() => (looking = false)); // prettier-ignore
  }, LOOK_EVERY_MS);
  return { over: over.signal, leave: () => clearInterval(timer) };
}

async function memoryOf(mark: string, user: number | undefined): Promise<number> {
  const wanted = Buffer.from(`${MARK}=${mark}\0`);
  const pids = (await readdir("/proc").catch((): string[] => [])).filter((name) => /^\d+$/.test(name));
  let bytes = 0;
  for (const pid of pids) {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    const resident = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    if (resident === 0) continue;
    const ofUser = user !== undefined && new RegExp(`^Uid:\\t${user}\\t`, "m").test(status);
    if (ofUser || (await readFile(`/proc/${pid}/environ`).catch(() => Buffer.alloc(0))).includes(wanted)) bytes += resident;
  }
  return bytes;
}

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
