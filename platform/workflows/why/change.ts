import type { Why, Reason, Way, WhyFacts } from "./model.ts";
import { nothing, PLATFORM, fact, commandIn, counted, sentence, listed } from "./words.ts";

export function explainChange({ change, ci }: Extract<WhyFacts, { kind: "change" }>): Why {
  const id = `${change.repository}/${change.number}`;
  const subject = { kind: "change" as const, id, title: change.title, link: `/changes/${id}` };
  if (change.state === "merged")
    return {
      ...nothing,
      subject,
      state: "done",
      summary: `It was merged as ${(change.mergeCommit ?? "").slice(0, 12)}`,
      because: change.warnings.map((says) => fact("merge", says)),
    };
  if (change.state === "closed") return { ...nothing, subject, state: "done", summary: "It was closed without being merged" };

  const because: Reason[] = [];
  const unblock: Way[] = [];
  const waitsFor: string[] = [];
  if (!change.mergeable) {
    const files = change.conflicts.length > 0 ? `in ${listed(change.conflicts)}` : "as a whole: they share no history";
    waitsFor.push("its conflicts with main to be settled");
    because.push(fact("conflict", `It conflicts with main ${files}`));
    const command = `git fetch origin && git switch ${change.branch} && git merge origin/main && git push`;
    unblock.push({ who: change.author, what: "merge main into the branch, settle the conflicts and push", command });
  }
  if (change.checks.length === 0) {
    waitsFor.push("its checks to report");
    because.push(fact("checks", "No check has reported on this head; unknown is not a pass"));
    unblock.push({ who: PLATFORM, what: "makes the checks by itself", command: `cairn changes show ${id} --watch` });
  }
  const busy = change.checks.filter(({ state }) => state === "pending" || state === "running");
  const bad = change.checks.filter(({ state }) => state === "failed" || state === "unknown");
  if (busy.length > 0) {
    waitsFor.push(`check ${listed(busy.map(({ name }) => name))} to report`);
    for (const check of busy) {
      const queued =
        check.name === "ci" && ci?.run.state === "queued"
          ? `waits in CI's queue behind ${counted(ci.ahead, "run")}`
          : check.summary || check.state;
      because.push({ kind: "check", name: check.name, says: queued });
    }
    unblock.push({ who: PLATFORM, what: "reports by itself", command: `cairn changes show ${id} --watch` });
  }
  if (bad.length > 0) {
    waitsFor.push(`check ${listed(bad.map(({ name }) => name))} to pass`);
    for (const check of bad) for (const says of reasonsOf(check)) because.push({ kind: "check", name: check.name, says });
    unblock.push({
      who: change.author,
      what: "mend what the checks name and push: a new head is checked anew",
      command: `git push origin ${change.branch}`,
    });
    if (bad.some(({ state }) => state === "unknown"))
      unblock.push({ who: change.author, what: "have a check that could not be made be made again", command: `cairn changes check ${id}` });
  }
  const unapproved = !change.needsCodeOwner ? [] : change.codeOwners.filter(({ approvedBy }) => approvedBy.length === 0);
  if (unapproved.length > 0) {
    waitsFor.push("an approval of this head by a code owner other than its author");
    for (const { owners, files } of unapproved)
      because.push(
        fact(
          "CODEOWNERS",
          `${owners.join(" or ")} answer for ${listed(files)}, and none of them has approved ${change.head.slice(0, 12)}; ${change.tier} asks for it`,
        ),
      );
    const owners = [...new Set(unapproved.flatMap((group) => group.owners))];
    unblock.push({
      who: `${owners.join(" or ")}, except ${change.author}`,
      what: "look at it and approve it",
      command: `cairn changes approve ${id}`,
    });
  }
  if (waitsFor.length > 0)
    return { subject, state: "waits", summary: `It waits for ${waitsFor.join(", and for ")}`, because, unblock, until: null };
  if (!change.merge.allowed) {
    const way = { who: change.author, what: change.merge.next, command: commandIn(change.merge.next) };
    return {
      subject,
      state: "waits",
      summary: sentence(change.merge.because),
      because: [fact(change.merge.code, change.merge.because)],
      unblock: [way],
      until: null,
    };
  }
  return {
    subject,
    state: "waits",
    summary: "Nothing is in its way: it waits for somebody to merge it",
    because: change.checks.map(({ name, summary, state }) => ({ kind: "check", name, says: `${state}: ${summary}` })),
    unblock: [{ who: "a member of the owning team", what: "merge it; that begins the delivery", command: `cairn merge ${id}` }],
    until: null,
  };
}

/** What a check says, a sentence each; its summary only where no detail says the same, by the rule that it names. */
function reasonsOf({ summary, details }: { summary: string; details: string[] }): string[] {
  const essence = summary.replace(/^[a-z0-9-]+: /, "");
  return details.some((detail) => detail.includes(essence)) ? details : [summary, ...details];
}
