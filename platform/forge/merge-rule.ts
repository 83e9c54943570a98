import type { Tier } from "../catalog/model.ts";
import type { ChangeRequest, CheckState } from "./contract.ts";
import type { CodeOwnerGroup, MergeAnswer } from "./model.ts";

export interface MergeFacts {
  tier: Tier;
  /** Whether the tier asks for an approval by a code owner other than the author. */
  needsCodeOwner: boolean;
  change: ChangeRequest;
  /** Who answers for the changed files, and who of them approved the head; an author's approval does not count and is not in it. */
  codeOwners: readonly CodeOwnerGroup[];
  /** Entity reference of who wants to merge. */
  merger: string;
}

/**
 * Whether an approval speaks for what a merge would bring now: for this head, for this result of merging it, and given by nobody who took part in it, nor with a
 * token that one of them made.
 */
export function speaksFor({ by, commit, result, tokenBy }: ChangeRequest["approvals"][number], change: ChangeRequest): boolean {
  const authors = [change.author, ...change.pushedBy];
  return commit === change.head && result === change.result && !authors.includes(by) && (tokenBy === null || !authors.includes(tokenBy));
}

/**
 * Whether a change request may be merged now. Checks and conflicts hold for everyone; where the tier asks for it, every changed file needs an approval of the
 * head by a code owner other than the author; where it does not, its author alone may merge it, which is warned of and recorded.
 */
export function mergeRule({ tier, needsCodeOwner, change, codeOwners, merger }: MergeFacts): MergeAnswer {
  const id = `${change.repository}/${change.number}`;
  if (change.state !== "open")
    return refusal("forge.change_not_open", `Change request ${change.number} is ${change.state}`, "Push a branch and open another.");
  if (!change.mergeable)
    return refusal(
      "forge.conflicts",
      change.conflicts.length > 0 ? `It conflicts with main in ${listed(change.conflicts)}` : "It shares no history with main",
      `Merge main into ${change.branch}, settle the conflicts and push: git fetch origin && git merge origin/main`,
    );

  if (change.checks.length === 0)
    return refusal("forge.checks_missing", "Checks have not reported on this head", "Wait for them; unknown is not a pass.");
  const open = change.checks.filter(({ state }) => state !== "passed" && state !== "warned");
  if (open.length > 0)
    return refusal(
      "forge.checks_not_passed",
      `Not every check has passed: ${listed(open.map(({ name, state, summary }) => `${name} ${said[state]}${summary ? ` (${summary})` : ""}`))}`,
      open.some(({ state }) => state === "failed" || state === "unknown")
        ? `Mend it and push to ${change.branch}; a new head is checked anew.`
        : "Wait for them.",
    );

  const warnings = change.checks.filter(({ state }) => state === "warned").map(({ name, summary }) => `Check ${name} warned: ${summary}`);
  const unapproved = codeOwners.filter(({ approvedBy }) => approvedBy.length === 0);
  if ((unapproved.length > 0 || codeOwners.length === 0) && needsCodeOwner) {
    const before = change.approvals
      .filter((approval) => !speaksFor(approval, change))
      .map((approval) => `${approval.by} (${voidBecause(approval, change)})`);
    return refusal(
      "forge.approval_missing",
      `${tier} needs an approval of this head by a code owner other than its author: ${listed(unapproved.map(({ owners }) => owners.join(" or ")))}${before.length > 0 ? `. It does not count what was approved by ${listed(before)}` : ""}`,
      `Ask one of them: cairn changes approve ${id}`,
    );
  }
  const approvedByOther = change.approvals.some((approval) => speaksFor(approval, change));
  if (merger === change.author && !approvedByOther) warnings.push(`Merged by its author alone, without an approval (${tier} allows it)`);
  return {
    allowed: true,
    code: "forge.mergeable",
    because: "Checks have passed, and nothing else is in its way",
    next: `cairn merge ${id}`,
    warnings,
  };
}

/** Why an approval speaks for nothing any more. */
function voidBecause({ by, commit, result }: ChangeRequest["approvals"][number], change: ChangeRequest): string {
  if (commit !== change.head) return "of another head";
  if (result !== change.result) return "main has moved since, so that merging gives something else";
  return [change.author, ...change.pushedBy].includes(by) ? "they took part in it" : "by a token that somebody made who took part in it";
}

const said: Record<CheckState, string> = {
  pending: "is pending",
  running: "is running",
  passed: "passed",
  warned: "warned",
  failed: "failed",
  unknown: "is unknown",
};

const refusal = (code: string, because: string, next: string): MergeAnswer => ({ allowed: false, code, because, next, warnings: [] });

const listed = (items: readonly string[]) =>
  items.length > 8 ? `${items.slice(0, 8).join(", ")} and ${items.length - 8} more` : items.join(", ");
