import type { Clock } from "../../kernel/clock.ts";
import type { Tx } from "../../kernel/sql.ts";
import { changeRows, closeChange, moveHead } from "../store.ts";
import type { Git } from "./git.ts";
import { branchHeads, mainHead, pinHead, tryMerge } from "./history.ts";

/**
 * Records where the branches of open change requests are now. Compares instead of being told, so that what a crash kept from the database is found by the
 * next call. A change whose branch was deleted is closed; one that is being merged is left alone. The caller holds the repository's lock.
 */
export async function syncHeads(tx: Tx, clock: Clock, git: Git, repository: string, actor: string): Promise<void> {
  const open = (await changeRows(tx, { repository, state: "open" })).filter((row) => row.merging === null);
  if (open.length === 0) return;
  const heads = await branchHeads(git, repository);
  for (const row of open.reverse()) {
    const head = heads.get(row.branch);
    if (head === row.head) continue;
    if (head === undefined) {
      await closeChange(tx, clock, actor, row);
      continue;
    }
    await pinHead(git, repository, row.number, head);
    await moveHead(tx, clock, actor, row, head, await tryMerge(git, repository, await mainHead(git, repository), head));
  }
}
