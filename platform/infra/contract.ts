import { z } from "zod";

export const ResourceAction = z.enum(["create", "update", "delete", "none"]);

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
});
export type InfraPlan = z.infer<typeof InfraPlan>;
