import { z } from "zod";
import type { CiRun } from "../ci/contract.ts";
import type { ChangeReview } from "../forge/model.ts";
import type { WorkflowRunWithSteps } from "../orchestrator/model.ts";
import type { Plan, PlanState } from "../plans/model.ts";
import type { BreakGlass, BreakGlassState } from "../policy/break-glass.ts";
import { denies, type Decision, type RuleResult } from "../policy/model.ts";
import type { Held } from "../releases/gate.ts";
import type { Release } from "../releases/model.ts";

const Reason = z.object({
  /** What kind of thing says so, and which one: a rule by its name, a check, a gate, a step, a fact. */
  kind: z.enum(["rule", "check", "gate", "step", "fact"]),
  name: z.string(),
  says: z.string(),
});

const Way = z.object({
  /** Who can do it: people, a group, or the platform by itself. */
  who: z.string(),
  what: z.string(),
  /** The command for it, where there is one. */
  command: z.string().nullable(),
});

/** Why something is as it is: what it waits for or what happened, which rule or fact says so, and who or which command unblocks it. */
export const Why = z
  .object({
    subject: z.object({
      kind: z.enum(["change", "ci-run", "plan", "decision", "release", "run", "break-glass"]),
      id: z.string(),
      title: z.string(),
      link: z.string(),
    }),
    /** `waits` for a person, another thing or the time; `under_way`: the platform works on it. */
    state: z.enum(["waits", "under_way", "refused", "failed", "done"]),
    /** One sentence. */
    summary: z.string(),
    because: z.array(Reason),
    unblock: z.array(Way),
    /** When it goes on by itself, where that is known. */
    until: z.coerce.date().nullable(),
  })
  .meta({ id: "Why" });
export type Why = z.infer<typeof Why>;
type Reason = z.infer<typeof Reason>;
type Way = z.infer<typeof Way>;

/** All that an answer rests on, by kind of subject. */
export type WhyFacts =
  | { kind: "change"; change: ChangeReview; ci: QueuedRun | null }
  | { kind: "ci-run"; run: CiRun; ahead: number }
  | { kind: "decision"; decision: Decision; reopened: string | null; service: ServiceOf }
  | { kind: "release"; release: Release; decision: Decision | null; reopened: string | null; service: ServiceOf; at: Place }
  | {
      kind: "plan";
      digest: string;
      plan: Plan;
      state: PlanState;
      run: string | null;
      differing: string[];
      owner: string;
      inner: Why | null;
    }
  | { kind: "run"; run: WorkflowRunWithSteps; inner: Why | null }
  | { kind: "break-glass"; glass: BreakGlass; state: BreakGlassState; owner: string };

export interface QueuedRun {
  run: CiRun;
  /** Runs that were ordered before it and have not ended. */
  ahead: number;
}

export interface ServiceOf {
  name: string;
  /** Reference of the owning group, or "an administrator" where it has none. */
  owner: string;
}

/** Where a release stands, beside its own row. */
export interface Place {
  gate: { heldBy: Held[]; openBy: string[] } | null;
  /** The release whose end it waits for. */
  before: string | null;
  /** What would end its present step. */
  endsWhen: string[];
  stepEndsAt: Date | null;
  /** The run that carries it, and what that is doing. */
  run: { id: string; step: string; detail: string } | null;
}

/** The answer to "why?", from facts alone. */
export function explain(facts: WhyFacts): Why {
  switch (facts.kind) {
    case "change":
      return explainChange(facts);
    case "ci-run":
      return explainCi(facts);
    case "decision":
      return explainDecision(facts);
    case "release":
      return explainRelease(facts);
    case "plan":
      return explainPlan(facts);
    case "run":
      return explainRun(facts);
    case "break-glass":
      return explainBreakGlass(facts);
  }
}

const PLATFORM = "the platform";
const nothing = { because: [], unblock: [], until: null };

function explainChange({ change, ci }: Extract<WhyFacts, { kind: "change" }>): Why {
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
    for (const { name, summary, details } of bad)
      because.push({
        kind: "check",
        name,
        says: details.length > 0 && details[0] !== summary ? `${summary}: ${listed(details)}` : summary,
      });
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

function explainCi({ run, ahead }: Extract<WhyFacts, { kind: "ci-run" }>): Why {
  const subject = {
    kind: "ci-run" as const,
    id: run.id,
    title: `CI of ${run.repository} at ${run.commit.slice(0, 12)}`,
    link: `/ci-runs/${run.id}`,
  };
  if (run.state === "queued")
    return {
      subject,
      state: "waits",
      summary: ahead > 0 ? `It waits in the queue behind ${counted(ahead, "run")}` : "It is next in the queue",
      because: [fact("queue", "CI makes a few runs at once, in the order in which they were asked for")],
      unblock: [{ who: PLATFORM, what: "begins it when those before it have ended", command: null }],
      until: null,
    };
  if (run.state === "running") {
    const stage = run.stages.find(({ state }) => state === "running");
    const says = stage ? `It is at ${stage.name}${stage.command ? `: ${stage.command}` : ""}` : "It has begun";
    return {
      subject,
      state: "under_way",
      summary: says,
      because: run.stages
        .filter(({ state }) => state === "running" || state === "passed")
        .map(({ name, state }) => ({ kind: "step", name, says: state })),
      unblock: [{ who: PLATFORM, what: "ends it by itself, at its time limit at the latest", command: null }],
      until: null,
    };
  }
  if (run.state === "passed") return { ...nothing, subject, state: "done", summary: "Every stage passed" };
  const failed = run.stages.filter(({ state }) => state === "failed");
  return {
    subject,
    state: "failed",
    summary: sentence(run.because ?? "it failed"),
    because: failed.map(({ name, detail, command }) => ({ kind: "step", name, says: detail ?? command ?? "failed" })),
    unblock: [
      run.purpose === "change"
        ? { who: "the author", what: "mend it and push to the branch", command: "git push" }
        : { who: "the owning team", what: "mend it by another change request", command: null },
    ],
    until: null,
  };
}

function explainDecision({ decision, reopened, service }: Extract<WhyFacts, { kind: "decision" }>): Why {
  const denied = decision.results.filter(denies);
  const where = denied[0]?.subject ?? decision.results[0]?.subject ?? decision.about;
  const subject = {
    kind: "decision" as const,
    id: decision.id,
    title: `Decision about ${where || decision.about} at the point ${decision.point}`,
    link: `/decisions/${decision.id}`,
  };
  const relieved = decision.results.filter(({ relievedBy }) => relievedBy !== null);
  const because = [...denied, ...relieved].map(ruleSays);
  if (reopened !== null) because.unshift(fact("re-opened", `It can't be relied on any more: ${reopened}`));
  if (decision.outcome === "deny")
    return {
      subject,
      state: "refused",
      summary: `${counted(denied.length, "rule")} denied it: ${listed(denied.map(({ rule }) => rule))}`,
      because,
      unblock: waysAround(denied, service, environmentIn(where)),
      until: null,
    };
  const warned = decision.results.filter(
    ({ outcome, relievedBy, mode }) => outcome !== "passed" && relievedBy === null && mode !== "audit",
  );
  const how =
    relieved.length > 0 ? `${counted(relieved.length, "rule")} would have denied it: ${listed(relieved.map(({ rule }) => rule))}` : "";
  return {
    subject,
    state: "done",
    summary: [
      decision.outcome === "warn"
        ? `It was allowed, with ${counted(relieved.length + warned.length, "warning")}`
        : "It was allowed: every rule that was asked holds",
      how,
    ]
      .filter((part) => part !== "")
      .join("; "),
    because: [...because, ...warned.map(ruleSays)],
    unblock: reopened === null ? [] : [{ who: service.owner, what: "merge a change, so that CI builds and proves anew", command: null }],
    until: null,
  };
}

function explainRelease({ release, decision, reopened, service, at }: Extract<WhyFacts, { kind: "release" }>): Why {
  const subject = {
    kind: "release" as const,
    id: release.id,
    title: `Release of ${release.service} to ${release.environment}`,
    link: `/releases/${release.id}`,
  };
  const relieved = (decision?.results ?? []).filter(({ relievedBy }) => relievedBy !== null).map(ruleSays);
  const revoked = reopened === null ? [] : [fact("re-opened", `Its decision can't be relied on any more: ${reopened}`)];
  const answer = (state: Why["state"], summary: string, because: Reason[], unblock: Way[], until: Date | null = null): Why => ({
    subject,
    state,
    summary,
    because: [...because, ...revoked, ...relieved],
    unblock,
    until,
  });
  const back = {
    who: `a member of ${service.owner}, or an administrator`,
    what: "roll it back",
    command: `cairn rollback ${release.id} -b REASON`,
  };
  switch (release.state) {
    case "planned":
      return explainPlanned();
    case "refused": {
      const denied = (decision?.results ?? []).filter(denies);
      const summary =
        denied.length > 0
          ? `${counted(denied.length, "rule")} denied it: ${listed(denied.map(({ rule }) => rule))}`
          : sentence(release.because);
      return answer(
        "refused",
        summary,
        denied.length > 0 ? denied.map(ruleSays) : [fact("refusal", release.because)],
        denied.length > 0
          ? waysAround(denied, service, release.environment)
          : [
              {
                who: service.owner,
                what: "give it what it lacks, then deliver the commit again",
                command: `cairn deliver ${service.name}`,
              },
            ],
      );
    }
    case "rolling_out":
      return answer(
        "waits",
        `It waits for its canary at ${release.percent} % of the traffic: ${release.because}`,
        at.endsWhen.map((says) => fact("step", says)),
        [
          {
            who: PLATFORM,
            what: "shifts on or rolls back by itself, by real traffic",
            command: `cairn releases ${release.service} --watch`,
          },
          back,
        ],
        at.stepEndsAt,
      );
    case "held":
      return answer(
        "waits",
        `It is held at ${release.percent} % of the traffic and waits for its owner: ${release.because}`,
        [fact("held", release.because)],
        [
          {
            who: `a member of ${service.owner}, or an administrator`,
            what: "let it go on to its next step",
            command: `cairn go-on ${release.id} -b REASON`,
          },
          back,
        ],
      );
    case "promoted":
      return answer(
        "done",
        `It was promoted: ${release.because}`,
        at.gate ? at.gate.openBy.map((says) => gateSays("passed", says)) : [],
        reopened === null ? [] : [{ who: service.owner, what: "merge a change, so that CI builds and proves anew", command: null }],
      );
    case "rolled_back":
      return answer(
        "failed",
        `It was rolled back: ${release.because}`,
        [
          fact(
            "rollback",
            release.previous ? `What served before serves again: ${release.previous}` : "Nothing served before; nothing serves now",
          ),
        ],
        [
          {
            who: service.owner,
            what: "mend it by another change request; an artifact that was worse is not released again",
            command: null,
          },
        ],
      );
    case "failed":
      return answer(
        "failed",
        `It failed: ${release.because}`,
        [fact("failure", release.because), ...stepOf(at.run)],
        [{ who: service.owner, what: "remove the cause and deliver the commit again", command: `cairn deliver ${service.name}` }],
      );
    case "superseded":
      return answer("done", `Another one took its place: ${release.because}`, [fact("superseded", release.because)], []);
  }

  function explainPlanned(): Why {
    const held = at.gate?.heldBy ?? [];
    if (held.length > 0) {
      // It goes on by itself only where all that holds it does.
      const times = held.flatMap(({ until }) => (until === null ? [] : [until.getTime()]));
      const until = times.length === held.length ? new Date(Math.max(...times)) : null;
      const glass = {
        who: `a member of ${service.owner}, or an administrator`,
        what: "in an emergency: break the glass, before witnesses",
        command: breakGlassCommand(
          service,
          release.environment,
          held.map(({ gate }) => gate),
        ),
      };
      return answer(
        "waits",
        `It waits for ${held.map(({ because }) => because).join(", and for ")}`,
        held.map(({ gate, because }) => gateSays(gate, because)),
        [...held.map(({ unblockedBy }) => wayOf(unblockedBy)), glass],
        until,
      );
    }
    if (at.before !== null)
      return answer(
        "waits",
        `It waits for its turn: release ${at.before} of ${release.service} is under way in ${release.environment}`,
        [fact("one at a time", "An environment takes one release of a service at a time, so that each is compared with what serves")],
        [{ who: PLATFORM, what: `begins it when ${at.before} has ended`, command: `cairn why ${at.before}` }],
      );
    return answer(
      "under_way",
      at.run ? `It is being prepared: ${at.run.step}` : "It is planned, and has not begun",
      stepOf(at.run),
      at.run ? [{ who: PLATFORM, what: "goes on by itself", command: `cairn why "${at.run.id}"` }] : [],
    );
  }
}

function explainPlan(facts: Extract<WhyFacts, { kind: "plan" }>): Why {
  const { digest, plan, state, run, differing, owner, inner } = facts;
  const subject = { kind: "plan" as const, id: digest, title: plan.title, link: `/plans/${digest}` };
  if (inner) return { ...inner, subject };
  if (state === "applied")
    return {
      ...nothing,
      subject,
      state: "done",
      summary: "It was applied",
      unblock: run ? [{ who: PLATFORM, what: "carries it out", command: `cairn why "${run}"` }] : [],
    };
  const denied = plan.decisions.flatMap(({ environment, results, outcome }) =>
    outcome === "deny" ? results.filter(deniesInPlan).map((result) => ({ ...result, environment })) : [],
  );
  const again: Way = { who: "whoever wants it", what: "make the plan anew, look at what is different, and apply that one", command: null };
  if (state === "stale" || differing.length > 0)
    return {
      subject,
      state: "refused",
      summary: `What it was made on has changed: ${listed(differing)}`,
      because: differing.map((name) => fact(name, `was ${plan.basis[name] ?? "not there"} when the plan was made`)),
      unblock: [again],
      until: null,
    };
  if (denied.length > 0) {
    const rules = [...new Set(denied.map(({ rule }) => rule))];
    return {
      subject,
      state: "refused",
      summary: `${counted(rules.length, "rule")} denied it: ${listed(rules)}`,
      because: denied.map(({ rule, message, environment }) => ({
        kind: "rule",
        name: rule,
        says: `${message}${environment ? ` (in ${environment})` : ""}`,
      })),
      unblock: [...new Map(denied.map(({ rule, fix }) => [rule, { who: "whoever wants it", what: fix, command: null }])).values(), again],
      until: null,
    };
  }
  return {
    subject,
    state: "waits",
    summary: "Nothing is in its way: it waits for somebody to apply it",
    because: [fact("policy", plan.decisions.length > 0 ? "Every rule that was asked lets it through" : "No rule was asked about it")],
    unblock: [{ who: `a member of ${owner}, or an administrator`, what: "apply exactly this plan", command: `cairn apply ${digest}` }],
    until: null,
  };
}

function explainRun({ run, inner }: Extract<WhyFacts, { kind: "run" }>): Why {
  const subject = {
    kind: "run" as const,
    id: run.id,
    title: `${sentence(run.workflow)}, about ${run.about}`,
    link: `/runs/${encodeURIComponent(run.id)}`,
  };
  if (run.state === "success") return { ...nothing, subject, state: "done", summary: "Every step succeeded" };
  if (run.state === "failed" || run.state === "rolled_back") {
    const step = run.steps.find(({ state }) => state === "failed");
    const undone = run.steps.filter(({ state }) => state === "rolled_back").map(({ name }) => name);
    const error = run.error;
    return {
      subject,
      state: "failed",
      summary: error ? error.message : `It failed in the step ${step?.name ?? run.currentStep ?? "before its first"}`,
      because: [
        ...(step ? [{ kind: "step" as const, name: step.name, says: step.detail || "failed" }] : []),
        ...(error ? [fact(error.code, error.message)] : []),
        ...(undone.length > 0 ? [fact("rolled back", `What had been done was undone: ${listed(undone)}`)] : []),
        ...(run.cancelled ? [fact("cancelled", `${run.cancelled.by}: ${run.cancelled.because}`)] : []),
        ...(inner?.because ?? []),
      ],
      unblock: [
        ...(error ? [{ who: "whoever started it", what: error.next, command: commandIn(error.next) }] : []),
        ...(inner?.unblock ?? []),
      ],
      until: null,
    };
  }
  const step =
    run.steps.find(({ name }) => name === run.currentStep) ?? run.steps.find(({ state }) => state === "running" || state === "waiting");
  if (run.state === "rolling_back")
    return {
      ...nothing,
      subject,
      state: "under_way",
      summary: "It undoes what it had done",
      because: step ? [{ kind: "step", name: step.name, says: step.detail }] : [],
      unblock: [{ who: PLATFORM, what: "ends by itself", command: null }],
    };
  if (!step)
    return {
      ...nothing,
      subject,
      state: "under_way",
      summary: "It has not begun its first step",
      unblock: [{ who: PLATFORM, what: "begins by itself", command: null }],
    };
  const here: Reason = {
    kind: "step",
    name: step.name,
    says: step.waitsFor ? `waits for ${step.waitsFor}` : step.detail || "is under way",
  };
  // What it works on knows better what it waits for.
  if (inner && inner.state !== "done")
    return { ...inner, subject, summary: `In the step ${step.name}: ${uncapitalised(inner.summary)}`, because: [here, ...inner.because] };
  if (step.waitsFor)
    return {
      subject,
      state: "waits",
      summary: `In the step ${step.name} it waits for ${step.waitsFor}`,
      because: [here],
      unblock: [wayOf(step.waitsFor)],
      until: null,
    };
  return {
    subject,
    state: "under_way",
    summary: `It is in the step ${step.name}${step.detail ? `: ${step.detail}` : ""}`,
    because: [here, ...(step.attempts > 1 ? [fact("attempts", `It is the attempt number ${step.attempts}`)] : [])],
    unblock: [{ who: PLATFORM, what: "goes on by itself", command: `cairn runs show "${run.id}" --watch` }],
    until: null,
  };
}

function explainBreakGlass({ glass, state, owner }: Extract<WhyFacts, { kind: "break-glass" }>): Why {
  const where = `${glass.service}${glass.environment === null ? "" : ` in ${glass.environment}`}`;
  const subject = { kind: "break-glass" as const, id: glass.id, title: `Break-glass for ${where}`, link: `/break-glass/${glass.id}` };
  const because = [
    fact("reason", `${glass.openedBy}: ${glass.because}`),
    fact("witnesses", glass.witnesses.join(", ") || "there was no second person to tell"),
  ];
  if (state === "open")
    return {
      subject,
      state: "under_way",
      summary: `It is open until ${glass.until.toISOString()}`,
      because,
      unblock: [
        {
          who: `a member of ${owner}, or an administrator`,
          what: "end it sooner",
          command: `cairn break-glass close ${glass.id} -b REASON`,
        },
      ],
      until: glass.until,
    };
  if (state === "reviewed")
    return {
      ...nothing,
      subject,
      state: "done",
      summary: `It was reviewed by ${glass.review?.by ?? ""}: ${glass.review?.because ?? ""}`,
      because,
    };
  return {
    subject,
    state: "waits",
    summary: `It is over and waits for a review by somebody other than ${glass.openedBy}`,
    because,
    unblock: [
      {
        who: `a member of ${owner}, or an administrator, except ${glass.openedBy}`,
        what: "look at what was done under it (cairn break-glass show), and say what you found",
        command: `cairn break-glass review ${glass.id} -b FINDING`,
      },
    ],
    until: null,
  };
}

const fact = (name: string, says: string): Reason => ({ kind: "fact", name, says });
const gateSays = (name: string, says: string): Reason => ({ kind: "gate", name, says });
const stepOf = (run: Place["run"]): Reason[] => (run ? [{ kind: "step", name: run.step, says: run.detail || `run ${run.id}` }] : []);

const ruleSays = ({ rule, outcome, message, relievedBy }: RuleResult): Reason => ({
  kind: "rule",
  name: rule,
  says: `${outcome === "denied" || outcome === "warned" ? "" : `${outcome.replaceAll("_", " ")}: `}${message}${relievedBy ? `; it goes on by ${relievedBy}` : ""}`,
});

/** The same as policy's `denies`, of a result as a plan keeps it. */
const deniesInPlan = ({ outcome, mode, relievedBy }: Plan["decisions"][number]["results"][number]): boolean =>
  outcome !== "passed" && mode === "enforce" && relievedBy === null;

/** How each rule is met; and who may let it pass for a while, by which command. */
function waysAround(denied: readonly RuleResult[], service: ServiceOf, environment: string | undefined): Way[] {
  const ways: Way[] = denied.map(({ fix }) => ({ who: service.owner, what: fix, command: null }));
  const yielding = denied.filter(({ exceptionsBy }) => exceptionsBy.length > 0);
  const where = environment === undefined ? "" : ` -e ${environment}`;
  for (const { rule, exceptionsBy } of yielding)
    ways.push({
      who: exceptionsBy.join(" or "),
      what: `grant an exception from ${rule}, with an end`,
      command: `cairn exceptions grant ${service.name} ${rule}${where} --until 8h -b REASON`,
    });
  // One rule that yields to nobody keeps all of it from going on.
  if (denied.length > 0 && yielding.length === denied.length)
    ways.push({
      who: `a member of ${service.owner}, or an administrator`,
      what: "in an emergency: break the glass, before witnesses",
      command: breakGlassCommand(
        service,
        environment,
        denied.map(({ rule }) => rule),
      ),
    });
  return ways;
}

const breakGlassCommand = ({ name }: ServiceOf, environment: string | undefined, rules: readonly string[]): string =>
  `cairn break-glass open -s ${name}${environment === undefined ? "" : ` -e ${environment}`} -r ${[...new Set(rules)].join(" ")} -f 1h -b REASON`;

/** "a member of team-a: cairn approve rel-1" as who and which command. */
function wayOf(text: string): Way {
  const command = commandIn(text);
  const [who = text, ...rest] = text.split(": ");
  const what = rest.join(": ");
  return what === "" ? { who: text, what: "does it", command } : { who, what: command === what ? "does it" : what, command };
}

const commandIn = (text: string): string | null => /\b(?:cairn|git) [^.;,()]*[^.;,()\s]/.exec(text)?.[0] ?? null;
const environmentIn = (subject: string): string | undefined => / in ([a-z][a-z0-9-]*)$/.exec(subject)?.[1];

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
const sentence = (text: string): string => text.replace(/^./, (letter) => letter.toUpperCase());
const uncapitalised = (text: string): string => text.replace(/^It /, "it ");
const listed = (items: readonly string[]): string =>
  items.length > 6 ? `${items.slice(0, 6).join(", ")} and ${items.length - 6} more` : items.join(", ");
