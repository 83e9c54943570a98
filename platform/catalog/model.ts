import { z } from "zod";

/** Kubernetes' and Backstage's rule for names together: a DNS label that begins with a letter. */
export const serviceName = z
  .string()
  .max(63)
  .regex(
    /^[a-z]([a-z0-9-]*[a-z0-9])?$/,
    "lower-case letters, digits and hyphens; begins with a letter, does not end in a hyphen; at most 63 characters",
  );

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

const DependencyType = z.enum(["runtime", "build", "data"]);
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
      links: z
        .array(z.object({ url: z.string(), title: z.string().optional(), icon: z.string().optional(), type: z.string().optional() }))
        .optional(),
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
  /** What it is written in, where its descriptor says so. */
  language: string | null;
  repository: string | undefined;
  source: "registered" | "descriptor";
  createdAt: Date;
}

/** Annotations by which a service registered by hand keeps what a descriptor has no field for. */
export const REPOSITORY_URL_ANNOTATION = "cairn.dev/repository-url";
export const LANGUAGE_ANNOTATION = "cairn.dev/runtime";
export const ONCALL_ANNOTATION = "cairn.dev/oncall-rotation";

/** Whether PostgreSQL can keep a text: without NUL, and whole characters only. */
export const storable = (text: string): boolean => !text.includes("\0") && text.isWellFormed();
const textUpTo = (characters: number) => z.string().max(characters).refine(storable, "holds a NUL or half a character");

/** A service as POST /services takes it. */
export const ServiceInput = Service.omit({ created_at: true }).extend({
  owner_team: textUpTo(200).min(1),
  description: textUpTo(2000).default(""),
  lifecycle: Lifecycle.default("experimental"),
  repository_url: textUpTo(2000).default(""),
  documentation_url: textUpTo(2000).nullish(),
  oncall_rotation: textUpTo(200).nullish(),
});
export type ServiceInput = z.infer<typeof ServiceInput>;

/** What is wrong with a document, and where. */
export const Finding = z.object({ where: z.string(), message: z.string() });
export type Finding = z.infer<typeof Finding>;

const GraphRelation = z.object({ source: z.string(), type: z.string(), target: z.string() });

/** What a descriptor's change does to the catalog's graph. */
export const GraphDiff = z.object({
  added: z.array(z.string()),
  removed: z.array(z.string()),
  changed: z.array(z.object({ ref: z.string(), fields: z.array(z.string()) })),
  relationsAdded: z.array(GraphRelation),
  relationsRemoved: z.array(GraphRelation),
});
export type GraphDiff = z.infer<typeof GraphDiff>;

/** Something observed about an entity: the newest observation of its key. */
export const Fact = z.object({ key: z.string(), value: z.unknown(), observedAt: z.coerce.date() });
export type Fact = z.infer<typeof Fact>;

/** ServiceView as the API gives it. */
export const ServiceSummary = z.object({
  ref: z.string(),
  name: z.string(),
  description: z.string(),
  owner: z.string(),
  ownerExists: z.boolean(),
  tier: Tier,
  lifecycle: Lifecycle,
  language: z.string().nullable(),
  repository: z.string().nullable(),
  source: z.enum(["registered", "descriptor"]),
  createdAt: z.coerce.date(),
});
export type ServiceSummary = z.infer<typeof ServiceSummary>;

const ServiceDependency = Dependency.extend({
  /** True where a descriptor says so; false where it was added by hand. */
  declared: z.boolean(),
});

export const ServiceDetail = z.object({
  service: ServiceSummary,
  entity: Entity,
  facts: z.array(Fact),
  dependencies: z.array(ServiceDependency),
  dependents: z.array(ServiceDependency),
});
export type ServiceDetail = z.infer<typeof ServiceDetail>;

const Member = z.object({ ref: z.string(), displayName: z.string() });

/** A team. */
export const GroupView = z.object({
  ref: z.string(),
  name: z.string(),
  title: z.string(),
  description: z.string(),
  members: z.array(Member),
  /** How many services it owns. */
  services: z.number().int(),
});
export type GroupView = z.infer<typeof GroupView>;

export const OrganisationLoaded = z.object({ created: z.array(z.string()), updated: z.array(z.string()), unchanged: z.array(z.string()) });
export type OrganisationLoaded = z.infer<typeof OrganisationLoaded>;
