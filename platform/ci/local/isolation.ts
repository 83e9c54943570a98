import { randomInt } from "node:crypto";
import { lchown, mkdir, readdir, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { buildsElsewhere, mayBecome, reachableByOthers, reachableNode } from "../../kernel/other-users.ts";
import { run } from "../../kernel/processes.ts";
import { emptyCell, startIn, type Cell } from "../cell.ts";

/** Numbers for builds, after those for services. */
const FIRST_USER = 90_000;
const MOST_USERS = 5000;
/** Processes and threads that a build may have at a time. */
const PROCESSES = 1024;

/** How this machine keeps builds apart, as it was seen to work. */
export interface BuildIsolation {
  kind: Cell["kind"];
  /** Where work folders lie. */
  folder: string;
  /** Holds a node that the build can reach. */
  nodeFolder: string;
  /** A cell for one run, whose work folder that is. `leave` ends what still runs in it. */
  enter(work: string): Promise<{ cell: Cell; leave: () => Promise<void> }>;
}

export interface Kept {
  /** CAIRN_HOME. */
  home: string;
  /** Where work folders lie, if builds can reach it there. */
  work: string;
  /** Folders besides the home that builds have no business in. */
  hidden: readonly string[];
  /** The platform's own code. */
  checkout: string;
}

/** Builds run as we do, and could read what we can. */
export const notIsolated = (folder: string): BuildIsolation => ({
  kind: "none",
  folder,
  nodeFolder: dirname(process.execPath),
  enter: async () => ({ cell: { kind: "none" }, leave: async () => {} }),
});

/**
 * The best that works here: a user of its own as root, else bubblewrap, else user namespaces. Each is tried out: a command in the cell must be able to work, and unable to look into the home. Where none holds, builds
 * are not isolated.
 */
export async function findBuildIsolation(kept: Kept): Promise<BuildIsolation> {
  for (const candidate of [await byUser(kept), within("bubblewrap", kept), within("namespace", kept)])
    if (candidate && (await holds(candidate, kept.home))) return candidate;
  return notIsolated(kept.work);
}

async function byUser({ work }: Kept): Promise<BuildIsolation | undefined> {
  if (!mayBecome(FIRST_USER, MOST_USERS)) return undefined;
  return {
    kind: "user",
    folder: (await reachableByOthers(dirname(work))) ? work : buildsElsewhere(work),
    nodeFolder: await reachableNode(),
    async enter(folder) {
      const { user, release } = await freeUser();
      const cell: Cell = { kind: "user", user, processes: PROCESSES };
      await emptyCell(cell);
      await giveTo(folder, user);
      return { cell, leave: () => emptyCell(cell).finally(release) };
    },
  };
}

function within(kind: "bubblewrap" | "namespace", { home, work, hidden, checkout }: Kept): BuildIsolation | undefined {
  if (process.platform !== "linux" || process.getuid?.() === 0) return undefined;
  return {
    kind,
    folder: work,
    nodeFolder: dirname(process.execPath),
    async enter(folder) {
      const there = await Promise.all([home, ...hidden].map(async (path) => ((await isFolder(path)) ? [path] : [])));
      return { cell: { kind, work: folder, hidden: there.flat(), readOnly: [checkout], processes: PROCESSES }, leave: async () => {} };
    },
  };
}

/** Whether a command in such a cell can run node and write to its folder, and finds nothing to read of the home. */
async function holds(isolation: BuildIsolation, home: string): Promise<boolean> {
  const work = join(isolation.folder, `.trial-${process.pid}`);
  await mkdir(join(work, "source"), { recursive: true });
  const secret = join(home, `.trial-${process.pid}`);
  await mkdir(secret, { recursive: true, mode: 0o700 });
  try {
    const { cell, leave } = await isolation.enter(work);
    try {
      const start = startIn(cell, `ls "$SECRET" && exit 3; node -p 1 && mkdir written`, join(work, "source"));
      const ended = await run(start.program, start.args, {
        cwd: join(work, "source"),
        env: { PATH: `${isolation.nodeFolder}:${process.env.PATH}`, SECRET: secret },
        timeoutSeconds: 30,
        ...(start.uid !== undefined && { uid: start.uid }),
        ...(start.gid !== undefined && { gid: start.gid }),
      });
      return ended.code === 0 && (await isFolder(join(work, "source", "written")));
    } finally {
      await leave();
    }
  } catch {
    return false; // the program is not there, or the kernel refuses it
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(secret, { recursive: true, force: true });
  }
}

/** A user number that no other platform of this machine uses now: whoever listens on its abstract socket has it, and the kernel gives it back when that process ends. */
async function freeUser(): Promise<{ user: number; release: () => void }> {
  const start = randomInt(MOST_USERS);
  for (let tried = 0; tried < MOST_USERS; tried++) {
    const user = FIRST_USER + ((start + tried) % MOST_USERS);
    const server = createServer();
    if (await listens(server, `\0cairn-build-user-${user}`)) return { user, release: () => void server.close() };
  }
  throw new Error("all user numbers for builds are taken");
}

const listens = (server: Server, path: string): Promise<boolean> =>
  new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(false) : reject(error)));
    server.listen({ path }, () => resolve(true)).unref();
  });

/** Gives a folder to a user, with all in it. */
async function giveTo(root: string, user: number): Promise<void> {
  await lchown(root, user, user);
  const waiting = [root];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop())
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      // A file with several names is one that is shared with us: it is for reading.
      if (entry.isFile() && (await stat(path)).nlink > 1) continue;
      await lchown(path, user, user);
      if (entry.isDirectory()) waiting.push(path);
    }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then((found) => found.isDirectory(), () => false); // prettier-ignore
