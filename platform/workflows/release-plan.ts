import { sql } from "kysely";
import type { Tier } from "../catalog/model.ts";
import { strictest } from "../catalog/tiers.ts";
import { cite } from "../evidence/citations.ts";
import { citedEvidence } from "../evidence/facts.ts";
import { artifactOf, evidenceFor } from "../evidence/store.ts";
import type { ChangeRequest, Forge } from "../forge/contract.ts";
import { groupRef } from "../identity/access.ts";
import type { InfraPlan } from "../infra/contract.ts";
import { digestOf, type Digest } from "../kernel/digest.ts";
import { transact, type Sql } from "../kernel/sql.ts";
import { read } from "../ledger/store.ts";
import type { ApprovalWanted, Plan } from "../plans/model.ts";
import { differing } from "../plans/staleness.ts";
import { offer } from "../plans/store.ts";
import { judge } from "../policy/judge.ts";
import { denies, type Decision } from "../policy/model.ts";
import { find as findDecision, keep } from "../policy/store.ts";
import { environmentNamed } from "../releases/environments.ts";
import { rulesFor, type ArmRef, type RolloutRules } from "../releases/rollout.ts";
import { currentRelease, planRelease, refuseRelease } from "../releases/store.ts";
import type { Revision, Target } from "../runtime/contract.ts";
import { factsAt } from "./check-change.ts";
import { artifactForgotten, artifactMissing, descriptorUnusable } from "./faults.ts";
import type { Parts } from "./parts.ts";
import { reliefsFor } from "./reliefs.ts";
import { releaseSubject } from "./release-subject.ts";
import { tierAt } from "./tiers.ts";

/** What a release plan carries: all that the rollout needs, so that nothing is worked out a second time. */
export interface ReleasePayload {
  target: Target;
  owner: string;
  revision: Revision;
  /** What serves now; null for a first release. */
  baseline: ArmRef | null;
  rules: RolloutRules;
  infra: InfraPlan;
  /** The revision has all the traffic already, as the same change delivered twice: there is nothing to shift. */
  alreadyServes: boolean;
  /** Nor is there anything else that it would change, its infrastructure and the rules of its tier included: there is nothing to approve, and no window to wait for. */
  changesNothing: boolean;
  /** Where the smoke test looks. */
  smokePath: string;
  tier: Tier;
  /** Null where the tier asks for none there. */
  approval: ApprovalWanted | null;
}

export type ReleasePlan = Omit<Plan, "payload"> & { payload: ReleasePayload };

export interface Delivery {
  repository: string;
  commit: string;
  /** The change request that was merged. */
  number: number;
  /** Of a way back: the release that comes back with its artifact, and the one that it takes the place of. */
  back?: { to: string; from: string; artifact: string };
}

export interface PlannedRelease {
  release: string;
  plan: Digest;
  decision: string;
  /** What policy denies; empty when it may go on. */
  denied: string[];
  /** Secrets that it needs and nobody has set. */
  missingSecrets: string[];
}

/**
 * Plans one release and has it judged: artifact, evidence, manifests, infrastructure, traffic steps and the way back, as one document. `id` names the
 * release, so that planning it again after a crash plans the same one.
 */
export async function planOneRelease(
  parts: Parts,
  actor: string,
  id: string,
  delivery: Delivery,
  artifactDigest: string,
  environmentName: string,
): Promise<PlannedRelease> {
  const { db, clock, policies } = parts;
  const { repository, commit } = delivery;
  const before = await plannedBefore(db, id);
  if (before) return before;
  const draft = await draftRelease(parts, id, delivery, artifactDigest, environmentName);
  const { plan, subject, reliefs, judgement, evidence } = draft;
  const { target, revision, rules, infra } = plan.payload;
  return transact(db, async (tx) => {
    const decision = await keep(tx, clock, actor, { subject, bundle: policies, reliefs }, judgement);
    await cite(tx, clock, decision.id, citedEvidence(evidence, { repository, commit }));
    const digest = await offer(tx, clock, actor, plan as unknown as Plan);
    await planRelease(tx, clock, actor, {
      id,
      ...target,
      commit,
      artifactDigest,
      revision: revision.id,
      plan: digest,
      stepsPercent: rules.stepsPercent,
      decision: decision.id,
    });
    const denied = denialsOf(decision);
    const { missingSecrets } = infra;
    const because = [...missingSecrets.map((name) => `the secret ${name} is not set for ${target.environment}`), ...denied].join("; ");
    if (because !== "") await refuseRelease(tx, clock, actor, id, { decision: decision.id, because });
    return { release: id, plan: digest, decision: decision.id, denied, missingSecrets };
  });
}

/** What an execution that was cut off has planned: that holds, though things may have changed since, and the next step says so. */
async function plannedBefore(db: Sql, id: string): Promise<PlannedRelease | undefined> {
  const there = await db.selectFrom("release").select(["plan", "decision"]).where("id", "=", id).executeTakeFirst();
  if (!there?.decision) return undefined;
  const plan = there.plan as Digest;
  const { missingSecrets } = (await read<ReleasePlan>(db, plan)).payload.infra;
  return { release: id, plan, decision: there.decision, denied: denialsOf(await findDecision(db, there.decision)), missingSecrets };
}

const denialsOf = ({ outcome, results }: Pick<Decision, "outcome" | "results">): string[] =>
  outcome === "deny" ? results.filter(denies).map(({ rule, message }) => `${rule}: ${message}`) : [];

/** What would keep a kept plan from going on: what of its basis has changed since, and what policy would deny today. Empty where it may. */
export async function whatChanged(parts: Parts, id: string, kept: ReleasePlan, delivery: Delivery): Promise<string[]> {
  const { revision, target } = kept.payload;
  const { plan, judgement } = await draftRelease(parts, id, delivery, revision.artifact.digest, target.environment);
  const denied = judgement.outcome === "deny" ? judgement.results.filter(denies) : [];
  return [...differing(kept.basis, plan.basis), ...denied.map(({ rule, message }) => `rule ${rule} (${message})`)];
}

/** Works a release out: its plan, and the judgement of it, as things are now. Changes nothing. */
async function draftRelease(parts: Parts, id: string, delivery: Delivery, artifactDigest: string, environmentName: string) {
  const { db, clock, forge, infra, environments, policies } = parts;
  const { repository, commit } = delivery;
  const said = await factsAt(parts, repository, commit);
  const { name: service, intent, contract } = said;
  const owner = said.owner ?? "";
  if (!service || !intent || !contract) throw descriptorUnusable(said.problems);
  const artifact = await artifactOf(db, artifactDigest);
  if (!artifact) throw artifactMissing(artifactDigest);
  if (artifact.forgottenAt) throw artifactForgotten(artifactDigest, artifact.forgottenAt);

  const environment = environmentNamed(environments, environmentName);
  const previous = await currentRelease(db, service, environmentName);
  // Whoever makes a service less important releases that by the rules of what it was.
  const tier = strictest([said.tier, ...(previous ? [await tierAt(forge, repository, previous.commit)] : [])]);
  const facts = { ...said, tier };
  const demands = environment.production ? environments.tiers[tier] : null;
  const target: Target = { service, environment: environmentName };
  const infraPlan = await infra.plan({ ...target, owner, intent, patches: facts.patches });
  const configuration = { artifact: artifactDigest, start: contract.start, manifests: infraPlan.manifests };
  const revision: Revision = {
    id: digestOf(configuration).slice("sha256:".length, "sha256:".length + 12),
    target,
    artifact: { digest: artifactDigest, path: artifact.path },
    start: contract.start,
    manifests: infraPlan.manifests,
    release: id,
  };
  const serves = await servingNow(parts, target);
  const alreadyServes = serves?.revision === revision.id;
  const changesNothing = alreadyServes && tier === said.tier && infraPlan.resources.every(({ action }) => action === "none");
  const approval: ApprovalWanted | null =
    demands?.productionApproval.by === "other-than-author" && !delivery.back && !changesNothing
      ? { owner: groupRef(owner), authors: await authorsOf(forge, repository, commit, previous?.commit) }
      : null;
  const serving = alreadyServes ? null : serves;
  const usual = rulesFor(environments, {
    environment: environmentName,
    tier,
    hasBaseline: serving !== null,
    slowSeconds: facts.slo.present ? facts.slo.slowSeconds : null,
  });
  // What served before was judged then, and what it replaces is what somebody wants to be rid of: it has all traffic as soon as it is healthy.
  const rules = delivery.back ? { ...usual, judgedBy: "smoke" as const, stepsPercent: [100] } : usual;
  const change: ChangeRequest = await forge.change(repository, delivery.number);
  const evidence = await evidenceFor(db, artifactDigest);
  const now = clock.now();
  const released = { service, environment, repository, commit, change, artifactDigest, evidence, manifests: infraPlan.manifests };
  const subject = await releaseSubject(
    parts,
    delivery.back ? "rollback" : "release",
    facts,
    { ...released, infrastructure: infraPlan },
    now,
  );
  const reliefs = await reliefsFor(db, service, now);
  const judgement = judge(subject, policies, now, reliefs);
  const plan: ReleasePlan = {
    kind: "deliver",
    about: `component:default/${service}`,
    title: delivery.back
      ? `Bring ${delivery.back.to} of ${service} back to ${environmentName}`
      : `Release ${service} to ${environmentName}`,
    basis: {
      commit,
      artifact: artifactDigest,
      infrastructure: infraPlan.basis.state,
      policies: policies.digest,
      environments: environments.digest,
      serves: serves?.revision ?? "none",
      tier,
    },
    changes: [
      {
        kind: "release",
        action: previous ? "update" : "create",
        id: `${service}/${environmentName}`,
        environment: environmentName,
        detail: `artifact ${artifactDigest}, revision ${revision.id}`,
      },
      ...infraPlan.resources.map((resource) => ({
        kind: "resource" as const,
        action: resource.action,
        id: resource.address,
        environment: environmentName,
        detail: resource.because,
      })),
    ],
    cost: infraPlan.cost,
    decisions: [{ point: judgement.point, environment: environmentName, outcome: judgement.outcome, results: judgement.results }],
    rollout: [
      {
        environment: environmentName,
        stepsPercent: rules.stepsPercent,
        gates: [
          ...(approval ? ["approval by someone other than the author"] : []),
          ...(delivery.back || changesNothing ? [] : (demands?.windows ?? [])),
          rules.judgedBy === "canary" ? "canary" : rules.judgedBy === "first" ? "health (no baseline)" : "smoke test",
        ],
      },
    ],
    unknowns: infraPlan.unknowns,
    rollback: serving
      ? `All traffic goes back to revision ${serving.revision}, which runs on until this one is promoted.`
      : "The revision is stopped; nothing served before.",
    payload: {
      target,
      owner,
      revision,
      baseline: serving,
      rules,
      infra: infraPlan,
      alreadyServes,
      changesNothing,
      smokePath: probePath(infraPlan.manifests),
      tier,
      approval,
    },
  };

  return { plan, subject, reliefs, judgement, evidence };
}

/**
 * Everyone who took part in what a release brings: in each change that was merged after what serves now, up to its own commit. What an earlier delivery did not
 * bring to the environment comes with this one.
 */
export async function authorsOf(
  forge: Pick<Forge, "changes">,
  repository: string,
  commit: string,
  serving: string | undefined,
): Promise<string[]> {
  const merged = (await forge.changes({ repository, state: "merged" })).toSorted(
    (a, b) => (a.mergedAt?.getTime() ?? 0) - (b.mergedAt?.getTime() ?? 0) || a.number - b.number,
  );
  const at = (which: string | undefined) => merged.findIndex(({ mergeCommit }) => mergeCommit === which);
  const last = at(commit) === -1 ? merged.length - 1 : at(commit);
  // The same commit again brings what it brought before.
  const brought = merged.slice(Math.min(at(serving) + 1, last), last + 1);
  return [...new Set(brought.flatMap(({ author, pushedBy }) => [author, ...pushedBy]))].sort();
}

/** What a release's plan rests on: the revision that has the traffic. */
export const servesNow = async (parts: Pick<Parts, "runtime">, at: Target): Promise<string> =>
  (await servingNow(parts, at))?.revision ?? "none";

/** The revision that has the traffic, as the runtime says: that is what a canary is compared with. */
async function servingNow({ runtime }: Pick<Parts, "runtime">, at: Target): Promise<ArmRef | null> {
  const known = (await runtime.targets()).some((other) => other.service === at.service && other.environment === at.environment);
  if (!known) return null;
  const { readings } = await runtime.observe(at);
  const serving = readings.filter((reading) => reading.weightPercent > 0).toSorted((a, b) => b.weightPercent - a.weightPercent)[0];
  return serving ? { revision: serving.revision, artifactDigest: serving.artifactDigest } : null;
}

/** The commit that serves there and was merged after this one, if any: of two merges at once the older must not end up serving. */
export async function overtakenBy(
  db: Sql,
  { service, environment, repository, commit }: { service: string; environment: string; repository: string; commit: string },
): Promise<string | undefined> {
  const current = await currentRelease(db, service, environment);
  if (!current || current.commit === commit) return undefined;
  const merged = async (which: string) =>
    db
      .selectFrom("ledger_event")
      .select("seq")
      .where("about", "=", `repository:${repository}`)
      .where("type", "=", "forge.change_merged")
      .where(sql<boolean>`data ->> 'commit' = ${which}`)
      .executeTakeFirst();
  const [serving, mine] = [await merged(current.commit), await merged(commit)];
  return serving && mine && serving.seq > mine.seq ? current.commit : undefined;
}

/** The readiness probe's path, else the root. */
function probePath(manifests: readonly Record<string, unknown>[]): string {
  const deployment = manifests.find((manifest) => manifest.kind === "Deployment") as
    | { spec?: { template?: { spec?: { containers?: { readinessProbe?: { httpGet?: { path?: string } } }[] } } } }
    | undefined;
  return deployment?.spec?.template?.spec?.containers?.[0]?.readinessProbe?.httpGet?.path ?? "/";
}
