import type { ChangeRequest } from "../forge/contract.ts";
import { speaksFor } from "../forge/merge-rule.ts";
import type { InfraPlan } from "../infra/contract.ts";
import type { PolicySubject } from "../policy/model.ts";
import type { RepositoryFacts } from "./read-repository.ts";

/** The facts that rules judge, from what is known at a point. What the point does not know stays null: unknown, not absent. */
export function policySubject(
  facts: RepositoryFacts,
  known: {
    point: PolicySubject["point"];
    environment?: PolicySubject["environment"];
    repository: string | null;
    ownerExists: boolean;
    /** Name of the rotation of the owning group; what the descriptor names goes before it. */
    rotation: string | null;
    change?: PolicySubject["change"];
    commit?: string;
    artifactDigest?: string;
    quarantine?: PolicySubject["quarantine"];
    evidence?: PolicySubject["evidence"];
    manifests: Record<string, unknown>[];
    scanRules?: PolicySubject["scanRules"];
    findings?: PolicySubject["findings"];
    infrastructure?: PolicySubject["infrastructure"];
  },
): PolicySubject {
  return {
    point: known.point,
    environment: known.environment ?? null,
    service: {
      name: facts.name ?? known.repository ?? "",
      tier: facts.tier,
      lifecycle: facts.lifecycle,
      owner: facts.owner ?? "",
      ownerExists: known.ownerExists,
      repository: known.repository,
    },
    change: known.change ?? null,
    commit: known.commit ?? null,
    artifact: known.artifactDigest ? { digest: known.artifactDigest } : null,
    quarantine: known.quarantine ?? null,
    evidence: known.evidence ?? null,
    workload: (facts.intent as Record<string, unknown> | null) ?? null,
    manifests: known.manifests,
    slo: { present: facts.slo.present, edited: facts.slo.edited },
    runbook: facts.runbook,
    alertRoute: facts.alertRoute,
    onCall: { rotation: facts.onCall.rotation ?? known.rotation },
    scanRules: known.scanRules ?? null,
    findings: known.findings ?? null,
    infrastructure: known.infrastructure ?? null,
  };
}

/** What rules see of a change request. An approval counts for the head and the result of merging it that it was given for; whoever took part in it, or made the token that approved it and took part, has not approved it. */
export const changeFacts = (change: ChangeRequest): PolicySubject["change"] => ({
  number: change.number,
  author: change.author,
  approvedBy: change.approvals.filter((approval) => speaksFor(approval, change)).map(({ by }) => by),
  mergeCommit: change.mergeCommit,
});

/** What rules see of a plan of infrastructure. */
export function infrastructureFacts({ resources, cost }: InfraPlan): PolicySubject["infrastructure"] {
  const count = (action: string) => resources.filter((resource) => resource.action === action).length;
  return {
    creates: count("create"),
    updates: count("update"),
    deletes: count("delete"),
    resources: resources.map(({ address, type, action, properties }) => ({ address, type, action, properties })),
    monthlyCost: cost.monthly,
    currency: cost.currency,
  };
}

/**
 * The facts of a change: what merging a commit, or a checkout as it lies there, would bring. It speaks of the environment that it matters most for: the last
 * one of its route. `change` is null where there is no change request yet.
 */
export function changeSubject(
  facts: RepositoryFacts,
  {
    environments,
    manifestsFor,
    ...known
  }: {
    environments: readonly NonNullable<PolicySubject["environment"]>[];
    /** The rendered objects for an environment. */
    manifestsFor: (environment: string) => Record<string, unknown>[];
    repository: string | null;
    ownerExists: boolean;
    rotation: string | null;
    change: PolicySubject["change"];
    commit?: string;
  },
): PolicySubject {
  const last = environments.findLast(({ name }) => facts.contract?.environments.includes(name));
  return policySubject(facts, {
    ...known,
    point: "change",
    environment: last ? { name: last.name, production: last.production, mode: last.mode } : null,
    manifests: last && facts.intent && facts.name ? manifestsFor(last.name) : [],
  });
}

/** The reference of an owner that may be written short. */
export const ownerRef = (owner: string): string => (owner.includes(":") ? owner : `group:default/${owner}`).toLowerCase();
