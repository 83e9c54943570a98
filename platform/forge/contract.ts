import { z } from "zod";
import type { TreeFile } from "../kernel/file-tree.ts";

export const CheckState = z.enum(["pending", "running", "passed", "warned", "failed", "unknown"]);
export type CheckState = z.infer<typeof CheckState>;

export const Check = z
  .object({
    name: z.string(),
    state: CheckState,
    summary: z.string(),
    /** Reasons, one line each. */
    details: z.array(z.string()).default([]),
    /** API path of what it rests on (a CI run, a decision). */
    link: z.string().nullable().default(null),
    updatedAt: z.coerce.date(),
  })
  .meta({ id: "Check" });
export type Check = z.infer<typeof Check>;

const Approval = z.object({
  by: z.string(),
  /** The head that was approved, and the tree that merging it would have given then: of anything else nothing is approved. */
  commit: z.string(),
  result: z.string().nullable(),
  at: z.coerce.date(),
  /** Who made the token that it was given with, where that was somebody else. */
  tokenBy: z.string().nullable(),
});

/** A change request: a branch that wants to become part of the default branch. */
export const ChangeRequest = z
  .object({
    repository: z.string(),
    number: z.number().int(),
    title: z.string(),
    description: z.string(),
    author: z.string(),
    /** Everyone who pushed to its branch. */
    pushedBy: z.array(z.string()),
    branch: z.string(),
    /** The commit on the branch now, and the commit of the default branch where the two parted. */
    head: z.string(),
    base: z.string(),
    state: z.enum(["open", "merged", "closed"]),
    /** False when it conflicts with the default branch; `conflicts` names the files. */
    mergeable: z.boolean(),
    conflicts: z.array(z.string()),
    /** The tree that a merge would give now; null where there can be none. */
    result: z.string().nullable(),
    approvals: z.array(Approval),
    checks: z.array(Check),
    /** Warnings that were recorded at the merge, e.g. merged by its author alone. */
    warnings: z.array(z.string()),
    mergeCommit: z.string().nullable(),
    createdAt: z.coerce.date(),
    mergedAt: z.coerce.date().nullable(),
  })
  .meta({ id: "ChangeRequest" });
export type ChangeRequest = z.infer<typeof ChangeRequest>;

export interface Author {
  /** Entity reference of the person, and the name git shows. */
  ref: string;
  name: string;
}

/** Where repositories lie. The embedded one keeps bare git repositories; every host has the same contract test. */
export interface Forge {
  /** Makes a repository whose default branch `main` holds one commit with these files. The same name and files again is no error; other content is `forge.repository_exists`. Gives the commit. */
  createRepository(input: {
    name: string;
    owner: string;
    files: TreeFile[];
    message: string;
    author: Author;
    at: Date;
  }): Promise<{ commit: string; cloneUrl: string }>;
  /**
   * Puts a commit with exactly this tree on a new branch that starts at the default branch; with `keepOthers` these files beside those of the default branch.
   * The same input gives the same commit; repeating it is no error.
   */
  createBranch(input: {
    repository: string;
    branch: string;
    files: TreeFile[];
    message: string;
    author: Author;
    at: Date;
    keepOthers?: boolean;
  }): Promise<{ commit: string; tree: string }>;
  /** Opens a change request for a branch; the one already open for it is given back. */
  openChange(input: { repository: string; branch: string; title: string; description: string; author: string }): Promise<ChangeRequest>;
  change(repository: string, number: number): Promise<ChangeRequest>;
  changes(filter: { repository?: string; state?: ChangeRequest["state"] }): Promise<ChangeRequest[]>;
  /** Writes or overwrites the check of that name on a commit. */
  setCheck(repository: string, commit: string, check: Omit<Check, "updatedAt">): Promise<void>;
  /** The text of a file at a commit or branch; undefined when it is not there. */
  readFile(repository: string, revision: string, path: string): Promise<string | undefined>;
  listFiles(repository: string, revision: string): Promise<{ path: string; mode: string; sizeBytes: number }[]>;
  /** The commit a branch points at; undefined when there is none. */
  head(repository: string, branch?: string): Promise<string | undefined>;
  /** A clean checkout of a commit in an empty folder, as a git work tree. */
  checkout(repository: string, commit: string, folder: string): Promise<void>;
  /** A commit as git hashes it, without the header: its tree, its parents, who and when. Its id is the hash of `commit SIZE\0` and this. */
  commitObject(repository: string, commit: string): Promise<Buffer>;
  cloneUrl(repository: string): string;
  /** Removes a repository, and what a crash left of it. With `firstTree` only one whose first commit holds that tree; another one, or none, is no error. */
  removeRepository(repository: string, only?: { firstTree: string }): Promise<void>;
}

/** Ledger events that the forge records; `about` is `repository:NAME`. data: */
export interface ForgeEvents {
  "forge.repository_created": { repository: string; commit: string };
  "forge.repository_removed": { repository: string };
  /** Its service has another owner, whose it is now. */
  "forge.repository_handed_over": { repository: string; from: string; to: string };
  "forge.change_opened": { repository: string; number: number; head: string };
  /** New commits on the branch of an open change request. */
  "forge.change_updated": { repository: string; number: number; head: string };
  /** Somebody tried to push what may not be: a protected branch, what is too large or broken. */
  "forge.push_refused": { repository: string; refs: { ref: string; because: string }[]; said: string };
  "forge.change_approved": { repository: string; number: number; head: string };
  "forge.change_closed": { repository: string; number: number; head: string };
  /** A check of a commit got another state or text. */
  "forge.check_reported": { repository: string; commit: string; name: string; state: CheckState };
  "forge.change_merged": { repository: string; number: number; commit: string; mergedBy: string; author: string; warnings: string[] };
}
