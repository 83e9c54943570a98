import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What the server writes about itself when it listens. */
export interface ServerRecord {
  pid: number;
  /** Field 22 of /proc/PID/stat: with the pid it names one process for good. */
  startTicks: string;
  url: string;
  startedAt: string;
}

const recordFile = (home: string) => join(home, "server.json");

/** The running server of this home, or undefined. */
export async function runningServer(home: string): Promise<ServerRecord | undefined> {
  const text = await readFile(recordFile(home), "utf8").catch(() => "");
  if (!text) return undefined;
  const record = JSON.parse(text) as ServerRecord;
  return (await startTicks(record.pid)) === record.startTicks ? record : undefined;
}

/** Says where a server is, for whoever looks from this machine; whole or not at all. */
export async function writeServer(home: string, record: ServerRecord): Promise<void> {
  const path = recordFile(home);
  await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export const forgetServer = (home: string): Promise<void> => rm(recordFile(home), { force: true });

/** When a process started, in clock ticks since boot; empty when there is none. Elsewhere than on Linux only whether it is alive. */
export async function startTicks(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  if (process.platform === "linux") return "";
  try {
    process.kill(pid, 0);
    return "alive";
  } catch {
    return "";
  }
}
