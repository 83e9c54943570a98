import { z } from "zod";

/** Kubernetes' and Backstage's rule for names together: a DNS label that begins with a letter. */
export const serviceName = z
  .string()
  .max(63)
  .regex(/^[a-z]([a-z0-9-]*[a-z0-9])?$/, "lower-case letters, digits and hyphens; begins with a letter, does not end in a hyphen; at most 63 characters");

export const Tier = z.enum(["tier-1", "tier-2", "tier-3"]);
export type Tier = z.infer<typeof Tier>;

export const Lifecycle = z.enum(["experimental", "development", "production", "deprecated"]);
export type Lifecycle = z.infer<typeof Lifecycle>;

/** A service as the /services routes show it. */
export const Service = z.object({
  name: serviceName,
  description: z.string(),
  owner_team: z.string(),
  lifecycle: Lifecycle,
  repository_url: z.string(),
  documentation_url: z.string().optional(),
  oncall_rotation: z.string().optional(),
  created_at: z.iso.datetime(),
});
export type Service = z.infer<typeof Service>;

export const DependencyType = z.enum(["runtime", "build", "data"]);
export const Dependency = z.object({
  source_service: z.string(),
  target_service: z.string(),
  dependency_type: DependencyType,
  is_critical: z.boolean(),
});
export type Dependency = z.infer<typeof Dependency>;

/** A Backstage entity (descriptor) as kept: source of the format: backstage.io, "Descriptor Format of Catalog Entities". */
export const Entity = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z
    .object({
      name: z.string(),
      namespace: z.string().optional(),
      uid: z.string().optional(),
      etag: z.string().optional(),
      title: z.string().optional(),
      description: z.string().optional(),
      labels: z.record(z.string(), z.string()).optional(),
      annotations: z.record(z.string(), z.string()).optional(),
      tags: z.array(z.string()).optional(),
      links: z.array(z.object({ url: z.string(), title: z.string().optional(), icon: z.string().optional(), type: z.string().optional() })).optional(),
    })
    .loose(),
  spec: z.record(z.string(), z.unknown()).optional(),
  relations: z.array(z.object({ type: z.string(), targetRef: z.string() })).optional(),
});
export type Entity = z.infer<typeof Entity>;

/** Annotations and labels that Cairn reads in a descriptor. */
export const TIER_LABEL = "cairn.dev/tier";

/** A service for the portal and for decisions: what its descriptor says and what was noted about it. */
export interface ServiceView {
  ref: string;
  name: string;
  description: string;
  /** As written; `ownerExists` says whether the group is in the catalog. */
  owner: string;
  ownerExists: boolean;
  tier: Tier;
  lifecycle: Lifecycle;
  repository: string | undefined;
  source: "registered" | "descriptor";
  createdAt: Date;
}
