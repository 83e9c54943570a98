import { Fault } from "../kernel/faults.ts";
import type { MergeAnswer } from "./model.ts";

export const repositoryMissing = (name: string) =>
  new Fault(
    "not_found",
    "forge.repository_missing",
    `There is no repository ${name}`,
    "Check the name; `cairn services` lists what there is.",
  );

export const repositoryExists = (name: string, owner: string) =>
  new Fault(
    "conflict",
    "forge.repository_exists",
    `Repository ${name} already exists with other content`,
    `It belongs to ${owner}: choose another name, or push a change to it.`,
  );

export const nameInvalid = (name: string) =>
  new Fault(
    "invalid",
    "forge.name_invalid",
    `${JSON.stringify(name)} can't be the name of a repository`,
    "Use lower-case letters, digits and hyphens; begin with a letter, don't end in a hyphen; at most 63 characters.",
  );

export const fileRefused = (path: string, because: string) =>
  new Fault(
    "invalid",
    "forge.file_refused",
    `${JSON.stringify(path)} can't be a file of a repository: ${because}`,
    "Give relative paths of ordinary files, each once.",
    { path },
  );

export const branchInvalid = (branch: string) =>
  new Fault(
    "invalid",
    "forge.branch_invalid",
    `${JSON.stringify(branch)} can't be the name of a branch`,
    "Use letters, digits, hyphens, dots and slashes; `git check-ref-format --branch` tells.",
  );

export const branchMissing = (repository: string, branch: string) =>
  new Fault(
    "not_found",
    "forge.branch_missing",
    `Repository ${repository} has no branch ${branch}`,
    `Push it first: git push origin ${branch}`,
  );

export const branchExists = (repository: string, branch: string) =>
  new Fault(
    "conflict",
    "forge.branch_exists",
    `Branch ${branch} of ${repository} already exists with other content`,
    "Choose another branch name, or push to this one.",
  );

export const revisionMissing = (repository: string, revision: string) =>
  new Fault(
    "not_found",
    "forge.revision_missing",
    `Repository ${repository} has no commit or branch ${revision}`,
    "Name a branch, or a commit by its 40 hex digits.",
  );

export const fileMissing = (repository: string, revision: string, path: string) =>
  new Fault("not_found", "forge.file_missing", `${path} is not in ${repository} at ${revision}`, "The list of files shows what is there.");

export const fileTooLarge = (path: string, limitBytes: number) =>
  new Fault("too_large", "forge.file_too_large", `${path} is larger than ${limitBytes} bytes`, "Clone the repository to read it.");

export const folderNotEmpty = (folder: string) =>
  new Fault("precondition", "forge.folder_not_empty", `${folder} is not empty`, "A checkout needs an empty folder: remove what is in it.");

export const changeMissing = (repository: string, number: number) =>
  new Fault("not_found", "forge.change_missing", `Repository ${repository} has no change request ${number}`, `List them: cairn changes`);

export const changeNotOpen = (repository: string, number: number, state: string) =>
  new Fault(
    "conflict",
    "forge.change_not_open",
    `Change request ${number} of ${repository} is ${state}`,
    "Push a branch and open another.",
  );

export const branchIsDefault = (branch: string) =>
  new Fault(
    "invalid",
    "forge.branch_is_default",
    `${branch} can't be merged into itself`,
    "Push a branch of another name and open the change request for that.",
  );

export const nothingToMerge = (repository: string, branch: string) =>
  new Fault(
    "precondition",
    "forge.nothing_to_merge",
    `Branch ${branch} of ${repository} changes nothing that main has not`,
    "Commit something on it and push, or close the change request.",
  );

export const unrelatedHistory = (repository: string, branch: string) =>
  new Fault(
    "precondition",
    "forge.unrelated_history",
    `Branch ${branch} of ${repository} shares no history with main`,
    "Start it from main: git switch -c NAME origin/main",
  );

export const headMoved = (number: number, seen: string, head: string) =>
  new Fault(
    "precondition",
    "forge.head_moved",
    `The head of change request ${number} is ${head.slice(0, 12)}, not ${seen.slice(0, 12)}`,
    "Someone pushed since: look at the change again, then repeat.",
    { head },
  );

export const resultMoved = (number: number) =>
  new Fault(
    "precondition",
    "forge.result_moved",
    `Merging change request ${number} gives something else than what you looked at`,
    "main has moved since: look at the change again, then approve it.",
  );

export const ownApproval = (number: number) =>
  new Fault(
    "forbidden",
    "forge.own_approval",
    `You took part in writing change request ${number}`,
    "Ask someone else who owns the code: an author's approval of their own change says nothing.",
  );

export const systemApproval = () =>
  new Fault("forbidden", "forge.system_approval", "Only a person can approve a change", "Sign in as yourself.");

export const mergeRefused = (answer: MergeAnswer) => new Fault("precondition", answer.code, answer.because, answer.next);

export const defaultBranchMoved = (repository: string) =>
  new Fault(
    "conflict",
    "forge.default_branch_moved",
    `main of ${repository} moved during the merge`,
    "Look at the change again, then repeat.",
  );

export const commitWrong = (commit: string) =>
  new Fault(
    "failed",
    "forge.commit_wrong",
    `What the repository keeps as commit ${commit} is not that commit: its bytes have another id`,
    "Look at the disk, and run git fsck in the repository; then push the commit again.",
  );

export const gitFailed = (args: readonly string[], stderr: string) =>
  new Fault(
    "failed",
    "forge.git_failed",
    `git ${args[0] ?? ""} failed: ${stderr.trim().slice(0, 2000)}`,
    "Look at the server's log and the free space of its disk, then repeat.",
  );

export const gitUnusable = (found: string) =>
  new Fault("unavailable", "forge.git_unusable", `git 2.38 or newer is needed; ${found}`, "Install a newer git and start again.");

export const signInForGit = (publicUrl: string) =>
  new Fault(
    "unauthenticated",
    "forge.sign_in",
    "Git needs a Cairn token as password; any user name will do",
    `Sign in with cairn login, then let git ask for it: git config --global credential.${publicUrl}.helper '!cairn git-credential'`,
  );

export const gitPathMissing = (path: string) =>
  new Fault("not_found", "forge.git_path_missing", `No repository is at ${path}`, "A clone URL looks like http://HOST/git/NAME.git");

export const dumbClient = () =>
  new Fault("forbidden", "forge.dumb_client", "This client speaks the dumb protocol", "Use git 1.6.6 or newer.");
