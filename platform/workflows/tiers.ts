import { TIER_LABEL, Tier } from "../catalog/model.ts";
import { strictest } from "../catalog/tiers.ts";
import { serviceView } from "../catalog/views.ts";
import type { Forge } from "../forge/contract.ts";
import { DEFAULT_BRANCH } from "../forge/model.ts";
import { isFault } from "../kernel/faults.ts";
import type { Sql } from "../kernel/sql.ts";
import { componentOf } from "./read-repository.ts";

/**
 * The tier that a head of a change request is judged by: the strictest of what the catalog, the default branch and the head say. So a change that makes its
 * service less important is judged as what the service was, and one that makes it more important as what it becomes.
 */
export async function changeTier(db: Sql, forge: Pick<Forge, "readFile">, repository: string, head: string): Promise<Tier> {
  return strictest([
    await catalogTier(db, repository),
    await tierAt(forge, repository, DEFAULT_BRANCH),
    await tierAt(forge, repository, head),
  ]);
}

/** The tier that a commit says. What can't be read, or is no tier, counts as the strictest: unknown is not a pass. */
export async function tierAt(forge: Pick<Forge, "readFile">, repository: string, revision: string): Promise<Tier> {
  const text = await forge.readFile(repository, revision, "catalog-info.yaml");
  const component = text === undefined ? null : componentOf(text);
  if (!component) return strictest([]);
  const label = component.metadata.labels?.[TIER_LABEL];
  return label === undefined ? "tier-3" : (Tier.safeParse(label).data ?? strictest([]));
}

/** The tier in the catalog; of what it does not know the strictest. */
async function catalogTier(db: Sql, service: string): Promise<Tier> {
  try {
    return (await serviceView(db, service)).tier;
  } catch (error) {
    if (isFault(error) && error.kind === "not_found") return strictest([]);
    throw error;
  }
}
