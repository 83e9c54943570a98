import { lstat, readdir, readlink, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { placesElsewhere } from "@cairn/agent/client.ts";
import { places, type Config } from "../kernel/config.ts";
import { Fault } from "../kernel/faults.ts";
import { buildsElsewhere } from "../kernel/other-users.ts";

/** What Cairn put on this machine for one home, and what it can't take away itself. */
export interface Traces {
  /** Folders that are there. */
  folders: string[];
  /** Programs copied for all homes of this machine. Kept while a process runs from them. */
  caches: { folder: string; inUse: boolean }[];
  /** A database of one's own keeps its tables. */
  database: string | undefined;
}

const CACHES = ["/var/cache/cairn"];

/** Looks for the traces of a home. Throws `host.not_a_home` for a folder that holds other things. */
export async function tracesOf(config: Config, env: NodeJS.ProcessEnv): Promise<Traces> {
  const home = await realpath(config.home).catch(() => config.home);
  await requireHome(home);
  const folders: string[] = [];
  for (const folder of [home, ...placesElsewhere(home), buildsElsewhere(join(places(config.home).ci, "work"))])
    if (await there(folder)) folders.push(folder);
  const caches: Traces["caches"] = [];
  const own = env.XDG_CACHE_HOME ?? (env.HOME && join(env.HOME, ".cache"));
  for (const parent of [...CACHES, ...(own ? [join(own, "cairn")] : [])])
    for (const name of await readdir(parent).catch(() => [])) {
      const folder = join(parent, name);
      caches.push({ folder, inUse: await runsFrom(folder) });
    }
  return { folders, caches, database: config.databaseUrl && new URL(config.databaseUrl).pathname.slice(1) };
}

/** Removes the traces that nobody uses. Everything must have been stopped. */
export async function removeTraces({ folders, caches }: Traces): Promise<void> {
  const gone = [...folders, ...caches.filter(({ inUse }) => !inUse).map(({ folder }) => folder)];
  for (const folder of gone) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** A wrong CAIRN_HOME must not cost anybody their files. */
async function requireHome(home: string): Promise<void> {
  const names = await readdir(home).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (names.length > 0 && !names.some((name) => OURS.has(name)))
    throw new Fault(
      "conflict",
      "host.not_a_home",
      `${home} holds no Cairn`,
      "Set CAIRN_HOME to the folder that cairn start used; nothing was removed.",
    );
}
const OURS = new Set(["agent", "keys", "forge", "server.json", "npm-cache", "postgres"]);

const there = (folder: string): Promise<boolean> =>
  lstat(folder).then(
    () => true,
    () => false,
  );

/** Whether any process of this machine runs a program that lies there. */
async function runsFrom(folder: string): Promise<boolean> {
  for (const pid of (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const program = await readlink(`/proc/${pid}/exe`).catch(() => "");
    if (program.startsWith(`${folder}/`)) return true;
  }
  return false;
}
