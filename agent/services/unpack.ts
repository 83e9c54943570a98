import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdir, readdir, realpath, rename, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadEntry } from "tar";
import { isFault, messageOf } from "@cairn/platform/kernel/faults.ts";
import { artifactMismatch, artifactMissing, artifactRefused } from "../faults.ts";
import type { Tree } from "./tree.ts";

export interface UnpackOptions {
  maxBytes?: number;
  maxEntries?: number;
}

const TYPES = new Set(["File", "OldFile", "ContiguousFile", "Directory", "SymbolicLink", "Link"]);

/**
 * Unpacks a tar.gz into a new folder. The bytes are copied first, so that those that were judged are those that are unpacked: by their sha-256, then each
 * entry by its path, kind and link. What it makes is ours and read-only, so that a service can't change what it runs (one that runs as we do could take that
 * back). Gives the tree as the artifact says it. Throws `runtime.artifact_missing`, `runtime.artifact_mismatch` or `runtime.artifact_refused`, and leaves nothing.
 */
export async function unpack(artifact: { path: string; digest: string }, folder: string, options: UnpackOptions = {}): Promise<Tree> {
  const tar = await import("tar");
  const archive = `${folder}.tar.gz`;
  const fresh = `${folder}.new`;
  try {
    await removeAll(fresh);
    await mkdir(fresh, { recursive: true, mode: 0o755 });
    const found = await copyWithDigest(artifact.path, archive);
    if (found !== artifact.digest) throw artifactMismatch(artifact.path, artifact.digest, found);
    const tree = await judge(tar, archive, artifact.path, options);
    await tar.extract({
      file: archive,
      cwd: fresh,
      strict: true,
      preserveOwner: false,
      chmod: true,
      processUmask: 0,
      onReadEntry: readable,
    });
    for (const [path, { kind }] of tree) if (kind === "link") await staysInside(fresh, path, artifact.path);
    for (const [path, { kind }] of tree) if (kind === "folder") await chmod(join(fresh, path), READ_ONLY);
    await removeAll(folder);
    await rename(fresh, folder);
    await chmod(folder, READ_ONLY);
    return tree;
  } catch (error) {
    await removeAll(fresh);
    throw isFault(error) ? error : artifactRefused(artifact.path, messageOf(error));
  } finally {
    await rm(archive, { force: true });
  }
}

const READ_ONLY = 0o555;

/** Removes a folder with all in it, also where its folders were made read-only. */
export async function removeAll(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    await openUp(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

async function openUp(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await openUp(join(folder, entry.name));
}

async function copyWithDigest(from: string, to: string): Promise<string> {
  const hash = createHash("sha256");
  const source = createReadStream(from);
  let readFailed = false;
  source.once("error", () => (readFailed = true));
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(source, watch, createWriteStream(to, { mode: 0o600 }));
  } catch (error) {
    throw readFailed ? artifactMissing(from) : error;
  }
  return `sha256:${hash.digest("hex")}`;
}

/** Reads the whole archive once before a byte of it is unpacked. Gives what it unpacks to. */
async function judge(tar: typeof import("tar"), archive: string, path: string, options: UnpackOptions): Promise<Tree> {
  const { maxBytes = 4 * 2 ** 30, maxEntries = 500_000 } = options;
  let bytes = 0;
  let entries = 0;
  const tree: Tree = new Map();
  let refusal: string | undefined;
  await tar.list({
    file: archive,
    strict: true,
    onReadEntry: (entry) => {
      bytes += entry.size;
      entries += 1;
      refusal ??= reasonAgainst(entry);
      note(tree, entry);
      if (bytes > maxBytes) refusal ??= `unpacked it is over ${Math.round(maxBytes / 2 ** 20)} MiB`;
      if (entries > maxEntries) refusal ??= `it has over ${maxEntries} entries`;
    },
  });
  if (entries === 0) refusal ??= "it is empty";
  if (refusal !== undefined) throw artifactRefused(path, refusal);
  for (const path of tree.keys()) for (const above of foldersAbove(path)) if (!tree.has(above)) tree.set(above, { kind: "folder" });
  return tree;
}

/** Writes down what an entry becomes; the last of one name is the one that stays. */
function note(tree: Tree, entry: ReadEntry): void {
  const path = asWalked(entry.path);
  if (path === ".") return;
  tree.delete(path);
  if (entry.type === "Directory") return void tree.set(path, { kind: "folder" });
  if (entry.type === "SymbolicLink") return void tree.set(path, { kind: "link", to: entry.linkpath ?? "" });
  if (entry.type === "Link") {
    const same = tree.get(asWalked(entry.linkpath ?? ""));
    return void (same && tree.set(path, same));
  }
  const hash = createHash("sha256");
  const file = { kind: "file" as const, hash: "", executable: isExecutable(entry.mode) };
  entry.on("data", (chunk: Buffer) => hash.update(chunk));
  entry.on("end", () => (file.hash = hash.digest("hex")));
  tree.set(path, file);
}

const asWalked = (path: string): string => posix.normalize(path).replace(/\/$/, "");

function foldersAbove(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, n) => parts.slice(0, n + 1).join("/"));
}

/** Links that go by way of other links can leave though each text stays inside: the file system has the last word. One that leads nowhere is no harm. */
async function staysInside(folder: string, link: string, path: string): Promise<void> {
  const aim = await realpath(join(folder, link)).catch(() => undefined);
  const root = await realpath(folder);
  if (aim !== undefined && aim !== root && !aim.startsWith(`${root}/`))
    throw artifactRefused(path, `${JSON.stringify(link)} links to a place outside`);
}

function reasonAgainst(entry: ReadEntry): string | undefined {
  const shown = JSON.stringify(entry.path);
  if (!TYPES.has(entry.type)) return `${shown} is a ${entry.type}`;
  if (leaves(entry.path)) return `${shown} lies outside`;
  if (entry.type === "Link" && leaves(entry.linkpath ?? "")) return `${shown} links to ${JSON.stringify(entry.linkpath)}, outside`;
  if (entry.type === "SymbolicLink") {
    const aim = entry.linkpath ?? "";
    if (aim === "" || posix.isAbsolute(aim) || leaves(join(posix.dirname(entry.path), aim)))
      return `${shown} links to ${JSON.stringify(aim)}, outside`;
  }
  return undefined;
}

function leaves(path: string): boolean {
  const normal = posix.normalize(path);
  return path === "" || path.includes("\0") || posix.isAbsolute(path) || normal === ".." || normal.startsWith("../");
}

/** Takes set-user-id and the like away, and lets the service read what it is to run, not change it. */
function readable(entry: ReadEntry): void {
  entry.mode = entry.type === "Directory" ? 0o755 : isExecutable(entry.mode) ? 0o555 : 0o444;
}

const isExecutable = (mode: number | undefined): boolean => ((mode ?? 0o644) & 0o111) !== 0;
