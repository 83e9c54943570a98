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
    change?: PolicySubject["change"];
    commit?: string;
    artifactDigest?: string;
    evidence?: PolicySubject["evidence"];
    manifests: Record<string, unknown>[];
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
    evidence: known.evidence ?? null,
    workload: (facts.intent as Record<string, unknown> | null) ?? null,
    manifests: known.manifests,
    slo: { present: facts.slo.present, edited: facts.slo.edited },
    runbook: facts.runbook,
    infrastructure: known.infrastructure ?? null,
  };
}
