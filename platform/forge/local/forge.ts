import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Tier } from "../../catalog/model.ts";
import type { Directory, Principal } from "../../identity/model.ts";
import type { Clock } from "../../kernel/clock.ts";
import { bytesOf, gitTreeId } from "../../kernel/file-tree.ts";
import { transact, type Db, type Tx } from "../../kernel/sql.ts";
import type { ChangeRequest, Forge, ForgeEvents } from "../contract.ts";
import { record } from "../../ledger/store.ts";
import { CODEOWNERS_PATHS, ownersOf } from "../code-owners.ts";
import {
  branchExists,
  branchInvalid,
  branchIsDefault,
  branchMissing,
  changeNotOpen,
  defaultBranchMoved,
  headMoved,
  nameInvalid,
  nothingToMerge,
  ownApproval,
  repositoryExists,
  repositoryMissing,
  resultMoved,
  systemApproval,
  unrelatedHistory,
} from "../faults.ts";
import { mergeRule, speaksFor } from "../merge-rule.ts";
import { DEFAULT_BRANCH, repositoryName, type ChangeReview, type Diff, type Repository } from "../model.ts";
import {
  addApproval,
  addChange,
  addRepository,
  changeRow,
  changeRows,
  changesOf,
  closeChange,
  dropRepository,
  keepComparison,
  lockRepository,
  notePush,
  putCheck,
  repositoryRow,
  repositoryRows,
  type ChangeFilter,
  type ChangeRow,
} from "../store.ts";
import { changedPaths, diffOf } from "./diff.ts";
import { checkoutInto, commitObjectAt, listFilesAt, readFileAt } from "./files.ts";
import { openGit, type Git } from "./git.ts";
import { branchHead, branchHeads, isAncestor, mainHead, moveBranch, NONE, pinHead, resolveCommit, treeOf, tryMerge } from "./history.ts";
import { finishMerges, prepareMerge } from "./merge.ts";
import { writeCommit } from "./objects.ts";
import type { RefusedPush } from "./refused-push.ts";
import { syncHeads } from "./sync.ts";

/** What decides about a merge and lies outside the forge. */
export interface MergeGround {
  /** The tier that a head of a repository is judged by. */
  tierOf(repository: string, head: string): Promise<Tier>;
  /** Whether a tier asks for an approval by a code owner other than the author. */
  needsCodeOwner(tier: Tier): boolean;
  directory: Directory;
}

/** The embedded forge: bare git repositories below a folder, what is said about them in the database. */
export interface LocalForge extends Forge {
  repositories(): Promise<Repository[]>;
  /** Throws `forge.repository_missing`. */
  repository(name: string): Promise<Repository>;
  changes(filter: ChangeFilter): Promise<ChangeRequest[]>;
  /** The commit that a branch or 40 hex digits mean. Throws `forge.revision_missing`. */
  resolve(repository: string, revision: string): Promise<string>;
  /** A change request with who answers for it and whether `viewer` may merge it. */
  review(repository: string, number: number, viewer: string, ground: MergeGround): Promise<ChangeReview>;
  diff(repository: string, number: number): Promise<Diff>;
  /** Approves the head that the approver saw, and what merging it gives. Throws `forge.head_moved`, `forge.result_moved`, `forge.own_approval`. */
  approve(input: { repository: string; number: number; head: string; result?: string | undefined; by: Principal }): Promise<ChangeRequest>;
  /** Squashes the change onto the default branch. Repeating a merge that was done gives the merged change. Throws what mergeRule refuses, and `forge.head_moved`. */
  merge(input: { repository: string; number: number; head: string; merger: Principal } & MergeGround): Promise<ChangeRequest>;
  close(input: { repository: string; number: number; by: string }): Promise<ChangeRequest>;
  /** The branches of a repository and their commits. */
  branches(repository: string): Promise<Map<string, string>>;
  /** Records what a push changed; `before` is what branches() gave before it. */
  afterPush(repository: string, by: string, before: ReadonlyMap<string, string>): Promise<void>;
  /** Records a push that git or a hook refused: somebody tried it. */
  notePushRefused(repository: string, by: string, refused: RefusedPush): Promise<void>;
  /** Finishes and records what a crash cut off: decided merges, and pushes that the database does not know. Gives how many repositories it looked at. */
  reconcile(): Promise<number>;
  readonly git: Git;
  /** Where the portal lies; hints to git clients begin with it. */
  readonly publicUrl: string;
  readonly maxPushBytes: number;
}

/** How often a merge is decided anew because the default branch moved meanwhile. */
const MERGE_ATTEMPTS = 10;

export interface LocalForgeParts {
  db: Db;
  clock: Clock;
  /** Where the bare repositories lie; made when it is not there. */
  folder: string;
  publicUrl: string;
  /** Largest push in bytes; default 200 MiB. */
  maxPushBytes?: number;
}

/** Opens the forge. Call `reconcile()` at start. Throws `forge.git_unusable`. */
export async function localForge({ db, clock, folder, publicUrl, maxPushBytes = 200 * 1024 * 1024 }: LocalForgeParts): Promise<LocalForge> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const git = await openGit(folder, maxPushBytes);
  const root = publicUrl.replace(/\/+$/, "");
  const cloneUrl = (name: string) => `${root}/git/${name}.git`;

  /** The repository, locked until the transaction ends. */
  const locked = async (tx: Tx, name: string) => {
    const row = await lockRepository(tx, name);
    if (!row) throw repositoryMissing(name);
    return row;
  };

  /** What a change says about conflicts holds for one commit of the default branch: found anew where that moved. */
  const fresh = async (rows: ChangeRow[]): Promise<ChangeRow[]> => {
    const stale = new Set(rows.filter((row) => row.state === "open"));
    if (stale.size === 0) return rows;
    const heads = new Map(
      (
        await db
          .selectFrom("forge_repository")
          .select(["name", "head"])
          .where("name", "in", [...new Set([...stale].map((row) => row.repository))])
          .execute()
      ).map((row) => [row.name, row.head]),
    );
    const result: ChangeRow[] = [];
    for (const row of rows) {
      const main = heads.get(row.repository);
      if (!stale.has(row) || main === undefined || row.compared_with === main) {
        result.push(row);
        continue;
      }
      const found = await tryMerge(git, row.repository, main, row.head);
      await keepComparison(db, row, found);
      result.push({
        ...row,
        base: found.base,
        compared_with: found.comparedWith,
        mergeable: found.mergeable,
        conflicts: found.conflicts,
        result: found.tree ?? null,
      });
    }
    return result;
  };

  const one = async (repository: string, number: number): Promise<ChangeRequest> =>
    (await changesOf(db, await fresh([await changeRow(db, repository, number)])))[0]!;

  const repositoriesWhere = async (name?: string): Promise<Repository[]> => {
    const query = repositoryRows(db);
    const rows = await (name === undefined ? query : query.where("name", "=", name)).execute();
    return rows.map((row) => ({
      name: row.name,
      owner: row.owner,
      cloneUrl: cloneUrl(row.name),
      defaultBranch: DEFAULT_BRANCH,
      head: row.head,
      openChanges: row.open_changes ?? 0,
      createdAt: row.created_at,
    }));
  };

  /** Who answers for the files of a change: by CODEOWNERS of the default branch, so that a change can't choose its own reviewers. */
  const codeOwnersOf = async (change: ChangeRequest, owner: string, directory: Directory) => {
    let text: string | undefined;
    const before = change.state === "open" ? await mainHead(git, change.repository) : change.base;
    for (const path of CODEOWNERS_PATHS) text ??= await readFileAt(git, change.repository, before, path);
    const files = await changedPaths(git, change.repository, change.base, change.head);
    const approvers = change.approvals.filter((approval) => speaksFor(approval, change));
    const people = await Promise.all(approvers.map(async ({ by }) => ({ ref: by, groups: await directory.groupsOf(by) })));
    return ownersOf(text, owner, files, people);
  };

  const review = async (repository: string, number: number, viewer: string, ground: MergeGround): Promise<ChangeReview> => {
    const change = await one(repository, number);
    const { owner } = await repositoryRow(db, repository);
    const tier = await ground.tierOf(repository, change.head);
    const codeOwners = await codeOwnersOf(change, owner, ground.directory);
    const needsCodeOwner = ground.needsCodeOwner(tier);
    const merge = mergeRule({ tier, needsCodeOwner, change, codeOwners, merger: viewer });
    return { ...change, tier, needsCodeOwner, codeOwners, merge };
  };

  const forge: LocalForge = {
    git,
    publicUrl: root,
    maxPushBytes,
    cloneUrl,

    async createRepository({ name, owner, files, message, author, at }) {
      if (!repositoryName.safeParse(name).success) throw nameInvalid(name);
      const tree = gitTreeId(files);
      return transact(db, async (tx) => {
        const row = await lockRepository(tx, name);
        if (row) {
          if (row.first_tree !== tree || row.owner !== owner) throw repositoryExists(name, row.owner);
          return { commit: row.first_commit, cloneUrl: cloneUrl(name) };
        }
        const half = join(git.aside, `new-${name}-${randomBytes(4).toString("hex")}.git`);
        await git.runIn(undefined, ["init", "--quiet", "--bare", "--template=", half]);
        const written = await writeCommit(git, half, { files, message, author, at });
        await git.runIn(half, ["update-ref", `refs/heads/${DEFAULT_BRANCH}`, written.commit, NONE]);
        // One without a row was left by a crash before its row was kept, or by another database: nobody could push to it here. Kept, not trusted.
        await putAside(git, name, "found");
        await rename(half, git.pathOf(name));
        await addRepository(tx, clock, author.ref, { name, owner, first_commit: written.commit, first_tree: tree, head: written.commit });
        return { commit: written.commit, cloneUrl: cloneUrl(name) };
      });
    },

    async createBranch({ repository, branch, files, message, author, at, keepOthers = false }) {
      const valid = await git.runIn(undefined, ["check-ref-format", `refs/heads/${branch}`], { allow: [0, 1] });
      if (valid.code !== 0 || branch === "HEAD" || branch.startsWith("-")) throw branchInvalid(branch);
      if (branch === DEFAULT_BRANCH) throw branchIsDefault(branch);
      return transact(db, async (tx) => {
        await locked(tx, repository);
        const main = await mainHead(git, repository);
        const head = await branchHead(git, repository, branch);
        const tree = gitTreeId(files);
        if (head !== undefined && keepOthers) {
          for (const file of files) {
            const there = await readFileAt(git, repository, head, file.path);
            if (there !== bytesOf(file).toString("utf8")) throw branchExists(repository, branch);
          }
          return { commit: head, tree: await treeOf(git, repository, head) };
        }
        if (head !== undefined) {
          const seconds = Math.floor(at.getTime() / 1000);
          const log = await git.run(repository, ["log", "--max-count=1000", "--format=%H %T %at", head, `^${main}`]);
          const made = log.stdout
            .toString()
            .split("\n")
            .map((line) => line.split(" "))
            .find((line) => line[1] === tree && line[2] === String(seconds));
          if (!made) throw branchExists(repository, branch);
          return { commit: made[0]!, tree };
        }
        const written = await writeCommit(git, git.pathOf(repository), { files, parent: main, message, author, at, keepOthers });
        if (!(await moveBranch(git, repository, branch, NONE, written.commit))) throw branchExists(repository, branch);
        return written;
      });
    },

    async openChange({ repository, branch, title, description, author }) {
      if (branch === DEFAULT_BRANCH) throw branchIsDefault(branch);
      const number = await transact(db, async (tx) => {
        await locked(tx, repository);
        const [open] = await changeRows(tx, { repository, branch, state: "open" });
        if (open) return open.number;
        const head = await branchHead(git, repository, branch);
        if (head === undefined) throw branchMissing(repository, branch);
        const main = await mainHead(git, repository);
        const found = await tryMerge(git, repository, main, head);
        if (!found.related) throw unrelatedHistory(repository, branch);
        if ((await isAncestor(git, repository, head, main)) || found.tree === (await treeOf(git, repository, main)))
          throw nothingToMerge(repository, branch);
        const { base, comparedWith, mergeable, conflicts, tree } = found;
        const added = await addChange(tx, clock, {
          repository,
          branch,
          title,
          description,
          author,
          head,
          base,
          comparedWith,
          mergeable,
          conflicts,
          tree,
        });
        await pinHead(git, repository, added, head);
        return added;
      });
      return one(repository, number);
    },

    change: one,
    async changes(filter) {
      return changesOf(db, await fresh(await changeRows(db, filter)));
    },

    async setCheck(repository, commit, check) {
      await repositoryRow(db, repository);
      await resolveCommit(git, repository, commit);
      await transact(db, (tx) => putCheck(tx, clock, repository, commit, check));
    },

    async readFile(repository, revision, path) {
      await repositoryRow(db, repository);
      return readFileAt(git, repository, revision, path);
    },
    async listFiles(repository, revision) {
      await repositoryRow(db, repository);
      return listFilesAt(git, repository, revision);
    },
    async commitObject(repository, commit) {
      await repositoryRow(db, repository);
      return commitObjectAt(git, repository, commit);
    },
    async head(repository, branch = DEFAULT_BRANCH) {
      await repositoryRow(db, repository);
      return branchHead(git, repository, branch);
    },
    async checkout(repository, commit, into) {
      await repositoryRow(db, repository);
      await checkoutInto(git, repository, commit, into);
    },

    async removeRepository(repository, only) {
      if (!repositoryName.safeParse(repository).success) throw nameInvalid(repository);
      const others = await transact(db, async (tx) => {
        const row = await lockRepository(tx, repository);
        if (only && (row ? row.first_tree : await firstTreeOf(git, repository)) !== only.firstTree) return true;
        await dropRepository(tx, clock, "system:forge", repository);
        return false;
      });
      if (others) return;
      // The folder after the row: a crash between leaves one that nobody sees, and createRepository puts it aside.
      const gone = await transact(db, async (tx) =>
        (await lockRepository(tx, repository)) ? undefined : putAside(git, repository, "removed"),
      );
      if (gone) await rm(gone, { recursive: true, force: true });
    },

    repositories: () => repositoriesWhere(),
    async repository(name) {
      const [found] = await repositoriesWhere(name);
      if (!found) throw repositoryMissing(name);
      return found;
    },

    async resolve(repository, revision) {
      await repositoryRow(db, repository);
      return resolveCommit(git, repository, revision);
    },
    review,
    async diff(repository, number) {
      const change = await one(repository, number);
      return diffOf(git, repository, change.base, change.head);
    },

    async approve({ repository, number, head, result, by }) {
      if (by.kind === "system") throw systemApproval();
      await transact(db, async (tx) => {
        await locked(tx, repository);
        await syncHeads(tx, clock, git, repository, "system:forge");
        const row = await changeRow(tx, repository, number);
        if (row.state !== "open") throw changeNotOpen(repository, number, row.state);
        const authors = [row.author, ...row.pushed_by];
        if (authors.includes(by.ref) || (by.tokenBy !== undefined && authors.includes(by.tokenBy))) throw ownApproval(number);
        if (row.head !== head) throw headMoved(number, head, row.head);
        const found = await tryMerge(git, repository, await mainHead(git, repository), row.head);
        if (result !== undefined && result !== (found.tree ?? "")) throw resultMoved(number);
        await addApproval(tx, clock, row, found.tree ?? null, by);
      });
      return one(repository, number);
    },

    async merge({ repository, number, head, merger, ...ground }) {
      await repositoryRow(db, repository);
      await finishMerges(db, clock, git, repository);
      const before = await changeRow(db, repository, number);
      if (before.state === "merged" && before.head === head) return one(repository, number);
      await transact(db, async (tx) => {
        await locked(tx, repository);
        await syncHeads(tx, clock, git, repository, "system:forge");
      });
      for (let attempt = 1; ; attempt++) {
        // What is answered holds for one commit of the default branch: where that moves meanwhile, it is asked again.
        const main = await mainHead(git, repository);
        const { merge: answer, ...facts } = await review(repository, number, merger.ref, ground);
        if ((await prepareMerge(db, clock, git, { change: facts, answer, head, merger, main })) === "prepared") break;
        if (attempt === MERGE_ATTEMPTS) throw defaultBranchMoved(repository);
      }
      await finishMerges(db, clock, git, repository);
      const after = await one(repository, number);
      if (after.state !== "merged") throw defaultBranchMoved(repository);
      return after;
    },

    async close({ repository, number, by }) {
      await transact(db, async (tx) => {
        await locked(tx, repository);
        const row = await changeRow(tx, repository, number);
        if (row.state !== "open" || row.merging) throw changeNotOpen(repository, number, row.merging ? "being merged" : row.state);
        await closeChange(tx, clock, by, row);
      });
      return one(repository, number);
    },

    branches: (repository) => branchHeads(git, repository),
    async afterPush(repository, by, before) {
      await transact(db, async (tx) => {
        if (!(await lockRepository(tx, repository))) return;
        const now = await branchHeads(git, repository);
        const moved = [...now.keys()].filter((branch) => now.get(branch) !== before.get(branch));
        await notePush(tx, repository, by, { moved, gone: [...before.keys()].filter((branch) => !now.has(branch)) });
        await syncHeads(tx, clock, git, repository, by);
      });
    },

    notePushRefused: (repository, by, refused) =>
      transact(db, async (tx) => {
        const data: ForgeEvents["forge.push_refused"] = { repository, ...refused };
        await record(tx, clock, { type: "forge.push_refused", about: `repository:${repository}`, actor: by, data });
      }),

    async reconcile() {
      const rows = await db.selectFrom("forge_change").select("repository").distinct().where("state", "=", "open").execute();
      for (const { repository } of rows) {
        await finishMerges(db, clock, git, repository);
        await transact(db, async (tx) => {
          if (await lockRepository(tx, repository)) await syncHeads(tx, clock, git, repository, "system:forge");
        });
      }
      await sweep(db, git);
      return rows.length;
    },
  };
  return forge;
}

/** The tree of the first commit in a folder that may have no row; undefined when there is none. */
async function firstTreeOf(git: Git, name: string): Promise<string | undefined> {
  if (!(await stat(git.pathOf(name)).catch(() => undefined))) return undefined;
  const found = await git.run(name, ["log", "--max-parents=0", "--format=%T", DEFAULT_BRANCH]).catch(() => undefined);
  return found?.stdout.toString().trim();
}

/** Takes a repository's folder out of sight; gives where it lies now, or undefined when there is none. One that was found without a row is kept. */
async function putAside(git: Git, name: string, why: "found" | "removed"): Promise<string | undefined> {
  const path = git.pathOf(name);
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const to = join(git.aside, `${why}-${name}-${randomBytes(4).toString("hex")}.git`);
  await rename(path, to);
  return to;
}

/** Removes what crashes left half-made or half-removed. A repository that is being made holds its lock. */
async function sweep(db: Db, git: Git): Promise<void> {
  for (const left of await readdir(git.aside)) {
    const [, why, name] = /^(new|removed)-(.+)-[0-9a-f]{8}\.git$/.exec(left) ?? [];
    if (why === undefined || name === undefined) continue;
    await transact(db, async (tx) => {
      await lockRepository(tx, name);
      await rm(join(git.aside, left), { recursive: true, force: true });
    });
  }
}
