import { sql } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import type { ChangeRequest, Check, CheckState } from "./contract.ts";
import { changeMissing, repositoryMissing } from "./faults.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    forge_repository: RepositoryRow;
    forge_change: ChangeRow;
    /** Branches that were pushed to, and everyone who did. */
    forge_branch: { repository: string; name: string; pushed_by: string[] };
    forge_approval: {
      repository: string;
      number: number;
      commit: string;
      /** The tree that a merge would have given when it was approved; null of approvals before that was kept. */
      result: string | null;
      by: string;
      token_by: string | null;
      at: Date;
    };
    forge_check: {
      repository: string;
      commit: string;
      name: string;
      state: CheckState;
      summary: string;
      details: string[];
      link: string | null;
      updated_at: Date;
    };
  }
}

export interface RepositoryRow {
  name: string;
  owner: string;
  first_commit: string;
  first_tree: string;
  /** The commit of the default branch as last recorded. */
  head: string;
  last_change: number;
  created_at: Date;
}

export interface ChangeRow {
  repository: string;
  number: number;
  title: string;
  description: string;
  author: string;
  branch: string;
  head: string;
  base: string;
  /** The commit of the default branch that base, mergeable and conflicts were found with. */
  compared_with: string;
  mergeable: boolean;
  conflicts: string[];
  /** The tree that a merge would give; null where there can be none. */
  result: string | null;
  /** Everyone who pushed to its branch. */
  pushed_by: string[];
  state: ChangeRequest["state"];
  warnings: string[];
  /** A merge that was decided and is being carried out. */
  merging: Merging | null;
  merge_commit: string | null;
  created_at: Date;
  merged_at: Date | null;
}

/** All that it takes to finish a merge, whoever does it. */
export interface Merging {
  commit: string;
  parent: string;
  head: string;
  base: string;
  mergedBy: string;
  warnings: string[];
  /** ISO date-time. */
  at: string;
}

/** How a head stands to the default branch. */
export interface Comparison {
  base: string;
  comparedWith: string;
  mergeable: boolean;
  conflicts: string[];
  /** The tree that a merge would give. */
  tree: string | undefined;
}

/** Whoever changes a repository or its change requests holds this until the transaction ends, the work on the disk included. */
export async function lockRepository(tx: Tx, name: string): Promise<RepositoryRow | undefined> {
  await sql`select pg_advisory_xact_lock(7146008, hashtext(${name}))`.execute(tx);
  return tx.selectFrom("forge_repository").selectAll().where("name", "=", name).executeTakeFirst();
}

/** Throws `forge.repository_missing`. */
export async function repositoryRow(db: Sql, name: string): Promise<RepositoryRow> {
  const row = await db.selectFrom("forge_repository").selectAll().where("name", "=", name).executeTakeFirst();
  if (!row) throw repositoryMissing(name);
  return row;
}

export async function addRepository(
  tx: Tx,
  clock: Clock,
  actor: string,
  row: Omit<RepositoryRow, "last_change" | "created_at">,
): Promise<void> {
  await tx
    .insertInto("forge_repository")
    .values({ ...row, last_change: 0, created_at: clock.now() })
    .execute();
  await record(tx, clock, {
    type: "forge.repository_created",
    about: `repository:${row.name}`,
    actor,
    data: { repository: row.name, commit: row.first_commit },
  });
}

/** Gives a repository to another team: from then on that team pushes and answers for its files. Where it has it already, nothing. */
export async function handOver(
  tx: Tx,
  clock: Clock,
  actor: string,
  { repository, owner }: { repository: string; owner: string },
): Promise<void> {
  const before = await tx.selectFrom("forge_repository").select("owner").where("name", "=", repository).forUpdate().executeTakeFirst();
  if (!before || before.owner === owner) return;
  await tx.updateTable("forge_repository").set({ owner }).where("name", "=", repository).execute();
  const data = { repository, from: before.owner, to: owner };
  await record(tx, clock, { type: "forge.repository_handed_over", about: `repository:${repository}`, actor, data });
}

export async function dropRepository(tx: Tx, clock: Clock, actor: string, name: string): Promise<void> {
  const gone = await tx.deleteFrom("forge_repository").where("name", "=", name).executeTakeFirst();
  if (gone.numDeletedRows === 0n) return;
  await record(tx, clock, { type: "forge.repository_removed", about: `repository:${name}`, actor, data: { repository: name } });
}

/** Repositories by name, each with how many change requests are open. */
export const repositoryRows = (db: Sql) =>
  db
    .selectFrom("forge_repository")
    .selectAll()
    .select((eb) =>
      eb
        .selectFrom("forge_change")
        .select(sql<number>`count(*)`.as("n"))
        .whereRef("forge_change.repository", "=", "forge_repository.name")
        .where("state", "=", "open")
        .as("open_changes"),
    )
    .orderBy("name");

export async function addChange(
  tx: Tx,
  clock: Clock,
  change: Pick<ChangeRow, "repository" | "title" | "description" | "author" | "branch" | "head"> & Comparison,
): Promise<number> {
  const { last_change: number } = await tx
    .updateTable("forge_repository")
    .set((eb) => ({ last_change: eb("last_change", "+", 1) }))
    .where("name", "=", change.repository)
    .returning("last_change")
    .executeTakeFirstOrThrow();
  const { comparedWith, tree, ...columns } = change;
  const branch = await tx
    .selectFrom("forge_branch")
    .select("pushed_by")
    .where("repository", "=", change.repository)
    .where("name", "=", change.branch)
    .executeTakeFirst();
  await tx
    .insertInto("forge_change")
    .values({
      ...columns,
      number,
      compared_with: comparedWith,
      result: tree ?? null,
      pushed_by: branch?.pushed_by ?? [],
      state: "open",
      warnings: [],
      merging: null,
      merge_commit: null,
      created_at: clock.now(),
      merged_at: null,
    })
    .execute();
  await recordChange(tx, clock, "forge.change_opened", change.author, change.repository, number, { head: change.head });
  return number;
}

/** Remembers who pushed to which branches: what they may not approve. The push itself is recorded where a change request has it. */
export async function notePush(
  tx: Tx,
  repository: string,
  by: string,
  branches: { moved: readonly string[]; gone: readonly string[] },
): Promise<void> {
  if (branches.gone.length > 0)
    await tx.deleteFrom("forge_branch").where("repository", "=", repository).where("name", "in", branches.gone).execute();
  for (const name of branches.moved)
    await tx
      .insertInto("forge_branch")
      .values({ repository, name, pushed_by: [by] })
      .onConflict((oc) =>
        oc
          .columns(["repository", "name"])
          .doUpdateSet({ pushed_by: sql<string[]>`array_append(array_remove(forge_branch.pushed_by, ${by}), ${by})` }),
      )
      .execute();
}

/** New commits on the branch of an open change request. */
export async function moveHead(tx: Tx, clock: Clock, actor: string, row: ChangeRow, head: string, comparison: Comparison): Promise<void> {
  await keepComparison(tx, row, comparison, { head, pushed_by: [...new Set([...row.pushed_by, actor])] });
  await recordChange(tx, clock, "forge.change_updated", actor, row.repository, row.number, { head });
}

/** What was found out about a change; nobody did anything, so no event. */
export async function keepComparison(
  tx: Sql,
  row: ChangeRow,
  found: Comparison,
  moved: Partial<Pick<ChangeRow, "head" | "pushed_by">> = {},
): Promise<void> {
  await tx
    .updateTable("forge_change")
    .set({
      ...moved,
      base: found.base,
      compared_with: found.comparedWith,
      mergeable: found.mergeable,
      conflicts: found.conflicts,
      result: found.tree ?? null,
    })
    .where("repository", "=", row.repository)
    .where("number", "=", row.number)
    .where("state", "=", "open")
    .where("head", "=", row.head)
    .execute();
}

/** Keeps an approval of a head and of what merging it gives; given anew where that has changed since. */
export async function addApproval(
  tx: Tx,
  clock: Clock,
  row: ChangeRow,
  result: string | null,
  by: { ref: string; tokenBy?: string | undefined },
): Promise<void> {
  const values = { result, token_by: by.tokenBy ?? null, at: clock.now() };
  const added = await tx
    .insertInto("forge_approval")
    .values({ repository: row.repository, number: row.number, commit: row.head, by: by.ref, ...values })
    .onConflict((oc) =>
      oc
        .columns(["repository", "number", "commit", "by"])
        .doUpdateSet(values)
        .where(sql<boolean>`(forge_approval.result, forge_approval.token_by) is distinct from (excluded.result, excluded.token_by)`),
    )
    .executeTakeFirst();
  if (added.numInsertedOrUpdatedRows)
    await recordChange(tx, clock, "forge.change_approved", by.ref, row.repository, row.number, { head: row.head, result });
}

export async function closeChange(tx: Tx, clock: Clock, actor: string, row: ChangeRow): Promise<void> {
  await setState(tx, row, { state: "closed" });
  await recordChange(tx, clock, "forge.change_closed", actor, row.repository, row.number, { head: row.head });
}

/** Decides a merge: from here on it will be carried out, by whoever comes first. */
export const beginMerge = (tx: Tx, row: ChangeRow, merging: Merging) => setState(tx, row, { merging: JSON.stringify(merging) as never });

export const dropMerge = (tx: Tx, row: ChangeRow) => setState(tx, row, { merging: null });

/** The merge was carried out: the default branch is at its commit. */
export async function endMerge(tx: Tx, clock: Clock, row: ChangeRow, merging: Merging): Promise<void> {
  const { commit, head, base, mergedBy, warnings } = merging;
  await tx.updateTable("forge_repository").set({ head: commit }).where("name", "=", row.repository).execute();
  await setState(tx, row, {
    state: "merged",
    head,
    base,
    merging: null,
    merge_commit: commit,
    warnings,
    mergeable: true,
    conflicts: [],
    merged_at: clock.now(),
  });
  await recordChange(tx, clock, "forge.change_merged", mergedBy, row.repository, row.number, {
    commit,
    mergedBy,
    author: row.author,
    warnings,
  });
}

async function setState(tx: Tx, row: ChangeRow, set: Partial<ChangeRow>): Promise<void> {
  await tx.updateTable("forge_change").set(set).where("repository", "=", row.repository).where("number", "=", row.number).execute();
}

const recordChange = (
  tx: Tx,
  clock: Clock,
  type: string,
  actor: string,
  repository: string,
  number: number,
  data: Record<string, unknown>,
) => record(tx, clock, { type, about: `repository:${repository}`, actor, data: { repository, number, ...data } });

/** Writes a check; the same again is no event. */
export async function putCheck(tx: Tx, clock: Clock, repository: string, commit: string, check: Omit<Check, "updatedAt">): Promise<void> {
  const values = { state: check.state, summary: check.summary, details: check.details, link: check.link };
  const written = await tx
    .insertInto("forge_check")
    .values({ repository, commit, name: check.name, ...values, updated_at: clock.now() })
    .onConflict((oc) =>
      oc
        .columns(["repository", "commit", "name"])
        .doUpdateSet({ ...values, updated_at: clock.now() })
        .where(
          sql<boolean>`(forge_check.state, forge_check.summary, forge_check.details, forge_check.link) is distinct from (excluded.state, excluded.summary, excluded.details, excluded.link)`,
        ),
    )
    .executeTakeFirst();
  if (!written.numInsertedOrUpdatedRows) return;
  await record(tx, clock, {
    type: "forge.check_reported",
    about: `repository:${repository}`,
    actor: "system:forge",
    data: { repository, commit, name: check.name, state: check.state },
  });
}

/** Throws `forge.change_missing`. */
export async function changeRow(db: Sql, repository: string, number: number): Promise<ChangeRow> {
  const row = await db
    .selectFrom("forge_change")
    .selectAll()
    .where("repository", "=", repository)
    .where("number", "=", number)
    .executeTakeFirst();
  if (!row) throw changeMissing(repository, number);
  return row;
}

export interface ChangeFilter {
  /** One, or any of these. */
  repository?: string | readonly string[];
  state?: ChangeRequest["state"];
  branch?: string;
  /** Older than this one: `orders/12`. */
  before?: string;
  limit?: number;
}

/** Newest first. */
export function changeRows(db: Sql, filter: ChangeFilter): Promise<ChangeRow[]> {
  let query = db.selectFrom("forge_change").selectAll().orderBy("created_at", "desc").orderBy("repository").orderBy("number", "desc");
  if (filter.repository !== undefined) query = query.where(sql<boolean>`repository = any(${[filter.repository].flat()})`);
  if (filter.state !== undefined) query = query.where("state", "=", filter.state);
  if (filter.branch !== undefined) query = query.where("branch", "=", filter.branch);
  if (filter.before !== undefined) {
    const [repository = "", number = 0] = filter.before.split("/");
    const at = sql<Date>`(select created_at from forge_change where repository = ${repository} and number = ${Number(number)})`;
    query = query.where(
      sql<boolean>`created_at <= ${at} and (created_at < ${at} or (repository, -number) > (${repository}, ${-Number(number)}))`,
    );
  }
  if (filter.limit !== undefined) query = query.limit(filter.limit);
  return query.execute();
}

/** The change requests of these rows with their approvals and the checks of their heads: two queries, however many rows. */
export async function changesOf(db: Sql, rows: readonly ChangeRow[]): Promise<ChangeRequest[]> {
  if (rows.length === 0) return [];
  const ids = sql.join(rows.map(({ repository, number }) => sql`(${repository}::text, ${number}::int)`));
  const heads = sql.join(rows.map(({ repository, head }) => sql`(${repository}::text, ${head}::text)`));
  const approvals = await db
    .selectFrom("forge_approval")
    .selectAll()
    .where(sql<boolean>`(repository, number) in (${ids})`)
    .orderBy("at")
    .orderBy("by")
    .execute();
  const checks = await db
    .selectFrom("forge_check")
    .selectAll()
    .where(sql<boolean>`(repository, commit) in (${heads})`)
    .orderBy("name")
    .execute();
  const approvalsBy = Map.groupBy(approvals, ({ repository, number }) => `${repository} ${number}`);
  const checksBy = Map.groupBy(checks, ({ repository, commit }) => `${repository} ${commit}`);
  return rows.map((row) => ({
    repository: row.repository,
    number: row.number,
    title: row.title,
    description: row.description,
    author: row.author,
    pushedBy: row.pushed_by,
    branch: row.branch,
    head: row.head,
    base: row.base,
    state: row.state,
    mergeable: row.mergeable,
    conflicts: row.conflicts,
    result: row.result,
    approvals: (approvalsBy.get(`${row.repository} ${row.number}`) ?? []).map(({ by, commit, result, at, token_by }) => ({
      by,
      commit,
      result,
      at,
      tokenBy: token_by,
    })),
    checks: (checksBy.get(`${row.repository} ${row.head}`) ?? []).map(({ name, state, summary, details, link, updated_at }) => ({
      name,
      state,
      summary,
      details,
      link,
      updatedAt: updated_at,
    })),
    warnings: row.warnings,
    mergeCommit: row.merge_commit,
    createdAt: row.created_at,
    mergedAt: row.merged_at,
  }));
}
