import { evidenceFacts } from "../evidence/facts.ts";
import type { Evidence } from "../evidence/model.ts";
import type { ChangeRequest } from "../forge/contract.ts";
import type { InfraPlan } from "../infra/contract.ts";
import type { PolicySubject } from "../policy/model.ts";
import type { EnvironmentDefinition } from "../releases/environments.ts";
import { quarantined } from "../releases/quarantine.ts";
import type { Finding } from "../runtime/contract.ts";
import { ownerExists, rotationOf } from "./owners.ts";
import type { Parts } from "./parts.ts";
import type { RepositoryFacts } from "./read-repository.ts";
import { changeFacts, infrastructureFacts, policySubject } from "./subject.ts";

/** What is released, or runs. */
export interface Released {
  service: string;
  environment: Pick<EnvironmentDefinition, "name" | "production" | "mode">;
  repository: string;
  commit: string;
  /** The change request that brought the commit; null where the forge knows none. */
  change: ChangeRequest | null;
  artifactDigest: string;
  /** Of the artifact. */
  evidence: readonly Evidence[];
  manifests: Record<string, unknown>[];
  infrastructure?: InfraPlan;
  /** What the runtime found of what serves, where it was asked. */
  findings?: readonly Finding[];
}

/** The facts of a release, as they are at this moment: the same for what is about to be released and for what runs. */
export async function releaseSubject(
  { db, environments }: Pick<Parts, "db" | "environments">,
  point: "release" | "rollback" | "audit",
  facts: RepositoryFacts,
  { service, environment, repository, commit, change, artifactDigest, evidence, manifests, infrastructure, findings }: Released,
  now: Date,
): Promise<PolicySubject> {
  const barred = await quarantined(db, service, artifactDigest);
  return policySubject(facts, {
    point,
    environment: { name: environment.name, production: environment.production, mode: environment.mode },
    repository,
    ownerExists: await ownerExists(db, facts.owner ?? ""),
    rotation: await rotationOf(db, facts.owner ?? ""),
    change: change && changeFacts(change),
    commit,
    artifactDigest,
    quarantine: { quarantined: barred !== undefined, by: barred?.release ?? barred?.by ?? "", because: barred?.because ?? "" },
    evidence: evidenceFacts(evidence, now, { repository, commit }),
    manifests,
    scanRules: environments.tiers[facts.tier].evidence.scan,
    findings: findings ? findings.map(({ kind, subject, detail }) => ({ kind, subject, detail })) : null,
    infrastructure: infrastructure ? infrastructureFacts(infrastructure) : null,
  });
}
