import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { canonicalJson, digestOf } from "../kernel/digest.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { keep, record } from "../ledger/store.ts";
import { checkDocuments, refOf, REPOSITORY_KINDS } from "./descriptor.ts";
import { descriptorInvalid, entityNotFound, nameHeld, ownerUnknown, serviceNameTaken, serviceNotFound } from "./faults.ts";
import {
  Lifecycle,
  ONCALL_ANNOTATION,
  REPOSITORY_URL_ANNOTATION,
  Tier,
  TIER_LABEL,
  type Entity,
  type Finding,
  type GraphDiff,
  type ServiceInput,
} from "./model.ts";
import { graphDiff } from "./graph-diff.ts";
import { ownerRefOf, relationsOf } from "./relations.ts";
import { termsOf, textOf } from "./search-terms.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    catalog_entity: {
      ref: string;
      uid: string;
      etag: string;
      kind: string;
      namespace: string;
      name: string;
      entity: Entity;
      source: Source;
      repository: string | null;
      commit: string | null;
      plan: string | null;
      orphaned_at: Date | null;
      owner_ref: string | null;
      tier: Tier;
      lifecycle: Lifecycle;
      terms: string[];
      words: string;
      created_at: Date;
      updated_at: Date;
    };
    catalog_relation: { source_ref: string; type: string; target_ref: string; declared_by: string };
    catalog_dependency: {
      source_ref: string;
      target_ref: string;
      dependency_type: "runtime" | "build" | "data";
      is_critical: boolean;
      created_at: Date;
    };
    catalog_fact: { ref: string; key: string; value: unknown; observed_at: Date };
  }
}

/** Where an entity comes from: registered by hand, claimed by a plan before its repository is there, a repository's descriptor, the organisation. */
type Source = "registered" | "claimed" | "descriptor" | "organisation";
interface Provenance {
  source: Source;
  repository?: string;
  commit?: string;
  plan?: string;
}

export const serviceRef = (name: string): string => `component:default/${name.toLowerCase()}`;

/**
 * Registers a service by hand. The database decides who gets a name, so two requests at once can't both win. An owner that the catalog does not know
 * is kept as written; `requireOwner` refuses it where something would be provisioned. Throws `catalog.service_name_taken`.
 */
export async function register(tx: Tx, clock: Clock, actor: Actor, input: ServiceInput): Promise<void> {
  const entity = entityOf(input);
  if (!(await insert(tx, clock, entity, { source: "registered" }))) throw await nameTaken(tx, input.name);
  const ref = refOf(entity);
  const plan = await keep(
    tx,
    { kind: "register-service", about: ref, changes: [{ kind: "entity", action: "create", id: ref }], entity },
    "application/vnd.cairn.plan+json",
  );
  await record(tx, clock, { type: "catalog.service_registered", about: ref, actor, data: { owner: ownerRefOf(entity), plan } });
}

export interface Claim {
  name: string;
  owner: string;
  /** The repository that may describe it. */
  repository: string;
  /** Digest of the plan that creates it. */
  plan: string;
  description?: string;
  tier?: Tier;
  lifecycle?: Lifecycle;
}

/** Takes a name for a plan before the repository is there; only that repository may describe it then. Once more with the same plan is no error. Throws `catalog.service_name_taken`. */
export async function claimName(tx: Tx, clock: Clock, actor: Actor, claim: Claim): Promise<void> {
  const entity: Entity = {
    apiVersion: "backstage.io/v1alpha1",
    kind: "Component",
    metadata: {
      name: claim.name,
      namespace: "default",
      description: claim.description ?? "",
      labels: { [TIER_LABEL]: claim.tier ?? "tier-3" },
    },
    spec: { type: "service", owner: claim.owner, lifecycle: claim.lifecycle ?? "experimental" },
  };
  const ref = refOf(entity);
  if (!(await insert(tx, clock, entity, { source: "claimed", repository: claim.repository, plan: claim.plan }))) {
    const held = await tx.selectFrom("catalog_entity").select(["plan", "repository"]).where("ref", "=", ref).executeTakeFirst();
    if (held?.plan === claim.plan && held.repository === claim.repository) return;
    throw await nameTaken(tx, claim.name);
  }
  await record(tx, clock, {
    type: "catalog.service_claimed",
    about: ref,
    actor,
    data: { owner: ownerRefOf(entity), repository: claim.repository, plan: claim.plan },
  });
}

/** Gives a name back that a plan took: for the plan's rollback. A name that it does not hold stays as it is. */
export async function releaseName(tx: Tx, clock: Clock, actor: Actor, claim: Pick<Claim, "name" | "plan">): Promise<void> {
  const ref = serviceRef(claim.name);
  const gone = await tx
    .deleteFrom("catalog_entity")
    .where("ref", "=", ref)
    .where("plan", "=", claim.plan)
    .returning("ref")
    .executeTakeFirst();
  if (gone) await record(tx, clock, { type: "catalog.claim_released", about: ref, actor, data: { plan: claim.plan } });
}

/** Takes a service out of the catalog, with all that its repository declares. Its name is free again. */
export async function removeEntities(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  { service, plan }: { service: string; plan: string },
): Promise<void> {
  const gone = await tx
    .deleteFrom("catalog_entity")
    .where((eb) => eb.or([eb("ref", "=", serviceRef(service)), eb("repository", "=", service)]))
    .returning("ref")
    .execute();
  for (const { ref } of gone.toSorted((a, b) => (a.ref < b.ref ? -1 : 1)))
    await record(tx, clock, { type: "catalog.entity_removed", about: ref, actor, data: { repository: service, plan } });
}

export interface Descriptor {
  repository: string;
  commit: string;
  documents: readonly unknown[];
}

/**
 * Takes in the descriptor of a repository's default branch, which is the truth about what it declares: it replaces what was registered by hand, and
 * what this repository declared before and no longer does is removed. A component is not removed but marked as orphaned: it may be running.
 * All or nothing. Throws `catalog.descriptor_invalid`, and `catalog.name_held` where another repository describes a name or a plan took it for another.
 */
export async function ingest(tx: Tx, clock: Clock, actor: Actor, { repository, commit, documents }: Descriptor): Promise<GraphDiff> {
  const { entities, findings } = await checkDocuments(documents, REPOSITORY_KINDS);
  if (findings.length > 0) throw descriptorInvalid(`catalog-info.yaml of ${repository}`, findings);
  const before = await tx
    .selectFrom("catalog_entity")
    .select("ref")
    .where("repository", "=", repository)
    .where("source", "=", "descriptor")
    .execute();
  const refs = [...new Set([...before.map((row) => row.ref), ...entities.map(refOf)])].sort();
  const rows =
    refs.length === 0
      ? []
      : await tx.selectFrom("catalog_entity").selectAll().where("ref", "in", refs).orderBy("ref").forUpdate().execute();
  const held = new Map(rows.map((row) => [row.ref, row]));
  const diff = graphDiff(
    rows.filter((row) => declares(repository, row)).map((row) => row.entity),
    entities,
  );
  const events: { type: string; about: string; data: Record<string, unknown> }[] = [];
  const note = (type: string, about: string, data: Record<string, unknown> = {}) =>
    events.push({ type, about, data: { repository, commit, ...data } });

  for (const entity of [...entities].sort((a, b) => (refOf(a) < refOf(b) ? -1 : 1))) {
    const ref = refOf(entity);
    const provenance: Provenance = { source: "descriptor", repository, commit };
    const now = held.get(ref);
    if (now) {
      if (!mayClaim(repository, now)) throw nameHeld(ref, repository, { repository: now.repository, owner: now.owner_ref ?? "nobody" });
      await update(tx, clock, now, entity, {
        ...provenance,
        ...(now.repository === repository && now.plan !== null && { plan: now.plan }),
      });
      if (now.source !== "descriptor" || now.repository !== repository)
        note("catalog.entity_described", ref, { replaced: now.source, owner: ownerRefOf(entity) });
      else if (now.etag !== etagOf(entity) || now.orphaned_at !== null)
        note("catalog.entity_changed", ref, { fields: diff.changed.find((change) => change.ref === ref)?.fields ?? [] });
    } else {
      // Between our look and here another may have taken it: then the database says so.
      if (!(await insert(tx, clock, entity, provenance))) throw nameHeld(ref, repository, await holderOf(tx, ref));
      note("catalog.entity_described", ref, { owner: ownerRefOf(entity) });
    }
  }
  for (const row of rows.filter(({ ref, source }) => diff.removed.includes(ref) && source === "descriptor")) {
    if (row.kind !== "component") {
      await tx.deleteFrom("catalog_entity").where("ref", "=", row.ref).execute();
      note("catalog.entity_removed", row.ref);
    } else if (row.orphaned_at === null) {
      await tx.updateTable("catalog_entity").set({ orphaned_at: clock.now() }).where("ref", "=", row.ref).execute();
      note("catalog.entity_orphaned", row.ref);
    }
  }
  for (const event of events) await record(tx, clock, { ...event, actor });
  return diff;
}

/** What `ingest` would do and refuse, for the check on a change request. Changes nothing. */
export async function examine(
  db: Sql,
  { repository, documents }: Pick<Descriptor, "repository" | "documents">,
): Promise<{ diff: GraphDiff; entities: Entity[]; refusals: Finding[]; unowned: string[] }> {
  const { entities, findings: refusals } = await checkDocuments(documents, REPOSITORY_KINDS);
  const rows = await db
    .selectFrom("catalog_entity")
    .selectAll()
    .where((eb) =>
      eb.or([eb.and([eb("repository", "=", repository), eb("source", "=", "descriptor")]), eb("ref", "in", ["", ...entities.map(refOf)])]),
    )
    .execute();
  for (const row of rows)
    if (row.repository !== repository && entities.some((entity) => refOf(entity) === row.ref) && !mayClaim(repository, row))
      refusals.push({
        where: row.ref,
        message: nameHeld(row.ref, repository, { repository: row.repository, owner: row.owner_ref ?? "nobody" }).message,
      });
  const owners = new Set(entities.flatMap((entity) => ownerRefOf(entity) ?? []));
  const known = await groupsAmong(db, [...owners]);
  return {
    diff: graphDiff(
      rows.filter((row) => declares(repository, row)).map((row) => row.entity),
      entities,
    ),
    entities,
    refusals,
    unowned: entities.filter((entity) => entity.spec?.["owner"] !== undefined && !known.has(ownerRefOf(entity) ?? "")).map(refOf),
  };
}

/** Whether a repository's descriptor declares it today. */
const declares = (repository: string, row: { source: Source; repository: string | null; orphaned_at: Date | null }): boolean =>
  row.source === "descriptor" && row.repository === repository && row.orphaned_at === null;

/** A repository may describe what it describes already, what a plan took for it, what was registered by hand, and what its last repository let go. */
function mayClaim(repository: string, held: { source: Source; repository: string | null; orphaned_at: Date | null }): boolean {
  return held.repository === repository || held.source === "registered" || (held.source === "descriptor" && held.orphaned_at !== null);
}

/**
 * Notes what was observed about an entity; of each key the newest observation is kept. What says nothing new is not recorded.
 * Throws `catalog.entity_not_found`.
 */
export async function note(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  ref: string,
  facts: Record<string, unknown>,
  observedAt = clock.now(),
): Promise<void> {
  const entity = await tx.selectFrom("catalog_entity").select("ref").where("ref", "=", ref).forShare().executeTakeFirst();
  if (!entity) throw entityNotFound(ref);
  const changed: string[] = [];
  for (const [key, value] of Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const before = await tx
      .selectFrom("catalog_fact")
      .selectAll()
      .where("ref", "=", ref)
      .where("key", "=", key)
      .forUpdate()
      .executeTakeFirst();
    const json = canonicalJson(value ?? null);
    await tx
      .insertInto("catalog_fact")
      .values({ ref, key, value: json, observed_at: observedAt })
      .onConflict((oc) =>
        oc
          .columns(["ref", "key"])
          .doUpdateSet({ value: json, observed_at: observedAt })
          .where("catalog_fact.observed_at", "<=", observedAt),
      )
      .execute();
    if (!before || (before.observed_at <= observedAt && canonicalJson(before.value) !== json)) changed.push(key);
  }
  if (changed.length > 0) {
    const data = { observedAt, facts: Object.fromEntries(changed.map((key) => [key, facts[key] ?? null])) };
    await record(tx, clock, { type: "catalog.facts_noted", about: ref, actor, data });
  }
}

/** The group that owns a service. Throws `catalog.service_not_found`, and `catalog.owner_unknown` where the owner is no group in the catalog. */
export async function requireOwner(db: Sql, service: string): Promise<string> {
  const row = await db
    .selectFrom("catalog_entity")
    .select(["owner_ref", "entity"])
    .where("ref", "=", serviceRef(service))
    .executeTakeFirst();
  if (!row) throw serviceNotFound();
  const owner = row.owner_ref;
  if (owner === null || !(await groupsAmong(db, [owner])).has(owner))
    throw ownerUnknown(service, String(row.entity.spec?.["owner"] ?? "nobody"));
  return owner;
}

/** Which of the references are groups in the catalog. */
export async function groupsAmong(db: Sql, refs: readonly string[]): Promise<Set<string>> {
  if (refs.length === 0) return new Set();
  const rows = await db
    .selectFrom("catalog_entity")
    .select("ref")
    .where("kind", "=", "group")
    .where("ref", "in", [...refs])
    .execute();
  return new Set(rows.map((row) => row.ref));
}

/** Adds an entity with its relations; false where its reference is taken: the database decides. */
export async function insert(tx: Tx, clock: Clock, entity: Entity, provenance: Provenance): Promise<boolean> {
  const row = await tx
    .insertInto("catalog_entity")
    .values({ ...columnsOf(entity, provenance), uid: randomUUID(), created_at: clock.now(), updated_at: clock.now() })
    .onConflict((oc) => oc.column("ref").doNothing())
    .returning("ref")
    .executeTakeFirst();
  if (row) await writeRelations(tx, entity);
  return row !== undefined;
}

/** Puts an entity in the place of the one of its reference, whose etag is given. */
export async function update(
  tx: Tx,
  clock: Clock,
  now: { ref: string; etag: string },
  entity: Entity,
  provenance: Provenance,
): Promise<void> {
  await tx
    .updateTable("catalog_entity")
    .set({ ...columnsOf(entity, provenance), updated_at: clock.now() })
    .where("ref", "=", now.ref)
    .execute();
  if (now.etag !== etagOf(entity)) {
    await tx.deleteFrom("catalog_relation").where("declared_by", "=", now.ref).execute();
    await writeRelations(tx, entity);
  }
}

async function writeRelations(tx: Tx, entity: Entity): Promise<void> {
  const declared_by = refOf(entity);
  const rows = relationsOf(entity).map(({ source, type, target }) => ({ source_ref: source, type, target_ref: target, declared_by }));
  if (rows.length > 0) await tx.insertInto("catalog_relation").values(rows).execute();
}

function columnsOf(entity: Entity, provenance: Provenance) {
  return {
    ref: refOf(entity),
    etag: etagOf(entity),
    kind: entity.kind.toLowerCase(),
    namespace: (entity.metadata.namespace ?? "default").toLowerCase(),
    name: entity.metadata.name.toLowerCase(),
    entity: JSON.stringify(entity) as never,
    source: provenance.source,
    repository: provenance.repository ?? null,
    commit: provenance.commit ?? null,
    plan: provenance.plan ?? null,
    orphaned_at: null,
    owner_ref: ownerRefOf(entity) ?? null,
    tier: Tier.catch("tier-3").parse(entity.metadata.labels?.[TIER_LABEL]),
    lifecycle: Lifecycle.catch("experimental").parse(entity.spec?.["lifecycle"]),
    terms: termsOf(entity),
    words: sql<string>`to_tsvector('simple', ${textOf(entity)})`,
  };
}

export const etagOf = (entity: Entity): string => digestOf(entity).slice("sha256:".length, "sha256:".length + 40);

async function holderOf(tx: Tx, ref: string): Promise<{ owner: string; repository: string | null }> {
  const row = await tx.selectFrom("catalog_entity").select(["owner_ref", "repository"]).where("ref", "=", ref).executeTakeFirst();
  return { owner: row?.owner_ref ?? "nobody", repository: row?.repository ?? null };
}

const nameTaken = async (tx: Tx, name: string) => serviceNameTaken(name, await holderOf(tx, serviceRef(name)));

function entityOf(input: ServiceInput): Entity {
  const annotations = {
    ...(input.repository_url && { [REPOSITORY_URL_ANNOTATION]: input.repository_url }),
    ...(input.oncall_rotation && { [ONCALL_ANNOTATION]: input.oncall_rotation }),
  };
  return {
    apiVersion: "backstage.io/v1alpha1",
    kind: "Component",
    metadata: {
      name: input.name,
      namespace: "default",
      description: input.description,
      annotations,
      ...(input.documentation_url && { links: [{ url: input.documentation_url, title: "Documentation", type: "documentation" }] }),
    },
    spec: { type: "service", owner: input.owner_team, lifecycle: input.lifecycle },
  };
}
