import type { Diff, DiffFile, FileStatus } from "../model.ts";
import type { Git } from "./git.ts";

/** What a page can show: more is counted, and left out of `patch`. */
const LIMITS = { files: 1000, patchBytes: 256 * 1024, totalBytes: 4 * 1024 * 1024 };

/** What changed from one commit to another, files in git's order. Patches that are too large are left out and said to be. */
export async function diffOf(git: Git, repository: string, base: string, head: string): Promise<Diff> {
  const files = await changed(git, repository, base, head);
  const shown = files.slice(0, LIMITS.files);
  const patches = await patchesOf(git, repository, base, head, shown);
  return {
    base,
    head,
    additions: sum(files.map(({ additions }) => additions ?? 0)),
    deletions: sum(files.map(({ deletions }) => deletions ?? 0)),
    fileCount: files.length,
    files: shown.map((file, index) => withPatch(file, patches[index])),
    truncated: files.length > shown.length,
  };
}

/** Paths that differ, those of renamed files old and new. */
export async function changedPaths(git: Git, repository: string, base: string, head: string): Promise<string[]> {
  const names = await git.run(repository, ["diff-tree", "-r", "-z", "--name-only", "--no-renames", base, head], {
    maxBytes: 64 * 1024 * 1024,
  });
  return names.stdout
    .toString()
    .split("\0")
    .filter((path) => path !== "");
}

const withPatch = (file: DiffFile, patch: string | undefined): DiffFile =>
  file.binary
    ? file
    : patch === undefined || Buffer.byteLength(patch) > LIMITS.patchBytes
      ? { ...file, truncated: true }
      : { ...file, patch };

/** Reads `--raw --numstat -z`: first a list of states, then one of counts, of the same files in the same order. */
async function changed(git: Git, repository: string, base: string, head: string): Promise<DiffFile[]> {
  const told = await git.run(repository, ["diff-tree", "-r", "-M", "-z", "--raw", "--numstat", base, head], { maxBytes: 64 * 1024 * 1024 });
  const fields = told.stdout.toString().split("\0");
  const files: DiffFile[] = [];
  let at = 0;
  for (; fields[at]?.startsWith(":");) {
    const letter = fields[at++]!.split(" ")[4]![0]!;
    const first = fields[at++]!;
    const second = letter === "R" || letter === "C" ? fields[at++]! : undefined;
    files.push({
      path: second ?? first,
      previousPath: second === undefined ? null : first,
      status: STATUS[letter] ?? "modified",
      binary: false,
      additions: 0,
      deletions: 0,
      patch: null,
      truncated: false,
    });
  }
  for (const file of files) {
    const [added, deleted, path] = fields[at++]!.split("\t");
    if (path === "") at += 2; // of a renamed file both paths follow, each a field of its own
    file.binary = added === "-";
    file.additions = file.binary ? null : Number(added);
    file.deletions = file.binary ? null : Number(deleted);
  }
  return files;
}

const STATUS: Record<string, FileStatus> = { A: "added", M: "modified", D: "deleted", R: "renamed", C: "copied", T: "type_changed" };

/** The patch of each file; reading ends where all that can be shown was read. */
async function patchesOf(
  git: Git,
  repository: string,
  base: string,
  head: string,
  files: readonly DiffFile[],
): Promise<(string | undefined)[]> {
  const enough = new AbortController();
  let bytes = 0;
  const args = ["diff-tree", "-r", "-M", "-p", "--no-color", "--no-ext-diff", "--no-textconv", base, head];
  const told = await git.run(repository, args, {
    signal: enough.signal,
    maxBytes: LIMITS.totalBytes,
    onLine: (line) => {
      bytes += line.length + 1;
      if (bytes > LIMITS.totalBytes) enough.abort();
    },
  });
  // A line of content begins with a space, a sign or a backslash: only a header begins so.
  const blocks = told.stdout.toString().split(/(?<=\n)(?=diff --git )/);
  if (told.droppedBytes > 0 || enough.signal.aborted) blocks.pop(); // cut off in the middle
  const patches: (string | undefined)[] = [];
  for (const { status } of files) {
    const first = blocks.shift();
    const second = status === "type_changed" ? blocks.shift() : undefined; // a removal and an addition
    patches.push(first === undefined ? undefined : first + (second ?? ""));
  }
  return patches;
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
