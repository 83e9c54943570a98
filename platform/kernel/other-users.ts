import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { copyFile, link, mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

// Running things under users that exist by their number only. Source: capabilities(7), user_namespaces(7).

/** Whether this process may start others under `count` user numbers from `first` on: as root, unless it is without the rights of root or in a user namespace that does not know them. */
export function mayBecome(first: number, count: number): boolean {
  if (process.getuid?.() !== 0) return false;
  const needed = [0, 5, 6, 7]; // CAP_CHOWN, CAP_KILL, CAP_SETGID, CAP_SETUID
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
  const knows = (map: string) =>
    readFileSync(`/proc/self/${map}`, "utf8")
      .trim()
      .split("\n")
      .some((range) => {
        const [start = 0, , length = 0] = range.trim().split(/\s+/).map(Number);
        return start <= first && first + count <= start + length;
      });
  return needed.every((capability) => ((effective >> BigInt(capability)) & 1n) === 1n) && ["uid_map", "gid_map"].every(knows);
}

/** Whether somebody else than the owner may pass through every folder down to `path`. */
export async function reachableByOthers(path: string): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    const mode = await stat(folder).then(
      (found) => found.mode,
      () => 0o755, // not there yet: we shall make it so
    );
    if ((mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Where builds work whose own folder others can't reach. */
export const buildsElsewhere = (work: string): string =>
  join("/var/lib/cairn", `builds-${createHash("sha256").update(work).digest("hex").slice(0, 12)}`);

/** A folder that holds the pinned node and that every user can reach. */
export async function reachableNode(): Promise<string> {
  const own = dirname(process.execPath);
  if (await reachableByOthers(own)) return own;
  const key = createHash("sha256").update(process.execPath).digest("hex").slice(0, 12);
  const folder = join("/var/cache/cairn", `node-${process.versions.node}-${key}`);
  const there = await stat(join(folder, "node")).catch(() => undefined);
  if (there) return folder;
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const temporary = join(folder, `.${process.pid}`);
  await rm(temporary, { force: true });
  await link(process.execPath, temporary).catch(() => copyFile(process.execPath, temporary));
  await rename(temporary, join(folder, "node"));
  return folder;
}
