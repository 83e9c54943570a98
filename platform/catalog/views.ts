import { sql } from "kysely";
import type { Sql } from "../kernel/sql.ts";
import { groupRef } from "../identity/access.ts";
import type { Directory } from "../identity/model.ts";
import { dependenciesOf } from "./dependencies.ts";
import { serviceNotFound } from "./faults.ts";
import { withServerFields } from "./entities.ts";
import {
  LANGUAGE_ANNOTATION,
  ONCALL_ANNOTATION,
  REPOSITORY_URL_ANNOTATION,
  type Entity,
  type Fact,
  type GroupView,
  type Service,
  type ServiceDetail,
  type ServiceView,
  type Tier,
} from "./model.ts";
import { wordQuery } from "./search-terms.ts";
import { serviceRef } from "./store.ts";

export interface ServiceFilter {
  team?: string | undefined;
  tier?: ServiceView["tier"] | undefined;
  lifecycle?: ServiceView["lifecycle"] | undefined;
  /** As its descriptor's annotation cairn.dev/runtime names it: nodejs, go, … */
  language?: string | undefined;
  /** Words; each must begin a word of name, title, description or tags. */
  text?: string | undefined;
  limit?: number | undefined;
  /** The name after which to go on: `next` of the page before. */
  cursor?: string | undefined;
  /** How many to leave out before the first: for a list that is jumped about in. */
  offset?: number | undefined;
}

export interface Page<T> {
  items: T[];
  /** The cursor of the next page; null where this is the last. */
  next: string | null;
  total: number;
}

/** Services by name, a page of them, with the number of all that the filter lets through. */
export async function serviceViews(db: Sql, filter: ServiceFilter = {}): Promise<Page<ServiceView>> {
  const limit = filter.limit ?? 50;
  const { total } = await matching(db, filter)
    .select((eb) => eb.fn.countAll<number>().as("total"))
    .executeTakeFirstOrThrow();
  let page = matching(db, filter)
    .select(COLUMNS)
    .select(ownerExists)
    .orderBy("entity.name")
    .limit(limit + 1)
    .offset(filter.offset ?? 0);
  if (filter.cursor !== undefined) page = page.where("entity.name", ">", filter.cursor);
  const rows = await page.execute();
  const items = rows.slice(0, limit).map(viewOf);
  return { items, next: rows.length > limit ? (items.at(-1)?.name ?? null) : null, total };
}

/** The tier of each service, by name. */
export async function serviceTiers(db: Sql): Promise<Record<string, Tier>> {
  const rows = await matching(db, {}).select(["entity.name", "entity.tier"]).orderBy("entity.name").execute();
  return Object.fromEntries(rows.map(({ name, tier }) => [name, tier]));
}

/** Throws `catalog.service_not_found`. */
export async function serviceView(db: Sql, name: string): Promise<ServiceView> {
  const row = await matching(db, {}).where("entity.ref", "=", serviceRef(name)).select(COLUMNS).select(ownerExists).executeTakeFirst();
  if (!row) throw serviceNotFound();
  return viewOf(row);
}

/** A service with its entity, what was noted about it, what it depends on and what depends on it. Throws `catalog.service_not_found`. */
export async function serviceDetail(db: Sql, name: string): Promise<Omit<ServiceDetail, "service"> & { service: ServiceView }> {
  const ref = serviceRef(name);
  const service = await serviceView(db, name);
  const [entity] = await withServerFields(
    db,
    await db.selectFrom("catalog_entity").select(["ref", "uid", "etag", "entity", "orphaned_at"]).where("ref", "=", ref).execute(),
  );
  if (!entity) throw serviceNotFound();
  return {
    service,
    entity,
    facts: await facts(db, ref),
    dependencies: await dependenciesOf(db, ref, "out"),
    dependents: await dependenciesOf(db, ref, "in"),
  };
}

/** What was noted about an entity, by key. */
export async function facts(db: Sql, ref: string): Promise<Fact[]> {
  const rows = await db.selectFrom("catalog_fact").select(["key", "value", "observed_at"]).where("ref", "=", ref).orderBy("key").execute();
  return rows.map(({ key, value, observed_at }) => ({ key, value, observedAt: observed_at }));
}

/** Services in the shape of the /services routes. `repositoryUrl` gives the address of a repository that the platform keeps. */
export async function services(
  db: Sql,
  filter: ServiceFilter,
  repositoryUrl: (repository: string) => string,
): Promise<{ items: Service[]; next: string | null }> {
  const limit = filter.limit ?? 1000;
  let page = matching(db, filter)
    .select(COLUMNS)
    .orderBy("entity.name")
    .limit(limit + 1);
  if (filter.cursor !== undefined) page = page.where("entity.name", ">", filter.cursor);
  const rows = await page.execute();
  const items = rows.slice(0, limit).map((row) => serviceOf(row, repositoryUrl));
  return { items, next: rows.length > limit ? (items.at(-1)?.name ?? null) : null };
}

/** Throws `catalog.service_not_found`. */
export async function service(db: Sql, name: string, repositoryUrl: (repository: string) => string): Promise<Service> {
  const row = await matching(db, {}).where("entity.ref", "=", serviceRef(name)).select(COLUMNS).executeTakeFirst();
  if (!row) throw serviceNotFound();
  return serviceOf(row, repositoryUrl);
}

/** The teams with their members, by name. */
export async function groups(db: Sql): Promise<GroupView[]> {
  const rows = await db.selectFrom("catalog_entity").select(["ref", "entity"]).where("kind", "=", "group").orderBy("name").execute();
  const members = await db
    .selectFrom("catalog_relation as member")
    .innerJoin("catalog_entity as team", (join) => join.onRef("team.ref", "=", "member.source_ref").on("team.kind", "=", "group"))
    .leftJoin("catalog_entity as person", "person.ref", "member.target_ref")
    .select(["member.source_ref", "member.target_ref", "person.entity"])
    .distinctOn(["member.source_ref", "member.target_ref"])
    .where("member.type", "=", "hasMember")
    .orderBy("member.source_ref")
    .orderBy("member.target_ref")
    .execute();
  const owned = await db
    .selectFrom("catalog_entity")
    .select("owner_ref")
    .select((eb) => eb.fn.countAll<number>().as("services"))
    .where("kind", "=", "component")
    .where("owner_ref", "is not", null)
    .groupBy("owner_ref")
    .execute();
  const services = new Map(owned.map((row) => [row.owner_ref, row.services]));
  const team = new Map<string, GroupView["members"]>(rows.map((row) => [row.ref, []]));
  for (const { source_ref, target_ref, entity } of members)
    team.get(source_ref)?.push({ ref: target_ref, displayName: entity ? displayNameOf(entity) : target_ref.replace(/^.*\//, "") });
  return rows.map(({ ref, entity }) => ({
    ref,
    name: entity.metadata.name,
    title: entity.metadata.title ?? displayNameOf(entity),
    description: entity.metadata.description ?? "",
    members: team.get(ref) ?? [],
    services: services.get(ref) ?? 0,
  }));
}

/** References of the people in a group, in order. */
export async function membersOf(db: Sql, group: string): Promise<string[]> {
  const rows = await db
    .selectFrom("catalog_relation")
    .select("target_ref")
    .distinct()
    .where("source_ref", "=", group)
    .where("type", "=", "hasMember")
    .orderBy("target_ref")
    .execute();
  return rows.map(({ target_ref }) => target_ref);
}

/** What identity asks about people and groups. A membership of a group that the catalog does not have counts for nothing. */
export const directory = (db: Sql): Directory => ({
  groupsOf: async (user) => {
    const rows = await db
      .selectFrom("catalog_relation as membership")
      .innerJoin("catalog_entity as team", (join) => join.onRef("team.ref", "=", "membership.target_ref").on("team.kind", "=", "group"))
      .select("team.ref")
      .distinct()
      .where("membership.source_ref", "=", user)
      .where("membership.type", "=", "memberOf")
      .orderBy("team.ref")
      .execute();
    return rows.map((row) => row.ref);
  },
  person: async (ref) => {
    const row = await db.selectFrom("catalog_entity").select("entity").where("ref", "=", ref).where("kind", "=", "user").executeTakeFirst();
    return row && { displayName: displayNameOf(row.entity) };
  },
});

function displayNameOf(entity: Entity): string {
  const profile = entity.spec?.["profile"] as { displayName?: unknown } | undefined;
  return typeof profile?.displayName === "string" ? profile.displayName : (entity.metadata.title ?? entity.metadata.name);
}

const COLUMNS = [
  "entity.ref",
  "entity.name",
  "entity.entity",
  "entity.source",
  "entity.repository",
  "entity.owner_ref",
  "entity.tier",
  "entity.lifecycle",
  "entity.created_at",
] as const;

const ownerExists = sql<boolean>`exists (select from catalog_entity as team where team.ref = entity.owner_ref and team.kind = 'group')`.as(
  "owner_exists",
);

/** Components are in the namespace default, all of them: `checkDocuments` sees to that. */
function matching(db: Sql, filter: ServiceFilter) {
  let query = db.selectFrom("catalog_entity as entity").where("entity.kind", "=", "component");
  if (filter.team !== undefined) query = query.where("entity.owner_ref", "=", groupRef(filter.team));
  if (filter.tier !== undefined) query = query.where("entity.tier", "=", filter.tier);
  if (filter.lifecycle !== undefined) query = query.where("entity.lifecycle", "=", filter.lifecycle);
  if (filter.language !== undefined)
    query = query.where(
      sql<boolean>`entity.terms @> array[${`metadata.annotations.${LANGUAGE_ANNOTATION}=${filter.language.toLowerCase()}`}]`,
    );
  const words = filter.text === undefined ? undefined : wordQuery(filter.text);
  if (words !== undefined) query = query.where(sql<boolean>`entity.words @@ to_tsquery('simple', ${words})`);
  return query;
}

type Row = Awaited<ReturnType<ReturnType<typeof selectRow>["executeTakeFirstOrThrow"]>>;
const selectRow = (db: Sql) => matching(db, {}).select(COLUMNS);

function viewOf(row: Row & { owner_exists: boolean }): ServiceView {
  return {
    ref: row.ref,
    name: row.name,
    description: row.entity.metadata.description ?? "",
    owner: ownerOf(row),
    ownerExists: row.owner_exists,
    tier: row.tier,
    lifecycle: row.lifecycle,
    language: row.entity.metadata.annotations?.[LANGUAGE_ANNOTATION] ?? null,
    repository: row.repository ?? undefined,
    source: row.source === "descriptor" ? "descriptor" : "registered",
    createdAt: row.created_at,
  };
}

function serviceOf(row: Row, repositoryUrl: (repository: string) => string): Service {
  const { annotations, links, description } = row.entity.metadata;
  const documentation = links?.find((link) => link.type === "documentation")?.url;
  const oncall = annotations?.[ONCALL_ANNOTATION];
  return {
    name: row.name,
    description: description ?? "",
    owner_team: ownerOf(row).replace(/^group:default\//i, ""),
    lifecycle: row.lifecycle,
    repository_url: annotations?.[REPOSITORY_URL_ANNOTATION] ?? (row.repository === null ? "" : repositoryUrl(row.repository)),
    ...(documentation !== undefined && { documentation_url: documentation }),
    ...(oncall !== undefined && { oncall_rotation: oncall }),
    created_at: row.created_at.toISOString(),
  };
}

const ownerOf = (row: { entity: Entity }): string => String(row.entity.spec?.["owner"] ?? "");
