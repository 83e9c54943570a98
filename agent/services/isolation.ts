import { dirname, join } from "node:path";
import { places } from "@cairn/platform/kernel/config.ts";
import { mayBecome, reachableByOthers, reachableNode } from "@cairn/platform/kernel/other-users.ts";
import { shortHash } from "../places.ts";

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
  const ownUser = mayBecome(FIRST_USER, MOST_USERS);
  if (!ownUser) return { ownUser, folder: wanted, nodeFolder: dirname(process.execPath) };
  const folder = (await reachableByOthers(wanted)) ? wanted : join("/var/lib/cairn", shortHash(wanted));
  return { ownUser, folder, nodeFolder: await reachableNode() };
}

/** A user number that nobody of `taken` has: the one that `seed` leads to, or the next. Other homes on this machine give numbers of their own, which we can't know. */
export function freeUser(seed: string, taken: ReadonlySet<number>): number {
  const start = Number.parseInt(shortHash(seed).slice(0, 8), 16) % MOST_USERS;
  for (let n = 0; n < MOST_USERS; n++) {
    const user = FIRST_USER + ((start + n) % MOST_USERS);
    if (!taken.has(user)) return user;
  }
  throw new Error("all user numbers are taken");
}
