import { gitFailed, revisionMissing } from "../faults.ts";
import { DEFAULT_BRANCH } from "../model.ts";
import type { Comparison } from "../store.ts";
import type { Git } from "./git.ts";

/** The commit of a branch, by its exact name; undefined when there is none. */
export async function branchHead(git: Git, repository: string, branch: string): Promise<string | undefined> {
  const found = await git.run(repository, ["show-ref", "--verify", "--hash", `refs/heads/${branch}`], { allow: [0, 1, 128] });
  return found.code === 0 ? found.stdout.toString().trim() : undefined;
}

/** All branches and their commits. */
export async function branchHeads(git: Git, repository: string): Promise<Map<string, string>> {
  const listed = await git.run(repository, ["for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads/"]);
  return new Map(
    listed.stdout
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => [line.slice(41), line.slice(0, 40)]),
  );
}

/** The commit that 40 hex digits or a branch name mean. Throws `forge.revision_missing`: nothing else of git's revision syntax is spoken here. */
export async function resolveCommit(git: Git, repository: string, revision: string): Promise<string> {
  if (!/^[0-9a-f]{40}$/.test(revision)) {
    const head = await branchHead(git, repository, revision);
    if (head === undefined) throw revisionMissing(repository, revision);
    return head;
  }
  const kind = await git.run(repository, ["cat-file", "-t", revision], { allow: [0, 128] });
  if (kind.stdout.toString().trim() !== "commit") throw revisionMissing(repository, revision);
  return revision;
}

export interface MergeTry extends Comparison {
  /** The tree that a merge would give; undefined when there can't be one. */
  tree: string | undefined;
  related: boolean;
}

/** Merges two commits without touching any branch: what would come out, and which files are in the way. */
export async function tryMerge(git: Git, repository: string, main: string, head: string): Promise<MergeTry> {
  const base = (await git.run(repository, ["merge-base", main, head], { allow: [0, 1] })).stdout.toString().trim();
  if (base === "") return { base: main, comparedWith: main, mergeable: false, conflicts: [], tree: undefined, related: false };
  const merged = await git.run(repository, ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", main, head], {
    allow: [0, 1],
  });
  const [tree, ...files] = merged.stdout.toString().split("\0");
  const conflicts = [...new Set(files.filter((file) => file !== ""))];
  const mergeable = merged.code === 0;
  return { base, comparedWith: main, mergeable, conflicts: mergeable ? [] : conflicts, tree: mergeable ? tree : undefined, related: true };
}

export const treeOf = async (git: Git, repository: string, commit: string): Promise<string> =>
  (await git.run(repository, ["log", "-1", "--format=%T", commit])).stdout.toString().trim();

/** Moves a branch from one commit to another; false when it is not where it was thought to be. The zero id means that there is none yet. */
export async function moveBranch(git: Git, repository: string, branch: string, from: string, to: string): Promise<boolean> {
  const args = ["update-ref", `refs/heads/${branch}`, to, from];
  const moved = await git.run(repository, args, { allow: [0, 1, 128] });
  if (moved.code === 0) return true;
  const now = (await branchHead(git, repository, branch)) ?? NONE;
  if (now === from) throw gitFailed(args, moved.stderr.toString()); // not a race: a full disk, a lock that a crash left
  return now === to;
}

export const isAncestor = async (git: Git, repository: string, ancestor: string, of: string): Promise<boolean> =>
  (await git.run(repository, ["merge-base", "--is-ancestor", ancestor, of], { allow: [0, 1] })).code === 0;

/** Keeps the commits of a change request, whatever becomes of its branch; `git fetch origin refs/changes/1/head` fetches them. */
export const pinHead = (git: Git, repository: string, number: number, head: string) =>
  git.run(repository, ["update-ref", `refs/changes/${number}/head`, head]);

export const NONE = "0".repeat(40);
export const mainHead = async (git: Git, repository: string): Promise<string> => {
  const head = await branchHead(git, repository, DEFAULT_BRANCH);
  if (head === undefined) throw revisionMissing(repository, DEFAULT_BRANCH);
  return head;
};
