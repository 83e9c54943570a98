import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { git, gitText, lastOf } from "./git.ts";

/** A repository as it was fetched: bare, in a folder of its own; nothing of it is checked out and nothing of it runs. */
export interface Source {
  folder: string;
  commit: string;
  branch: string;
  commits: number;
  files: { mode: string; blob: string; path: string; sizeBytes: number }[];
  read: (path: string) => Promise<string | undefined>;
}

const MOST_READ_BYTES = 1024 * 1024;
const refused = (code: string, message: string, next: string) => new Fault("invalid", code, message, next);

/** Clones by the user's own git. Throws `cli.import_*` with what is not supported, before anything is planned. */
export async function fetchSource(from: string, folder: string, branch?: string): Promise<Source> {
  const local = (await stat(from).catch(() => undefined))?.isDirectory() ? resolve(from) : undefined;
  const wanted = branch === undefined ? [] : ["--branch", branch];
  const cloned = await git(["clone", "--quiet", "--bare", "--no-tags", "--single-branch", ...wanted, "--", local ?? from, folder]);
  if (cloned.code !== 0) throw notCloned(from, cloned.stderr);
  const own = ["-C", folder];
  const commit = (await git([...own, "rev-parse", "--quiet", "--verify", "HEAD^{commit}"])).stdout.toString().trim();
  if (commit === "")
    throw refused(
      "cli.import_empty",
      `${from} has no commit${branch ? "" : " on its default branch"}`,
      "Commit the code first, or name a branch: --branch NAME.",
    );
  const on = (await git([...own, "symbolic-ref", "--quiet", "--short", "HEAD"])).stdout.toString().trim();
  if (on === "" && branch === undefined)
    throw refused(
      "cli.import_detached",
      `${from} is at a commit, not on a branch`,
      "Check out a branch there, or name one: --branch NAME.",
    );
  if ((await gitText([...own, "rev-parse", "--is-shallow-repository"])) === "true")
    throw refused(
      "cli.import_shallow",
      `${from} holds a part of its history only`,
      "Complete it with git fetch --unshallow, or name the repository that it came from.",
    );

  const files = (await gitText([...own, "ls-tree", "-r", "-l", "-z", "--full-tree", commit])).split("\0").flatMap((line) => {
    const [, mode, blob, size, path] = /^(\d+) \w+ ([0-9a-f]+) +(\d+|-)\t([\s\S]+)$/.exec(line) ?? [];
    return mode && blob && path ? [{ mode, blob, path, sizeBytes: Number(size) || 0 }] : [];
  });
  const read = async (path: string): Promise<string | undefined> => {
    const file = files.find((one) => one.path === path && one.mode.startsWith("100"));
    if (!file || file.sizeBytes > MOST_READ_BYTES) return undefined;
    return (await git([...own, "cat-file", "blob", file.blob])).stdout.toString("utf8");
  };
  await refuseUnsupported(files, read);
  const commits = Number(await gitText([...own, "rev-list", "--count", commit]));
  return { folder, commit, branch: on || (branch ?? ""), commits, files, read };
}

function notCloned(from: string, stderr: string): Fault {
  if (/does not exist|not a git repository|does not appear to be a git|repository .*not found/i.test(stderr))
    return refused(
      "cli.import_no_repository",
      `${from} is no git repository: ${lastOf(stderr, 1)}`,
      "Name a URL or a folder that git clone takes.",
    );
  if (/Remote branch .* not found/i.test(stderr))
    return refused("cli.import_branch", lastOf(stderr, 1), "git ls-remote URL lists its branches.");
  return refused(
    "cli.import_not_cloned",
    `git can't clone ${from}: ${lastOf(stderr)}`,
    "It is cloned by your own git and its credentials: make git clone work first.",
  );
}

async function refuseUnsupported(files: Source["files"], read: Source["read"]): Promise<void> {
  const module = files.find(({ mode }) => mode === "160000");
  if (module)
    throw refused(
      "cli.import_submodule",
      `${module.path} is a submodule, which builds don't fetch`,
      "Take its files into the repository, or make it a package that the build installs.",
    );
  for (const { path } of files.filter((file) => /(^|\/)\.gitattributes$/.test(file.path)))
    if (/filter=lfs/.test((await read(path)) ?? ""))
      throw refused(
        "cli.import_lfs",
        `${path} keeps files in Git LFS, which is not supported`,
        "Take them back into git (git lfs migrate export), or keep them in a package or an object store.",
      );
}
