import { mkdir, readdir } from "node:fs/promises";
import { fileTooLarge, folderNotEmpty, gitFailed } from "../faults.ts";
import { resolveCommit } from "./history.ts";
import type { Git } from "./git.ts";

/** Largest file that is read into memory, in bytes. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** The text of a file at a commit; undefined when there is none. A file over 8 MiB is `forge.file_too_large`. */
export async function readFileAt(git: Git, repository: string, revision: string, path: string): Promise<string | undefined> {
  const commit = await resolveCommit(git, repository, revision);
  if (path.split("/").some((part) => part === "" || part === "." || part === "..") || path.includes("\0")) return undefined;
  const object = `${commit}:${path}\0`;
  const answer = await git.run(repository, ["cat-file", "--batch-check", "-z"], { input: object });
  const [id, kind, size] = answer.stdout.toString().trimEnd().split(" ");
  if (kind !== "blob") return undefined;
  if (Number(size) > MAX_FILE_BYTES) throw fileTooLarge(path, MAX_FILE_BYTES);
  return (await git.run(repository, ["cat-file", "blob", id!])).stdout.toString("utf8");
}

/** Every file of a commit, in git's order. */
export async function listFilesAt(
  git: Git,
  repository: string,
  revision: string,
): Promise<{ path: string; mode: string; sizeBytes: number }[]> {
  const commit = await resolveCommit(git, repository, revision);
  const args = ["ls-tree", "-r", "-l", "-z", "--full-tree", commit];
  const listed = await git.run(repository, args, { maxBytes: 64 * 1024 * 1024 });
  if (listed.droppedBytes > 0) throw gitFailed(args, "the list of files is over 64 MiB");
  return listed.stdout
    .toString()
    .split("\0")
    .filter((entry) => entry !== "")
    .map((entry) => {
      const tab = entry.indexOf("\t");
      const [mode, , , size] = entry.slice(0, tab).split(/ +/);
      return { path: entry.slice(tab + 1), mode: mode!, sizeBytes: Number(size) || 0 };
    });
}

/** The bytes of a commit that its id is the hash of, but for git's header. */
export async function commitObjectAt(git: Git, repository: string, revision: string): Promise<Buffer> {
  return (await git.run(repository, ["cat-file", "commit", await resolveCommit(git, repository, revision)])).stdout;
}

/** Puts a commit into an empty folder as a work tree with its own objects: nothing that happens there reaches the repository. */
export async function checkoutInto(git: Git, repository: string, revision: string, folder: string): Promise<void> {
  const commit = await resolveCommit(git, repository, revision);
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw folderNotEmpty(folder);
  const here = { cwd: folder, timeoutSeconds: 600 };
  await git.runIn(undefined, ["init", "--quiet", "--template=", "."], here);
  await git.runIn(undefined, ["fetch", "--quiet", "--no-tags", "--depth=1", `file://${git.pathOf(repository)}`, commit], here);
  await git.runIn(undefined, ["checkout", "--quiet", "--detach", commit], here);
}
