import { expect, test } from "vitest";
import type { CiRun } from "../../ci/contract.ts";
import type { ChangeReview } from "../../forge/model.ts";
import type { WorkflowRunWithSteps, WorkflowStep } from "../../orchestrator/model.ts";
import type { Plan } from "../../plans/model.ts";
import type { BreakGlass } from "../../policy/break-glass.ts";
import type { Decision, RuleResult } from "../../policy/model.ts";
import type { Release } from "../../releases/model.ts";
import { explain } from "./explain.ts";
import { Why, type Place, type WhyFacts } from "./model.ts";

const at = new Date("2026-03-01T12:00:00Z");
const head = "a".repeat(40);
const service = { name: "orders", owner: "group:default/team-a" };
const [ada, bob] = ["user:default/ada", "user:default/bob"];

/** Every answer has the declared shape, one sentence, and, where something waits for somebody, a way on. */
function why(facts: WhyFacts): Why {
  const answer = explain(facts);
  Why.parse(JSON.parse(JSON.stringify(answer)));
  expect(answer.summary).toMatch(/^[A-Z"\d]/);
  if (answer.state !== "done") expect(answer.unblock).not.toEqual([]);
  expect(explain(structuredClone(facts))).toEqual(answer);
  return answer;
}
const commands = ({ unblock }: Why) => unblock.flatMap(({ command }) => (command === null ? [] : [command]));
const names = ({ because }: Why) => because.map(({ kind, name }) => `${kind} ${name}`);

const aChange = (over: Partial<ChangeReview> = {}): ChangeReview =>
  ({
    repository: "orders",
    number: 2,
    title: "Cheaper",
    author: ada,
    branch: "cheaper",
    head,
    state: "open",
    mergeable: true,
    conflicts: [],
    approvals: [],
    checks: [aCheck("ci", "passed")],
    warnings: [],
    mergeCommit: null,
    tier: "tier-1",
    needsCodeOwner: true,
    codeOwners: [{ owners: ["group:default/team-a"], files: ["src/main.ts"], fileCount: 1, approvedBy: [bob] }],
    merge: { allowed: true, code: "forge.mergeable", because: "", next: "", warnings: [] },
    ...over,
  }) as ChangeReview;
const aCheck = (name: string, state: ChangeReview["checks"][number]["state"], summary = "says so", details: string[] = []) => ({
  name,
  state,
  summary,
  details,
  link: null,
  updatedAt: at,
});
const aCiRun = (over: Partial<CiRun> = {}): CiRun => ({
  id: "ci-orders-aaaaaaaaaaaa-change",
  repository: "orders",
  commit: head,
  purpose: "change",
  state: "queued",
  because: null,
  stages: [],
  tests: null,
  artifact: null,
  evidence: [],
  createdAt: at,
  endedAt: null,
  ...over,
});
const aResult = (over: Partial<RuleResult> = {}): RuleResult => ({
  rule: "tests-passed",
  outcome: "denied",
  subject: "component:default/orders in production",
  message: "1 of 12 tests failed",
  fix: "Mend the test.",
  mode: "enforce",
  exceptionsBy: ["group:default/quality", "administrators"],
  relievedBy: null,
  ...over,
});
const aDecision = (results: RuleResult[], outcome: Decision["outcome"] = "deny"): Decision =>
  ({ id: "dec_1", point: "release", about: "component:default/orders", outcome, results, decidedAt: at }) as Decision;
const aRelease = (over: Partial<Release> = {}): Release => ({
  id: "rel-orders-production-1",
  service: "orders",
  environment: "production",
  commit: head,
  artifactDigest: "sha256:c",
  revision: "c",
  plan: "sha256:p",
  decision: "dec_1",
  state: "planned",
  because: "planned",
  percent: 0,
  stepsPercent: [10, 100],
  previous: null,
  startedBy: ada,
  createdAt: at,
  endedAt: null,
  ...over,
});
const nowhere: Place = { gate: null, before: null, endsWhen: [], stepEndsAt: null, run: null };
const ofRelease = (
  over: Partial<Release>,
  place: Partial<Place> = {},
  decision: Decision | null = null,
  reopened: string | null = null,
): WhyFacts => ({
  kind: "release",
  release: aRelease(over),
  decision,
  reopened,
  service,
  at: { ...nowhere, ...place },
});

test("a change request: conflict, checks, CI's queue, approval, merge, each with its command", () => {
  const conflict = why({ kind: "change", change: aChange({ mergeable: false, conflicts: ["a.ts"] }), ci: null });
  expect(conflict).toMatchObject({ state: "waits", because: [{ name: "conflict", says: "It conflicts with main in a.ts" }] });
  expect(commands(conflict)[0]).toBe("git fetch origin && git switch cheaper && git merge origin/main && git push");
  expect(why({ kind: "change", change: aChange({ checks: [] }), ci: null }).summary).toContain("its checks to report");
  const queued = why({ kind: "change", change: aChange({ checks: [aCheck("ci", "running")] }), ci: { run: aCiRun(), ahead: 2 } });
  expect(queued.because).toEqual([{ kind: "check", name: "ci", says: "waits in CI's queue behind 2 runs" }]);
  const failed = why({
    kind: "change",
    change: aChange({
      checks: [
        aCheck("policy", "failed", "tests-passed: no", ["tests-passed (denied): no. Fix it."]),
        aCheck("ci", "unknown", "could not be made"),
      ],
    }),
    ci: null,
  });
  expect([names(failed), commands(failed)]).toEqual([
    ["check policy", "check ci"],
    ["git push origin cheaper", "cairn changes check orders/2"],
  ]);
  const alone = why({
    kind: "change",
    change: aChange({ codeOwners: [{ owners: ["group:default/team-a"], files: ["a.ts"], fileCount: 1, approvedBy: [] }] }),
    ci: null,
  });
  expect(alone).toMatchObject({ unblock: [{ who: `group:default/team-a, except ${ada}`, command: "cairn changes approve orders/2" }] });
  const ready = why({ kind: "change", change: aChange(), ci: null });
  expect([ready.state, commands(ready)]).toEqual(["waits", ["cairn merge orders/2"]]);
  // What the merge rule knows besides is said in its words.
  const moved = aChange({
    merge: {
      allowed: false,
      code: "forge.approval_void",
      because: "the approval is void",
      next: "Ask again: cairn changes approve orders/2",
      warnings: [],
    },
  });
  expect(why({ kind: "change", change: moved, ci: null })).toMatchObject({
    summary: "The approval is void",
    unblock: [{ command: "cairn changes approve orders/2" }],
  });
  // Several things in the way are all said.
  const all = why({
    kind: "change",
    change: aChange({
      mergeable: false,
      checks: [aCheck("ci", "failed"), aCheck("policy", "pending")],
      codeOwners: [{ owners: [bob], files: ["a"], fileCount: 1, approvedBy: [] }],
    }),
    ci: null,
  });
  expect(all.summary.match(/, and for /g)).toHaveLength(3);
  expect(why({ kind: "change", change: aChange({ state: "merged", mergeCommit: head }), ci: null }).state).toBe("done");
  expect(why({ kind: "change", change: aChange({ state: "closed" }), ci: null }).state).toBe("done");
});

test("a CI run: its place in the queue, the stage it is at, the stage that failed", () => {
  expect(why({ kind: "ci-run", run: aCiRun(), ahead: 1 }).summary).toBe("It waits in the queue behind 1 run");
  expect(why({ kind: "ci-run", run: aCiRun(), ahead: 0 }).summary).toBe("It is next in the queue");
  const stages: CiRun["stages"] = [
    { name: "checkout", state: "passed", command: null, seconds: 1, detail: null },
    { name: "test", state: "running", command: "npm test", seconds: null, detail: null },
  ];
  expect(why({ kind: "ci-run", run: aCiRun({ state: "running", stages }), ahead: 0 })).toMatchObject({
    state: "under_way",
    summary: "It is at test: npm test",
  });
  const failed = aCiRun({
    state: "failed",
    because: "test: exit 1",
    stages: [{ name: "test", state: "failed", command: "npm test", seconds: 1, detail: "exit 1" }],
  });
  expect(why({ kind: "ci-run", run: failed, ahead: 0 })).toMatchObject({
    state: "failed",
    because: [{ kind: "step", name: "test", says: "exit 1" }],
  });
  expect(why({ kind: "ci-run", run: aCiRun({ state: "passed" }), ahead: 0 }).state).toBe("done");
});

test("a denial: each rule, how it is met, who may grant an exception, and break-glass only where every rule yields", () => {
  const denied = why({
    kind: "decision",
    decision: aDecision([aResult(), aResult({ rule: "sound", outcome: "passed" })]),
    reopened: null,
    service,
  });
  expect(denied).toMatchObject({
    state: "refused",
    summary: "1 rule denied it: tests-passed",
    because: [{ kind: "rule", name: "tests-passed", says: "1 of 12 tests failed" }],
  });
  expect(commands(denied)).toEqual([
    "cairn exceptions grant orders tests-passed -e production --until 8h -b REASON",
    "cairn break-glass open -s orders -e production -r tests-passed -f 1h -b REASON",
  ]);
  expect(denied.unblock.map(({ who }) => who)).toContain("group:default/quality or administrators");
  const firm = why({
    kind: "decision",
    decision: aDecision([aResult(), aResult({ rule: "not-quarantined", exceptionsBy: [] })]),
    reopened: null,
    service,
  });
  expect(commands(firm).some((command) => command.includes("break-glass"))).toBe(false);
  expect(
    why({ kind: "decision", decision: aDecision([aResult({ outcome: "unknown", message: "no test report" })]), reopened: null, service })
      .because[0]?.says,
  ).toBe("unknown: no test report");
});

test("an allowance says what would have denied it, and when it can't be relied on any more", () => {
  const relieved = why({ kind: "decision", decision: aDecision([aResult({ relievedBy: "bg_1" })], "warn"), reopened: null, service });
  expect(relieved).toMatchObject({ state: "done", because: [{ says: "1 of 12 tests failed; it goes on by bg_1" }] });
  expect(relieved.summary).toContain("1 rule would have denied it: tests-passed");
  const reopened = why({ kind: "decision", decision: aDecision([], "allow"), reopened: "the scan was revoked", service });
  expect(reopened).toMatchObject({ because: [{ name: "re-opened" }], unblock: [{ who: service.owner }] });
});

test("a release waits: for approval, window and freeze, its turn, its canary, its owner", () => {
  const approval = {
    gate: "production-approval" as const,
    because: "an approval of plan sha256:p",
    unblockedBy: `a member of group:default/team-a, except ${ada}: cairn approve rel-orders-production-1`,
    until: null,
  };
  const opens = new Date("2026-03-02T08:00:00Z");
  const window = {
    gate: "windows" as const,
    because: "window office hours",
    unblockedBy: `time: it may begin at ${opens.toISOString()}; whoever declared a freeze may end it: cairn windows`,
    until: opens,
  };
  const held = why(ofRelease({}, { gate: { heldBy: [approval, window], openBy: [] } }));
  expect(held).toMatchObject({
    state: "waits",
    summary: "It waits for an approval of plan sha256:p, and for window office hours",
    until: null,
  });
  expect(held.unblock[0]).toEqual({
    who: `a member of group:default/team-a, except ${ada}`,
    what: "does it",
    command: "cairn approve rel-orders-production-1",
  });
  expect(commands(held)).toContain("cairn break-glass open -s orders -e production -r production-approval windows -f 1h -b REASON");
  expect(names(held)).toEqual(["gate production-approval", "gate windows"]);
  expect(why(ofRelease({}, { gate: { heldBy: [window], openBy: [] } })).until).toEqual(opens);
  expect(why(ofRelease({}, { before: "rel-0" }))).toMatchObject({ state: "waits", unblock: [{ command: "cairn why rel-0" }] });
  const rolling = why(
    ofRelease({ state: "rolling_out", percent: 10, because: "healthy" }, { endsWhen: ["Passes the step when ..."], stepEndsAt: opens }),
  );
  expect(rolling).toMatchObject({ state: "waits", until: opens, because: [{ says: "Passes the step when ..." }] });
  expect(commands(rolling)).toContain("cairn rollback rel-orders-production-1 -b REASON");
  const owner = why(ofRelease({ state: "held", percent: 10, because: "unknown: no request" }));
  expect(commands(owner)).toEqual(["cairn go-on rel-orders-production-1 -b REASON", "cairn rollback rel-orders-production-1 -b REASON"]);
  expect(why(ofRelease({}, { run: { id: "deliver-1", step: "infrastructure for production", detail: "" } }))).toMatchObject({
    state: "under_way",
    unblock: [{ command: 'cairn why "deliver-1"' }],
  });
});

test("a release that has ended says how, by what, and what to do", () => {
  const refused = why(ofRelease({ state: "refused", because: "tests-passed" }, {}, aDecision([aResult()])));
  expect(refused).toMatchObject({ state: "refused", because: [{ kind: "rule", name: "tests-passed" }] });
  expect(commands(refused)[0]).toContain("cairn exceptions grant");
  expect(why(ofRelease({ state: "refused", because: "its secrets are missing" })).because[0]?.says).toBe("its secrets are missing");
  expect(why(ofRelease({ state: "rolled_back", because: "worse", previous: "rel-0" })).because[0]?.says).toContain("rel-0");
  expect(commands(why(ofRelease({ state: "failed", because: "out of disk" })))).toEqual(["cairn deliver orders"]);
  expect(why(ofRelease({ state: "superseded", because: "rel-2 serves" })).state).toBe("done");
  const promoted = why(
    ofRelease(
      { state: "promoted", because: "not worse" },
      { gate: { heldBy: [], openBy: ["approved by user:default/bob"] } },
      null,
      "the scan was revoked",
    ),
  );
  expect(names(promoted)).toEqual(["gate passed", "fact re-opened"]);
});

const aPlan = (over: Partial<Plan> = {}): Plan => ({
  kind: "create-service",
  about: "component:default/orders",
  title: "Create orders",
  basis: { name: "free", policies: "sha256:1" },
  changes: [],
  cost: { monthly: 0, currency: "EUR", unknown: [] },
  decisions: [],
  rollout: [],
  unknowns: [],
  rollback: "",
  payload: {},
  ...over,
});
const ofPlan = (over: Partial<Extract<WhyFacts, { kind: "plan" }>> = {}): WhyFacts => ({
  kind: "plan",
  digest: "sha256:p",
  plan: aPlan(),
  state: "open",
  run: null,
  differing: [],
  owner: service.owner,
  inner: null,
  ...over,
});

test("a plan: waits to be applied, is stale and by what, is denied and by what", () => {
  expect(commands(why(ofPlan()))).toEqual(["cairn apply sha256:p"]);
  for (const state of ["open", "stale"] as const)
    expect(why(ofPlan({ state, differing: ["policies"] }))).toMatchObject({
      state: "refused",
      summary: "What it was made on has changed: policies",
      because: [{ says: "was sha256:1 when the plan was made" }],
    });
  const decisions = ["dev", "production"].map((environment) => ({
    point: "plan",
    environment,
    outcome: "deny" as const,
    results: [aResult(), aResult({ rule: "mild", mode: "warn" }), aResult({ rule: "let", relievedBy: "exc_1" })],
  }));
  const denied = why(ofPlan({ plan: aPlan({ decisions }) }));
  expect(denied).toMatchObject({ state: "refused", summary: "1 rule denied it: tests-passed" });
  expect(denied.because.map(({ says }) => says)).toEqual(["1 of 12 tests failed (in dev)", "1 of 12 tests failed (in production)"]);
  expect(commands(why(ofPlan({ state: "applied", run: "create-1" })))).toEqual(['cairn why "create-1"']);
  const inner = why(ofRelease({}, { before: "rel-0" }));
  expect(why(ofPlan({ plan: aPlan({ kind: "deliver" }), inner }))).toMatchObject({ subject: { kind: "plan" }, summary: inner.summary });
});

const aStep = (over: Partial<WorkflowStep> = {}): WorkflowStep => ({
  name: "plan production",
  position: 0,
  state: "running",
  detail: "",
  waitsFor: null,
  attempts: 1,
  rounds: 1,
  childRun: null,
  startedAt: at,
  endedAt: null,
  ...over,
});
const aRun = (over: Partial<WorkflowRunWithSteps> = {}): WorkflowRunWithSteps => ({
  id: "deliver-orders-1",
  workflow: "deliver commit",
  about: "component:default/orders",
  startedBy: ada,
  parent: null,
  state: "running",
  currentStep: "plan production",
  error: null,
  cancelled: null,
  output: null,
  createdAt: at,
  updatedAt: at,
  endedAt: null,
  steps: [aStep()],
  ...over,
});

test("a run: what its step waits for, in the words of what it works on, and how it failed", () => {
  const waits = why({
    kind: "run",
    run: aRun({
      state: "waiting",
      steps: [aStep({ state: "waiting", waitsFor: "its review by somebody else: cairn break-glass review bg_1" })],
    }),
    inner: null,
  });
  expect(waits).toMatchObject({
    state: "waits",
    unblock: [{ who: "its review by somebody else", command: "cairn break-glass review bg_1" }],
  });
  const inner = why(ofRelease({ state: "held", percent: 10, because: "unknown: no request" }));
  const within = why({ kind: "run", run: aRun(), inner });
  expect(within).toMatchObject({ state: "waits", subject: { kind: "run" }, unblock: inner.unblock });
  expect(within.summary).toMatch(/^In the step plan production: it is held at 10 %/);
  expect(why({ kind: "run", run: aRun({ steps: [aStep({ detail: "database create", attempts: 2 })] }), inner: null }).because).toHaveLength(
    2,
  );
  expect(why({ kind: "run", run: aRun({ steps: [], currentStep: null }), inner: null }).state).toBe("under_way");
  expect(why({ kind: "run", run: aRun({ state: "rolling_back" }), inner: null }).summary).toBe("It undoes what it had done");
  const error = { code: "workflows.build_failed", message: "CI failed: exit 1", next: "Its log: cairn runs show x. Mend it." };
  const failed = why({
    kind: "run",
    run: aRun({
      state: "rolled_back",
      error,
      steps: [aStep({ name: "claim the name", state: "rolled_back" }), aStep({ state: "failed", detail: "exit 1" })],
    }),
    inner: null,
  });
  expect(failed).toMatchObject({ state: "failed", summary: "CI failed: exit 1", unblock: [{ command: "cairn runs show x" }] });
  expect(names(failed)).toEqual(["step plan production", "fact workflows.build_failed", "fact rolled back"]);
  expect(why({ kind: "run", run: aRun({ state: "success" }), inner: null }).state).toBe("done");
});

test("a break-glass: open until, waits for another's review, reviewed", () => {
  const glass: BreakGlass = {
    id: "bg_1",
    service: "orders",
    environment: null,
    rules: ["*"],
    because: "down",
    openedBy: ada,
    openedAt: at,
    until: at,
    witnesses: [],
    closed: null,
    followUpSince: null,
    review: null,
  };
  const owner = service.owner;
  expect(why({ kind: "break-glass", glass, state: "open", owner })).toMatchObject({
    state: "under_way",
    until: at,
    because: [{}, { says: "there was no second person to tell" }],
  });
  const review = why({ kind: "break-glass", glass, state: "to_review", owner });
  expect([review.state, review.unblock[0]?.who, commands(review)]).toEqual([
    "waits",
    `a member of ${owner}, or an administrator, except ${ada}`,
    ["cairn break-glass review bg_1 -b FINDING"],
  ]);
  expect(
    why({ kind: "break-glass", glass: { ...glass, review: { by: bob, at, because: "fine" } }, state: "reviewed", owner }).summary,
  ).toBe(`It was reviewed by ${bob}: fine`);
});
