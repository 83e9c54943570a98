import { z } from "zod";
import { serviceName, Tier } from "../catalog/model.ts";
import { ChangeRequest } from "./contract.ts";

/** The branch that is delivered. It changes by merged change requests only. */
export const DEFAULT_BRANCH = "main";

/** A repository is named like the service it holds, so that its name is safe as a folder and in a URL. */
export const repositoryName = serviceName;

export const Repository = z
  .object({
    name: z.string(),
    /** Entity reference of the group that owns it. */
    owner: z.string(),
    cloneUrl: z.string(),
    defaultBranch: z.string(),
    /** The commit of the default branch. */
    head: z.string(),
    openChanges: z.number().int(),
    createdAt: z.coerce.date(),
  })
  .meta({ id: "Repository" });
export type Repository = z.infer<typeof Repository>;

export const RepositoryFile = z.object({ path: z.string(), mode: z.string(), sizeBytes: z.number().int() });

/** Files that the same people answer for. `owners` is what CODEOWNERS of the default branch says, or the repository's owner where it says nothing. */
export const CodeOwnerGroup = z.object({
  owners: z.array(z.string()),
  files: z.array(z.string()),
  /** `files` holds the first hundred. */
  fileCount: z.number().int(),
  /** Who of them approved the head. */
  approvedBy: z.array(z.string()),
});
export type CodeOwnerGroup = z.infer<typeof CodeOwnerGroup>;

/** Whether the one who asks may merge now. */
export const MergeAnswer = z.object({
  allowed: z.boolean(),
  /** Stable, e.g. `forge.checks_not_passed`; `forge.mergeable` when allowed. */
  code: z.string(),
  because: z.string(),
  next: z.string(),
  warnings: z.array(z.string()),
});
export type MergeAnswer = z.infer<typeof MergeAnswer>;

/** A change request with everything that decides about it. */
export const ChangeReview = ChangeRequest.extend({
  tier: Tier,
  needsCodeOwner: z.boolean(),
  codeOwners: z.array(CodeOwnerGroup),
  merge: MergeAnswer,
}).meta({
  id: "ChangeReview",
});
export type ChangeReview = z.infer<typeof ChangeReview>;

export const FileStatus = z.enum(["added", "modified", "deleted", "renamed", "copied", "type_changed"]);
export type FileStatus = z.infer<typeof FileStatus>;
export const DiffFile = z
  .object({
    path: z.string(),
    /** Of a renamed or copied file: where it was. */
    previousPath: z.string().nullable(),
    status: FileStatus,
    binary: z.boolean(),
    /** Lines; null of a binary file. */
    additions: z.number().int().nullable(),
    deletions: z.number().int().nullable(),
    /** Unified diff from `diff --git` on; null of a binary file and where `truncated`. */
    patch: z.string().nullable(),
    /** The patch is too large to show: fetch the branch and look at it there. */
    truncated: z.boolean(),
  })
  .meta({ id: "DiffFile" });
export type DiffFile = z.infer<typeof DiffFile>;

export const Diff = z
  .object({
    base: z.string(),
    head: z.string(),
    additions: z.number().int(),
    deletions: z.number().int(),
    fileCount: z.number().int(),
    /** The first thousand. */
    files: z.array(DiffFile),
    truncated: z.boolean(),
  })
  .meta({ id: "Diff" });
export type Diff = z.infer<typeof Diff>;
