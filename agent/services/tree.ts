import { createHash } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "@cairn/platform/kernel/digest.ts";

/** A file by the hash of its content, a link by where it leads, a folder by being one: as the artifact has it. */
export type TreeEntry = { kind: "file"; hash: string; executable: boolean } | { kind: "link"; to: string } | { kind: "folder" };

/** What an artifact unpacks to, by path. */
export type Tree = Map<string, TreeEntry>;

export interface Difference {
  kind: "file_changed" | "file_added" | "file_missing";
  path: string;
  detail: string;
}

/** Writes a tree down; gives the digest of what was written, by which it is known again. */
export async function writeTree(file: string, tree: Tree): Promise<string> {
  const text = JSON.stringify([...tree]);
  await writeFile(`${file}.new`, text, { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
  return sha256(text);
}

/** Reads a tree; undefined where it is not the one of that digest any more. */
export async function readTree(file: string, digest: string): Promise<Tree | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text !== undefined && sha256(text) === digest ? new Map(JSON.parse(text) as [string, TreeEntry][]) : undefined;
}

/** What the file system says of an entry that was found right: as long as it says the same, its content is the same. The time of change can't be set by hand. */
interface Seen {
  ino: number;
  size: number;
  changedMs: number;
  isFolder: boolean;
}

/** Steps between two turns of the event loop: about a millisecond. */
const SLICE = 150;
const BYTES_A_SLICE = 2 * 1024 * 1024;

/**
 * Compares an unpacked tree with what its artifact says, again and again and at little cost: an entry whose inode, size and time of change are as they were when
 * it was found right is taken for right. `thorough` hashes all the same. Never holds the event loop for long.
 */
export class TreeWatch {
  readonly #folder: string;
  readonly #tree: Tree;
  readonly #seen = new Map<string, Seen>();
  /** Where the hashing that believes nothing goes on. */
  #slow: IterableIterator<string> | undefined;

  constructor(folder: string, tree: Tree) {
    this.#folder = folder;
    this.#tree = tree;
  }

  /** Every difference, as of now. `slowBytes`: so much of what looks right is hashed besides, each time the next, until all has been. */
  async compare(options: { thorough?: boolean; slowBytes?: number } = {}): Promise<Difference[]> {
    if (options.thorough) this.#seen.clear();
    if (options.slowBytes) this.#doubt(options.slowBytes);
    const found: Difference[] = [];
    const there = new Set<string>();
    let steps = 0;
    for (const path of this.#walk()) {
      there.add(path);
      const difference = await this.#look(path);
      if (difference) found.push(difference);
      if (++steps % SLICE === 0) await turn();
    }
    for (const [path] of this.#tree)
      if (!there.has(path)) found.push({ kind: "file_missing", path, detail: "it is in the artifact, and gone from what runs" });
    return found;
  }

  async #look(path: string): Promise<Difference | undefined> {
    const wanted = this.#tree.get(path);
    const full = join(this.#folder, path);
    const stats = lstat(full);
    if (!stats) return undefined; // gone since it was listed: missing, the next time
    if (!wanted) return { kind: "file_added", path, detail: `${what(stats)} that is not in the artifact` };
    const before = this.#seen.get(path);
    if (before && isSame(before, stats)) return undefined;
    const because = await differs(full, stats, wanted);
    if (because !== undefined) return { kind: "file_changed", path, detail: because };
    this.#seen.set(path, { ino: stats.ino, size: stats.size, changedMs: stats.ctimeMs, isFolder: stats.isDirectory() });
    return undefined;
  }

  /** Forgets what was seen of the next files, so that they are hashed. */
  #doubt(bytes: number): void {
    let left = bytes;
    while (left > 0) {
      const next = (this.#slow ??= this.#seen.keys()).next();
      if (next.done) return void (this.#slow = undefined);
      left -= this.#seen.get(next.value)?.size ?? 0;
      this.#seen.delete(next.value);
    }
  }

  *#walk(below = ""): Generator<string> {
    let entries;
    try {
      entries = readdirSync(join(this.#folder, below), { withFileTypes: true });
    } catch {
      return; // gone, or no folder: what was in it is missing
    }
    for (const entry of entries) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      yield path;
      if (entry.isDirectory() && this.#tree.get(path)?.kind === "folder") yield* this.#walk(path);
    }
  }
}

const isSame = (before: Seen, now: Stats): boolean =>
  // A folder's entries are looked at one by one.
  before.isFolder ? now.isDirectory() : before.ino === now.ino && before.size === now.size && before.changedMs === now.ctimeMs;

async function differs(path: string, stats: Stats, wanted: TreeEntry): Promise<string | undefined> {
  if (wanted.kind === "folder") return stats.isDirectory() ? undefined : `it is ${what(stats)}, and was a folder`;
  if (wanted.kind === "link") {
    if (!stats.isSymbolicLink()) return `it is ${what(stats)}, and was a link`;
    const to = readlinkSync(path);
    return to === wanted.to ? undefined : `it links to ${JSON.stringify(to)}, and did to ${JSON.stringify(wanted.to)}`;
  }
  if (!stats.isFile()) return `it is ${what(stats)}, and was a file`;
  if (((stats.mode & 0o100) !== 0) !== wanted.executable)
    return wanted.executable ? "it can't be executed any more" : "it was made executable";
  if ((stats.mode & 0o6000) !== 0) return "it was given set-user-id or set-group-id";
  const hash = await hashFile(path);
  return hash === wanted.hash ? undefined : `its content is ${hash}, and was ${wanted.hash}`;
}

/** In slices, so that requests under way are not held up by a large file. */
async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    return `unreadable (${(error as NodeJS.ErrnoException).code})`;
  }
  try {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    for (let sliced = 0; ;) {
      const size = readSync(fd, buffer);
      if (size === 0) break;
      hash.update(buffer.subarray(0, size));
      sliced += size;
      if (sliced >= BYTES_A_SLICE) {
        sliced = 0;
        await turn();
      }
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}

function lstat(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

const what = (stats: Stats): string =>
  stats.isDirectory()
    ? "a folder"
    : stats.isSymbolicLink()
      ? "a link"
      : stats.isFile()
        ? `a file of ${stats.size} bytes`
        : "a special file";

const turn = (): Promise<void> => new Promise((wake) => setImmediate(wake));
