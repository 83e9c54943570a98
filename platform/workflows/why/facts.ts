import { requireOwner, serviceRef } from "../../catalog/store.ts";
import { serviceView } from "../../catalog/views.ts";
import { find as findCiRun, list as ciRuns } from "../../ci/store.ts";
import { reopenedBecause } from "../../evidence/citations.ts";
import type { ChangeReview } from "../../forge/model.ts";
import { groupRef } from "../../identity/access.ts";
import { findIncident } from "../../incidents/store.ts";
import type { Digest } from "../../kernel/digest.ts";
import { isFault } from "../../kernel/faults.ts";
import type { Db } from "../../kernel/sql.ts";
import { events } from "../../ledger/store.ts";
import type { WorkflowRunWithSteps } from "../../orchestrator/model.ts";
import { run as findRun, runs } from "../../orchestrator/store.ts";
import { differing } from "../../plans/staleness.ts";
import { find as findPlan, type KeptPlan } from "../../plans/store.ts";
import { stateAt } from "../../policy/break-glass.ts";
import { findBreakGlass } from "../../policy/break-glass-store.ts";
import { find as findDecision } from "../../policy/store.ts";
import { gateOfRelease } from "../../releases/gate-store.ts";
import type { Release } from "../../releases/model.ts";
import { find as findRelease, releases, rounds, rulesOf, underWay } from "../../releases/store.ts";
import { whatEndsIt } from "../../releases/what-ends-it.ts";
import { payloadOf } from "../create-service.ts";
import { nothingToExplain } from "../faults.ts";
import { suspectsFor } from "../incident-suspects.ts";
import type { Parts } from "../parts.ts";
import { deletionBasis, type DeletionPayload } from "../plan-deletion.ts";
import { serviceBasis } from "../plan-service.ts";
import { explain } from "./explain.ts";
import type { Place, QueuedRun, ServiceOf, Why } from "./model.ts";

export type WhyParts = Parts & {
  /** A change request with who owns its code, as somebody who asks to merge it sees it. */
  review: (repository: string, number: number, viewer: string) => Promise<ChangeReview>;
};

/** Answers "why?" of anything that has an id, or of a service: of what it does now. Throws `workflows.nothing_to_explain`. */
export async function why(parts: WhyParts, subject: string, viewer: string): Promise<Why> {
  const { db, clock } = parts;
  const change = /^([a-z][a-z0-9-]*)[/#](\d{1,9})$/.exec(subject);
  if (change) return whyChange(parts, change[1] ?? "", Number(change[2]), viewer);
  if (/^sha256:[0-9a-f]{64}$/.test(subject)) return whyPlan(parts, subject as Digest);
  if (subject.startsWith("dec_")) return whyDecision(parts, subject);
  if (subject.startsWith("bg_")) {
    const glass = await findBreakGlass(db, subject);
    return explain({ kind: "break-glass", glass, state: stateAt(glass, clock.now()), owner: (await serviceOf(db, glass.service)).owner });
  }
  if (subject.startsWith("inc_")) {
    const incident = await findIncident(db, subject);
    const [suspect = null] = await suspectsFor(db, incident);
    const owner = incident.service === null ? "the administrators" : (await serviceOf(db, incident.service)).owner;
    return explain({ kind: "incident", incident, suspect, owner });
  }
  // Ids of releases, runs and CI runs are made of facts, and a service may be named like one: whatever has the id, answers.
  const release = await known(findRelease(db, subject));
  if (release) return whyRelease(parts, release);
  const run = await known(findRun(db, subject));
  if (run) return whyRun(parts, run);
  const ciRun = await known(findCiRun(db, subject));
  if (ciRun) return explain({ kind: "ci-run", ...(await queued(db, ciRun)) });
  return whyService(parts, subject, viewer);
}

async function whyChange({ db, review }: WhyParts, repository: string, number: number, viewer: string): Promise<Why> {
  const change = await review(repository, number, viewer);
  const [ci] = (await ciRuns(db, { repository, commit: change.head, limit: 10 })).filter(({ purpose }) => purpose === "change");
  return explain({ kind: "change", change, ci: ci ? await queued(db, ci) : null });
}

async function whyDecision({ db }: WhyParts, id: string): Promise<Why> {
  const decision = await findDecision(db, id);
  const service = await serviceOf(db, decision.about.replace(/^component:default\//, ""));
  return explain({ kind: "decision", decision, reopened: (await reopenedBecause(db, id)) ?? null, service });
}

async function whyRelease({ db }: WhyParts, release: Release): Promise<Why> {
  const decision = release.decision === null ? undefined : await known(findDecision(db, release.decision));
  const reopened = release.decision === null ? undefined : await reopenedBecause(db, release.decision);
  return explain({
    kind: "release",
    release,
    decision: decision ?? null,
    reopened: reopened ?? null,
    service: await serviceOf(db, release.service),
    at: await placeOf(db, release),
  });
}

async function placeOf(db: Db, release: Release): Promise<Place> {
  const gate = await gateOfRelease(db, release.id);
  const [rules, [last]] = [await rulesOf(db, release.id), await rounds(db, release.id, 1)];
  const before = release.state === "planned" ? await underWay(db, release.service, release.environment) : undefined;
  const carrier = release.endedAt === null || release.state === "failed" ? await runOf(db, release, gate?.run) : undefined;
  const step = carrier?.steps.find(({ name }) => name === carrier.currentStep);
  return {
    gate: gate ? { heldBy: gate.heldBy, openBy: gate.openBy } : null,
    before: before && before.id !== release.id ? before.id : null,
    endsWhen: whatEndsIt(release, rules, last),
    stepEndsAt: last?.stepEndsAt ?? null,
    run: carrier && step ? { id: carrier.id, step: step.name, detail: step.detail } : null,
  };
}

/** The run that delivers a release: the newest about its service and for its commit. */
async function runOf(db: Db, release: Release, atGate: string | undefined): Promise<WorkflowRunWithSteps | undefined> {
  if (atGate !== undefined) return known(findRun(db, atGate));
  const begun = `deliver-${release.service}-${release.commit.slice(0, 12)}`;
  const own = (await runs(db, { about: serviceRef(release.service), limit: 100 })).find(
    ({ id, parent }) => parent === null && id.startsWith(begun),
  );
  return own && findRun(db, own.id);
}

async function whyPlan(parts: WhyParts, digest: Digest): Promise<Why> {
  const { db } = parts;
  const kept = await findPlan(db, digest);
  const { plan, state, run } = kept;
  const owner = typeof plan.payload.owner === "string" ? groupRef(plan.payload.owner) : "the owning team";
  const carried =
    plan.kind === "deliver"
      ? (await releases(db, { limit: 500, service: serviceNamed(plan.about) })).find((release) => release.plan === digest)
      : undefined;
  return explain({
    kind: "plan",
    digest,
    plan,
    state,
    run,
    differing: await changedSince(parts, kept),
    owner,
    inner: carried ? await whyRelease(parts, carried) : null,
  });
}

/** What a plan rests on that is no longer as it was: now, while it is open; when it was found stale, since then. */
async function changedSince(parts: WhyParts, { digest, plan, state }: KeptPlan): Promise<string[]> {
  if (state === "stale") {
    const found = (await events(parts.db, { about: plan.about, types: ["plans.found_stale"], newestFirst: true })).find(
      ({ data }) => data.digest === digest,
    );
    return (found?.data.differing as string[] | undefined) ?? [];
  }
  if (state === "applied") return [];
  if (plan.kind === "create-service") return differing(plan.basis, await serviceBasis(parts, payloadOf(plan)));
  return plan.kind === "decommission-service"
    ? differing(plan.basis, await deletionBasis(parts, plan.payload as unknown as DeletionPayload))
    : [];
}

async function whyRun(parts: WhyParts, run: WorkflowRunWithSteps): Promise<Why> {
  return explain({ kind: "run", run, inner: (await innerOf(parts, run)) ?? null });
}

/** What the step that a run is in works on: a run of its own, a release, a CI run. */
async function innerOf(parts: WhyParts, run: WorkflowRunWithSteps): Promise<Why | undefined> {
  const { db } = parts;
  const step = run.steps.find(({ name }) => name === run.currentStep);
  if (!step || run.state === "success") return undefined;
  const ciRun = /\/ci-runs\/([\w.-]+)/.exec(step.detail)?.[1] ?? ciRunOf(run, step.name);
  if (ciRun !== undefined) {
    const found = await known(findCiRun(db, ciRun));
    return found && explain({ kind: "ci-run", ...(await queued(db, found)) });
  }
  if (run.workflow === "roll out") {
    const release = await releaseOf(db, run.parent ?? run.id, run.about);
    return release && whyRelease(parts, release);
  }
  if (step.childRun !== null) {
    const child = await known(findRun(db, step.childRun));
    return child && whyRun(parts, child);
  }
  const release = await releaseOf(db, run.id, run.about);
  return release && release.endedAt === null ? whyRelease(parts, release) : undefined;
}

/** The CI run that a check's step waits for. */
function ciRunOf(run: WorkflowRunWithSteps, step: string): string | undefined {
  const head = /^check-([a-z0-9-]+)-\d+-([0-9a-f]{12})/.exec(run.id);
  return head && step === "build and test" ? `ci-${head[1]}-${head[2]}-change` : undefined;
}

/** The newest release that a delivery has planned. */
async function releaseOf(db: Db, delivery: string, about: string): Promise<Release | undefined> {
  const commit = /^deliver-.+-([0-9a-f]{12})(-|$)/.exec(delivery)?.[1];
  if (commit === undefined) return undefined;
  return (await releases(db, { service: serviceNamed(about), limit: 20 })).find((release) => release.commit.startsWith(commit));
}

/** What a service does now: what works on it, else what it was released by last, else what is proposed for it. */
async function whyService(parts: WhyParts, name: string, viewer: string): Promise<Why> {
  const { db, forge } = parts;
  const service = await known(serviceView(db, name));
  if (!service) throw nothingToExplain(name);
  const under = (await runs(db, { about: service.ref, limit: 50 })).find(({ endedAt, parent }) => endedAt === null && parent === null);
  if (under) return whyRun(parts, await findRun(db, under.id));
  const [open] = await forge.changes({ repository: name, state: "open" });
  const [newest] = await releases(db, { service: name, limit: 1 });
  if (newest && (!open || newest.createdAt > open.createdAt)) return whyRelease(parts, newest);
  if (open) return whyChange(parts, name, open.number, viewer);
  throw nothingToExplain(name);
}

async function queued(db: Db, run: QueuedRun["run"]): Promise<QueuedRun> {
  if (run.state !== "queued") return { run, ahead: 0 };
  const { ahead } = await db
    .selectFrom("ci_run")
    .select((eb) => eb.fn.countAll<number>().as("ahead"))
    .where("ended_at", "is", null)
    .where("created_at", "<", run.createdAt)
    .executeTakeFirstOrThrow();
  return { run, ahead };
}

const serviceNamed = (about: string): string => about.replace(/^component:default\//, "");

async function serviceOf(db: Db, name: string): Promise<ServiceOf> {
  const owner = await requireOwner(db, name).catch(() => undefined);
  return { name, owner: owner === undefined ? "an administrator" : groupRef(owner) };
}

/** What is found; undefined where there is no such thing. */
const known = async <T>(asked: Promise<T>): Promise<T | undefined> =>
  asked.catch((error: unknown) => {
    if (isFault(error) && error.kind === "not_found") return undefined;
    throw error;
  });
