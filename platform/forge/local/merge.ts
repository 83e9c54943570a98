import type { Principal } from "../../identity/model.ts";
import type { Clock } from "../../kernel/clock.ts";
import { transact, type Db, type Tx } from "../../kernel/sql.ts";
import type { ChangeRequest } from "../contract.ts";
import { defaultBranchMoved, headMoved, mergeRefused, nothingToMerge, repositoryMissing } from "../faults.ts";
import { DEFAULT_BRANCH, type MergeAnswer } from "../model.ts";
import { beginMerge, changeRow, dropMerge, endMerge, lockRepository, type ChangeRow } from "../store.ts";
import type { Git } from "./git.ts";
import { isAncestor, mainHead, moveBranch, treeOf, tryMerge } from "./history.ts";
import { writeMerge } from "./objects.ts";

/**
 * Decides a merge and keeps the decision with the commit that it will be; nothing has moved yet. What `answer` was given for must still hold:
 * the head, the default branch, and that the change is open. Where the default branch is no longer at `main`, or a merge would give something else than what was
 * answered for, nothing is prepared.
 */
export async function prepareMerge(
  db: Db,
  clock: Clock,
  git: Git,
  { change, answer, head, merger, main }: { change: ChangeRequest; answer: MergeAnswer; head: string; merger: Principal; main: string },
): Promise<"prepared" | "moved"> {
  const { repository, number } = change;
  return transact(db, async (tx) => {
    if (!(await lockRepository(tx, repository))) throw repositoryMissing(repository);
    for (const other of await merging(tx, repository)) await finish(tx, clock, git, other); // one at a time, each on top of the one before
    const row = await changeRow(tx, repository, number);
    if (row.state === "open" && row.head !== head) throw headMoved(number, head, row.head);
    if (row.state === "merged" && row.head === head) return "prepared"; // by somebody at the same time
    if (row.state !== change.state || row.head !== change.head) throw headMoved(number, change.head, row.head);
    const parent = await mainHead(git, repository);
    if (parent !== main) return "moved";
    if (!answer.allowed) throw mergeRefused(answer);
    const merged = await tryMerge(git, repository, parent, head);
    if (merged.tree === undefined) throw defaultBranchMoved(repository);
    if (merged.tree === (await treeOf(git, repository, parent))) throw nothingToMerge(repository, row.branch);
    if (merged.tree !== change.result) return "moved";
    const at = clock.now();
    const commit = await writeMerge(git, repository, {
      tree: merged.tree,
      parent,
      message: messageOf(row, merger),
      author: { ref: row.author, name: nameOf(row.author) },
      at,
    });
    await beginMerge(tx, row, {
      commit,
      parent,
      head,
      base: merged.base,
      mergedBy: merger.ref,
      warnings: answer.warnings,
      at: at.toISOString(),
    });
    return "prepared";
  });
}

/** Carries out the merges of a repository that were decided, each once, whoever decided it and wherever a crash cut it off. */
export async function finishMerges(db: Db, clock: Clock, git: Git, repository: string): Promise<void> {
  const waiting = await merging(db, repository);
  if (waiting.length === 0) return;
  await transact(db, async (tx) => {
    if (!(await lockRepository(tx, repository))) return;
    for (const row of await merging(tx, repository)) await finish(tx, clock, git, row);
  });
}

const merging = (db: Db | Tx, repository: string): Promise<ChangeRow[]> =>
  db
    .selectFrom("forge_change")
    .selectAll()
    .where("repository", "=", repository)
    .where("merging", "is not", null)
    .orderBy("number")
    .execute();

async function finish(tx: Tx, clock: Clock, git: Git, row: ChangeRow): Promise<void> {
  const { repository, merging } = row;
  if (!merging) return;
  const main = await mainHead(git, repository);
  const there = main === merging.commit || (await isAncestor(git, repository, merging.commit, main));
  if (there || (await moveBranch(git, repository, DEFAULT_BRANCH, merging.parent, merging.commit))) await endMerge(tx, clock, row, merging);
  else await dropMerge(tx, row); // someone moved main on the disk: the change is open again, and whoever merges it looks anew
}

const messageOf = (row: ChangeRow, merger: Principal) =>
  `${row.title.trim()} (#${row.number})\n\n${row.description.trim()}\n\nChange-Request: ${row.repository}#${row.number}\nHead: ${row.head}\nMerged-By: ${merger.displayName} <${merger.ref}>\n`.replaceAll(
    /\n{3,}/g,
    "\n\n",
  );

const nameOf = (ref: string) => ref.slice(ref.search(/[^/:]*$/));
