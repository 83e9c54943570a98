import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { MARK } from "./environment.ts";

/**
 * Kills every process of a run that still lives, found by the mark in its environment: so also one that left the process group, or that a crash left behind. A process id that was
 * given out anew can't be hit by mistake, as the mark is read from the process itself. Gives how many it killed. Where there is no /proc it finds nothing.
 */
export async function killLeftovers(mark: string, spare: readonly number[] = [process.pid]): Promise<number> {
  const killed = new Set<number>();
  // A process may fork while we look, and one that is killed takes a moment to go: until a look finds nothing.
  for (let look = 0; look < 200; look++) {
    if (look > 0) await setTimeout(10);
    const found = (await marked(mark)).filter((pid) => !spare.includes(pid));
    if (found.length === 0) break;
    for (const pid of found) {
      killed.add(pid);
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
  }
  return killed.size;
}

async function marked(mark: string): Promise<number[]> {
  const wanted = Buffer.from(`${MARK}=${mark}\0`);
  const pids = (await readdir("/proc").catch((): string[] => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      // Of another user, or gone: not ours. A zombie's environment is empty.
      const environment = await readFile(`/proc/${pid}/environ`).catch(() => undefined);
      return environment !== undefined && Buffer.concat([environment, Buffer.from([0])]).includes(wanted) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}
