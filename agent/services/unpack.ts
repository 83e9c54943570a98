import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdir, realpath, rename, rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadEntry } from "tar";
import { isFault, messageOf } from "@cairn/platform/kernel/faults.ts";
import { artifactMismatch, artifactMissing, artifactRefused } from "../faults.ts";

export interface UnpackOptions {
  /** Whom the files belong to, when we are root. */
  owner?: { uid: number; gid: number } | undefined;
  maxBytes?: number;
  maxEntries?: number;
}

const TYPES = new Set(["File", "OldFile", "ContiguousFile", "Directory", "SymbolicLink", "Link"]);

/**
 * Unpacks a tar.gz into a new folder. The bytes are copied first, so that those that were judged are those that are unpacked: by their sha-256, then each
 * entry by its path, kind and link. Throws `runtime.artifact_missing`, `runtime.artifact_mismatch` or `runtime.artifact_refused`, and leaves nothing.
 */
export async function unpack(artifact: { path: string; digest: string }, folder: string, options: UnpackOptions = {}): Promise<void> {
  const tar = await import("tar");
  const archive = `${folder}.tar.gz`;
  const fresh = `${folder}.new`;
  try {
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true, mode: 0o755 });
    const found = await copyWithDigest(artifact.path, archive);
    if (found !== artifact.digest) throw artifactMismatch(artifact.path, artifact.digest, found);
    const links = await judge(tar, archive, artifact.path, options);
    await tar.extract({
      file: archive,
      cwd: fresh,
      strict: true,
      preserveOwner: false,
      ...options.owner,
      chmod: true,
      processUmask: 0,
      onReadEntry: readable,
    });
    await chmod(fresh, 0o755);
    for (const link of links) await staysInside(fresh, link, artifact.path);
    await rm(folder, { recursive: true, force: true });
    await rename(fresh, folder);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw isFault(error) ? error : artifactRefused(artifact.path, messageOf(error));
  } finally {
    await rm(archive, { force: true });
  }
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

/** Reads the whole archive once before a byte of it is unpacked. Gives the symbolic links in it. */
async function judge(tar: typeof import("tar"), archive: string, path: string, options: UnpackOptions): Promise<string[]> {
  const { maxBytes = 4 * 2 ** 30, maxEntries = 500_000 } = options;
  let bytes = 0;
  let entries = 0;
  const links: string[] = [];
  let refusal: string | undefined;
  await tar.list({
    file: archive,
    strict: true,
    onReadEntry: (entry) => {
      bytes += entry.size;
      entries += 1;
      refusal ??= reasonAgainst(entry);
      if (entry.type === "SymbolicLink") links.push(entry.path);
      if (bytes > maxBytes) refusal ??= `unpacked it is over ${Math.round(maxBytes / 2 ** 20)} MiB`;
      if (entries > maxEntries) refusal ??= `it has over ${maxEntries} entries`;
    },
  });
  if (entries === 0) refusal ??= "it is empty";
  if (refusal !== undefined) throw artifactRefused(path, refusal);
  return links;
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

/** Takes set-user-id and the like away, and lets the service read what it is to run. */
function readable(entry: ReadEntry): void {
  const mode = (entry.mode ?? 0o644) & 0o755;
  entry.mode = entry.type === "Directory" || (mode & 0o111) !== 0 ? mode | 0o755 : mode | 0o644;
}
