import { z } from "zod";
import type { Intent } from "./intent.ts";
import type { PatchFile } from "./patches.ts";

/** A service in one environment. */
export interface InfraTarget {
  service: string;
  environment: string;
}

const ResourceAction = z.enum(["create", "update", "delete", "none"]);

/** One thing that a plan would make, change or remove. */
export const PlannedResource = z.object({
  /** `postgres/db` : module type and the resource's name in score.yaml. */
  address: z.string(),
  type: z.string(),
  action: ResourceAction,
  /** What it will be; references, never secret values. */
  properties: z.record(z.string(), z.unknown()),
  /** Names of properties that are known only after applying. */
  unknown: z.array(z.string()),
  /** A month's cost in the price list's currency; null is unknown. */
  monthlyCost: z.number().nullable(),
  because: z.string(),
  /** Of an update: what it was. */
  before: z.record(z.string(), z.unknown()).optional(),
});
export type PlannedResource = z.infer<typeof PlannedResource>;

export const InfraPlan = z.object({
  service: z.string(),
  environment: z.string(),
  /** Digest of the intent (score.yaml, parsed) and of the recorded state that it was planned on. */
  basis: z.object({ intent: z.string(), state: z.string() }),
  resources: z.array(PlannedResource),
  /** Kubernetes objects rendered from the intent; the runtime runs these. Secrets stand in them as secretKeyRef. */
  manifests: z.array(z.record(z.string(), z.unknown())),
  cost: z.object({ monthly: z.number().nullable(), currency: z.string(), unknown: z.array(z.string()) }),
  unknowns: z.array(z.string()),
  /** Names of secrets that the workload asks for and nobody has set: it can't be released without them. */
  missingSecrets: z.array(z.string()).default([]),
});
export type InfraPlan = z.infer<typeof InfraPlan>;

/** A resource as it was last recorded. `creating`, `updating` and `deleting` are what a crash interrupted. */
export const ResourceState = z.object({
  address: z.string(),
  type: z.string(),
  state: z.enum(["creating", "ready", "updating", "deleting"]),
  properties: z.record(z.string(), z.unknown()),
});
export type ResourceState = z.infer<typeof ResourceState>;

/** What was done to a resource. `retained`: taken away from the service, but kept under the name in `detail`, since it held data. */
export const AppliedResource = z.object({
  address: z.string(),
  result: z.enum(["created", "updated", "unchanged", "deleted", "retained"]),
  detail: z.string(),
});
export type AppliedResource = z.infer<typeof AppliedResource>;

/** Makes real what a plan says. Each call may be repeated after a crash: what is done already stays as it is. */
export interface Infra {
  /** What `intent` (score.yaml, parsed) would change in an environment. `owner` is a group's name or reference; patches come from k8s/. Changes nothing. */
  plan(order: { service: string; environment: string; owner: string; intent: Intent; patches?: readonly PatchFile[] }): Promise<InfraPlan>;
  /** Creates and updates, before a rollout. Throws `infra.plan_stale` when a resource is no longer as the plan found it. */
  apply(plan: InfraPlan, actor: string): Promise<AppliedResource[]>;
  /** Undoes what applying a plan has done, all of it or a part, while nothing rests on it yet: what it created is removed, what it updated is as before. */
  takeBack(plan: InfraPlan, actor: string): Promise<AppliedResource[]>;
  /** Carries out the plan's deletions, once nothing that uses the resources runs any more; versions of secrets that nothing refers to go too. A database that holds tables is kept under another name, unless `dropData`. */
  applyDeletes(plan: InfraPlan, actor: string, options?: { dropData?: boolean }): Promise<AppliedResource[]>;
  /** Removes all of a service in an environment, in the same way. */
  destroy(target: InfraTarget, actor: string, options?: { dropData?: boolean }): Promise<AppliedResource[]>;
  resources(target: InfraTarget): Promise<ResourceState[]>;
  /** Keys of the secrets that people have set, as far as what was promoted last refers to them; undefined where nothing was released that asks for any. */
  usedSecrets(target: InfraTarget): Promise<string[] | undefined>;
}
