import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, readdir, readlink, realpath } from "node:fs/promises";
import { isAbsolute, join, posix, relative, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { Header, Pax } from "tar";
import type { Digest } from "../kernel/digest.ts";
import { notPackable } from "./faults.ts";

/** A thing that goes into an artifact. Paths are relative to the root, with slashes. */
export type Entry =
  | { kind: "folder"; path: string }
  | { kind: "file"; path: string; executable: boolean; sizeBytes: number }
  | { kind: "link"; path: string; target: string };

/**
 * All that `include` names below `folder`, sorted by path, `.git` and `leaveOut` (absolute folders) aside. Throws `ci.not_packable` for a path that is missing, outside the folder or neither
 * file, folder nor symbolic link, for a link that is absolute or leads out of the folder, and for a file of somebody else than `owner`, where that is told:
 a second name of what the build may not read itself.
 */
export async function entriesOf(
  folder: string,
  include: readonly string[],
  leaveOut: readonly string[] = [],
  owner?: number,
): Promise<Entry[]> {
  const root = await realpath(folder);
  const found = new Map<string, Entry>();
  const waiting: string[] = [];
  for (const named of include) {
    const path = posix.normalize(named).replace(/\/+$/, "");
    if (isAbsolute(path) || path === ".." || path.startsWith("../")) throw notPackable(named, "it lies outside the repository");
    const real = await realpath(join(root, path)).catch(() => undefined);
    if (real === undefined) throw notPackable(named, "it does not exist after the build");
    if (!isWithin(root, real)) throw notPackable(named, "it leads out of the repository");
    waiting.push(path);
  }
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const full = join(root, path);
    if (found.has(path) || leaveOut.includes(full) || path === ".git" || path.startsWith(".git/")) continue;
    const stat = await lstat(full);
    if (stat.isDirectory()) {
      if (path !== ".") found.set(path, { kind: "folder", path });
      for (const name of await readdir(full)) waiting.push(path === "." ? name : `${path}/${name}`);
    } else if (stat.isFile()) {
      if (owner !== undefined && stat.uid !== owner) throw notPackable(path, "it belongs to another user");
      found.set(path, { kind: "file", path, executable: (stat.mode & 0o100) !== 0, sizeBytes: stat.size });
    } else if (stat.isSymbolicLink()) {
      found.set(path, { kind: "link", path, target: await safeTarget(root, path) });
    } else throw notPackable(path, "it is neither a file nor a folder nor a link");
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Writes entries as tar.gz (POSIX ustar, pax records where needed). The same content gives the same bytes on every machine: sorted, one time, no owners, modes 644 and 755 only.
 */
export async function pack(folder: string, entries: readonly Entry[], file: string): Promise<{ digest: Digest; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  await pipeline(
    Readable.from(blocks(await realpath(folder), entries)),
    createGzip({ level: 6 }),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    },
    createWriteStream(file, { mode: 0o600 }),
  );
  return { digest: `sha256:${hash.digest("hex")}`, sizeBytes };
}

/** The sha-256 and size of a file. */
export async function digestOfFile(file: string): Promise<{ digest: Digest; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { digest: `sha256:${hash.digest("hex")}`, sizeBytes };
}

const BLOCK = 512;
const TIME = new Date("2000-01-01T00:00:00Z");

async function* blocks(root: string, entries: readonly Entry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    yield headerOf(entry);
    if (entry.kind !== "file") continue;
    let left = entry.sizeBytes;
    for await (const chunk of createReadStream(join(root, entry.path)) as AsyncIterable<Buffer>) {
      left -= chunk.length;
      yield chunk;
    }
    if (left !== 0) throw notPackable(entry.path, "it changed while it was packed: something of the build still runs");
    const over = entry.sizeBytes % BLOCK;
    if (over > 0) yield Buffer.alloc(BLOCK - over);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function headerOf(entry: Entry): Buffer {
  const data = {
    path: entry.kind === "folder" ? `${entry.path}/` : entry.path,
    mode: entry.kind === "file" && !entry.executable ? 0o644 : 0o755,
    uid: 0,
    gid: 0,
    size: entry.kind === "file" ? entry.sizeBytes : 0,
    mtime: TIME,
    type: entry.kind === "folder" ? ("Directory" as const) : entry.kind === "file" ? ("File" as const) : ("SymbolicLink" as const),
    ...(entry.kind === "link" && { linkpath: entry.target }),
  };
  const header = new Header(data);
  const block = Buffer.alloc(BLOCK);
  if (!header.encode(block)) return block;
  const pax = new Pax({ path: data.path, size: data.size, ...(entry.kind === "link" && { linkpath: entry.target }) });
  return Buffer.concat([pax.encode(), block]);
}

async function safeTarget(root: string, path: string): Promise<string> {
  const target = await readlink(join(root, path));
  if (isAbsolute(target)) throw notPackable(path, `it is a link to ${target}, which another machine does not have`);
  const lexical = resolve(join(root, path), "..", target);
  const real = await realpath(join(root, path)).catch(() => lexical);
  if (!isWithin(root, lexical) || !isWithin(root, real)) throw notPackable(path, `it is a link to ${target}, outside the repository`);
  return target;
}

export function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}
