import { readFileSync } from "node:fs";
import { copyFile, link, mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { places } from "@cairn/platform/kernel/config.ts";
import { shortHash } from "../places.ts";
import { reachableByOthers } from "../postgres/binaries.ts";

/** Numbers that no distribution gives to anybody: above the dynamic users of systemd, below the ranges of user namespaces. */
export const FIRST_USER = 70_000;
const MOST_USERS = 20_000;

/** What keeps services apart on this machine. */
export interface Isolation {
  /** As root each target runs under a user of its own, which exists by its number only. Where the kernel refuses that (a user namespace), all run as we do. */
  ownUser: boolean;
  /** Where artifacts are unpacked: below the home, or, where others can't reach that, in /var/lib. */
  folder: string;
  /** A folder that holds the pinned node and that every service can reach. */
  nodeFolder: string;
}

export async function findIsolation(home: string): Promise<Isolation> {
  const wanted = places(home).services;
  const ownUser = process.getuid?.() === 0 && mayBecomeOthers();
  if (!ownUser) return { ownUser, folder: wanted, nodeFolder: dirname(process.execPath) };
  const folder = (await reachableByOthers(wanted)) ? wanted : join("/var/lib/cairn", shortHash(wanted));
  return { ownUser, folder, nodeFolder: await reachableNode() };
}

/** Root may be without the rights of root, and a user namespace may not know our numbers. Source: capabilities(7), user_namespaces(7). */
function mayBecomeOthers(): boolean {
  const needed = [0, 5, 6, 7]; // CAP_CHOWN, CAP_KILL, CAP_SETGID, CAP_SETUID
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
  return needed.every((capability) => ((effective >> BigInt(capability)) & 1n) === 1n) && ["uid_map", "gid_map"].every(knowsOurNumbers);
}

function knowsOurNumbers(map: string): boolean {
  const ranges = readFileSync(`/proc/self/${map}`, "utf8").trim().split("\n");
  return ranges.some((range) => {
    const [first = 0, , count = 0] = range.trim().split(/\s+/).map(Number);
    return first <= FIRST_USER && FIRST_USER + MOST_USERS <= first + count;
  });
}

/** A user number that nobody of `taken` has. */
export function freeUser(taken: ReadonlySet<number>): number {
  for (let user = FIRST_USER; user < FIRST_USER + MOST_USERS; user++) if (!taken.has(user)) return user;
  throw new Error("all user numbers are taken");
}

async function reachableNode(): Promise<string> {
  const own = dirname(process.execPath);
  if (await reachableByOthers(own)) return own;
  const folder = join("/var/cache/cairn", `node-${process.versions.node}-${shortHash(process.execPath)}`);
  const there = await stat(join(folder, "node")).catch(() => undefined);
  if (there) return folder;
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const temporary = join(folder, `.${process.pid}`);
  await rm(temporary, { force: true });
  await link(process.execPath, temporary).catch(() => copyFile(process.execPath, temporary));
  await rename(temporary, join(folder, "node"));
  return folder;
}
