import type { Platform } from "../../e2e/platform.ts";
import { memoryOf, tree } from "./processes.ts";
import type { Measurement, Row } from "./report.ts";

const SERVICES = 20;
/** Services under way at once. */
const AT_ONCE = 3;
const IDLE_SECONDS = 30;
const IDLE_MB = 350;

/** What `cairn status` says of the processes. */
interface Status {
  server: { pid: number };
  agent: { pid: number; keeperPid: number; postgres: { pid: number } };
}

/** Memory of a platform that has no service yet: the first row, the sum, has an aim. */
export const idleMemory: Measurement = async (ground) =>
  (await idle(await ground.platform(), "idle")).map((row, n) => (n === 0 ? { ...row, most: IDLE_MB } : row));

/**
 * Memory of the platform itself, without the services that it runs, when twenty of them are in three environments each and nobody asks for anything; before the first of them too, where there is none yet. What a
 * process has of its own is its proportional set size (PSS), so that PostgreSQL's shared buffers count once. The pages of programs count once for all, in whole: PSS
 * would share them with whatever else on this machine runs on the same Node.
 */
export const memory: Measurement = async (ground) => {
  const platform = await ground.platform();
  const before = ground.services.length === 0 ? await idleMemory(ground) : [];
  const waiting = Array.from({ length: SERVICES - ground.services.length }, (_, n) => `bench-memory-${n}`);
  const work = async () => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) await ground.service(name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return [...before, ...(await idle(platform, `with ${SERVICES} services`))];
};

/** The platform after a while in which nobody asked it for anything. */
async function idle(platform: Platform, when: string): Promise<Row[]> {
  await new Promise((wake) => setTimeout(wake, IDLE_SECONDS * 1000));
  const parts = Object.entries(processesOf(await platform.cairn<Status>("status"))).map(([part, pids]) => ({
    part,
    all: pids.map(memoryOf),
  }));
  const everything = parts.flatMap(({ all }) => all);
  const files = new Map<string, number>();
  for (const { filesKb } of everything) for (const [file, kb] of filesKb) files.set(file, Math.max(kb, files.get(file) ?? 0));
  const programs = sum([...files.values()]);
  const row = (what: string, kb: number): Row => ({ what: `${what}, ${when}`, unit: "MB", samples: [Math.round(kb / 1024)] });
  return [
    row("platform", sum(everything.map(({ ownKb }) => ownKb)) + programs),
    ...parts.map(({ part, all }) => row(`  ${part}, its own`, sum(all.map(({ ownKb }) => ownKb)))),
    row("  programs and libraries of all, once", programs),
    ...parts.map(({ part, all }) => row(`resident (RSS): ${part}`, sum(all.map(({ rssKb }) => rssKb)))),
  ];
}

/** The agent's children are services, but for its keeper and PostgreSQL. */
const processesOf = ({ server, agent }: Status): Record<string, number[]> => ({
  server: tree(server.pid),
  agent: [agent.pid, agent.keeperPid],
  PostgreSQL: tree(agent.postgres.pid),
});

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
