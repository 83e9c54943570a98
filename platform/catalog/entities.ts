import { sql, type Expression, type SqlBool } from "kysely";
import type { Sql } from "../kernel/sql.ts";
import { entityNotFound, queryInvalid } from "./faults.ts";
import type { Entity } from "./model.ts";
import { condition, type Predicate } from "./predicates.ts";
import { wordQuery } from "./search-terms.ts";

/** An order by a path of the entity, e.g. `metadata.name`; entities without it come last. */
export interface Order {
  field: string;
  order: "asc" | "desc";
}

/** A query as its cursor carries it. */
export interface EntityQuery {
  predicate?: Predicate | undefined;
  text?: string | undefined;
  order: Order[];
  limit: number;
  offset?: number | undefined;
  /** Go on after (or, with `back`, before) the entity with these sort values. */
  at?: { values: string[]; back: boolean } | undefined;
}

interface EntityRow {
  ref: string;
  uid: string;
  etag: string;
  entity: Entity;
  orphaned_at: Date | null;
}

/** One page of what a query finds, with the sort values of its first and last entity where there is more before or after. */
export async function queryEntities(
  db: Sql,
  query: EntityQuery,
): Promise<{ entities: Entity[]; before: string[] | undefined; after: string[] | undefined }> {
  const back = query.at?.back ?? false;
  const keys = [
    ...query.order.map(({ field, order }) => ({ expression: sortValue(field, order), order })),
    { expression: sql<string>`entity.ref`, order: "asc" as const },
  ];
  let select = db
    .selectFrom("catalog_entity as entity")
    .select(["entity.ref", "entity.uid", "entity.etag", "entity.entity", "entity.orphaned_at"])
    .select(sql<string[]>`array[${sql.join(keys.map(({ expression }) => expression))}]::text[]`.as("sort"))
    .limit(query.limit + 1);
  for (const filter of filtersOf(query)) select = select.where(filter);
  if (query.at) select = select.where(beyond(keys, query.at.values, back));
  else if (query.offset) select = select.offset(query.offset);
  for (const { expression, order } of keys) select = select.orderBy(expression, (order === "desc") === back ? "asc" : "desc");
  const rows = await select.execute();
  const more = rows.length > query.limit;
  const page = rows.slice(0, query.limit);
  if (back) page.reverse();
  const began = query.at !== undefined || (query.offset ?? 0) > 0;
  return {
    entities: await withServerFields(db, page),
    before: page.length > 0 && (back ? more : began) ? page[0]?.sort : undefined,
    after: page.length > 0 && (back || more) ? page.at(-1)?.sort : undefined,
  };
}

/** How many entities a query finds. */
export async function countEntities(db: Sql, query: Pick<EntityQuery, "predicate" | "text">): Promise<number> {
  let select = db.selectFrom("catalog_entity as entity").select((eb) => eb.fn.countAll<number>().as("total"));
  for (const filter of filtersOf(query)) select = select.where(filter);
  return (await select.executeTakeFirstOrThrow()).total;
}

/** The entities of these references, in their order; undefined in the place of one that is missing or filtered out. */
export async function entitiesByRefs(db: Sql, refs: readonly string[], predicate?: Predicate): Promise<(Entity | undefined)[]> {
  if (refs.length === 0) return [];
  const wanted = refs.map((ref) => ref.toLowerCase());
  let select = db
    .selectFrom("catalog_entity as entity")
    .select(["entity.ref", "entity.uid", "entity.etag", "entity.entity", "entity.orphaned_at"])
    .where(sql<SqlBool>`entity.ref = any(${[...new Set(wanted)]})`);
  if (predicate) select = select.where(condition(predicate));
  const rows = await select.execute();
  const found = new Map((await withServerFields(db, rows)).map((entity, index) => [rows[index]!.ref, entity]));
  return wanted.map((ref) => found.get(ref));
}

/** Throws `catalog.entity_not_found`. */
export async function entityByUid(db: Sql, uid: string): Promise<Entity> {
  const rows = await db
    .selectFrom("catalog_entity")
    .select(["ref", "uid", "etag", "entity", "orphaned_at"])
    .where("uid", "=", uid)
    .execute();
  const [entity] = await withServerFields(db, rows);
  if (!entity) throw entityNotFound(`with uid ${uid}`);
  return entity;
}

export interface Facet {
  value: string;
  count: number;
}

/** For each field the values that entities have there, with how many have them; the values of an array count each. */
export async function facetsOf(db: Sql, fields: readonly string[], predicate?: Predicate): Promise<Record<string, Facet[]>> {
  const facets: Record<string, Facet[]> = {};
  for (const field of fields) {
    const where = predicate ? condition(predicate) : sql<SqlBool>`true`;
    const relation = /^relations\.(.+)$/i.exec(field)?.[1];
    const values = relation
      ? sql`select relation.target_ref as value from catalog_entity as entity
          join (select distinct source_ref, target_ref from catalog_relation where lower(type) = ${relation.toLowerCase()}) as relation
          on relation.source_ref = entity.ref where ${where}`
      : sql`select item.value from catalog_entity as entity
          cross join lateral (select ${pathValue(field)} as found) as at
          cross join lateral jsonb_array_elements(case jsonb_typeof(at.found) when 'array' then at.found else jsonb_build_array(at.found) end) as element
          cross join lateral (select element.value #>> '{}' as value) as item
          where ${where} and at.found is not null and jsonb_typeof(element.value) in ('string', 'number', 'boolean')`;
    const { rows } =
      await sql<Facet>`select value, count(*)::int as count from (${values}) as found group by value order by count(*) desc, value`.execute(
        db,
      );
    facets[field] = rows;
  }
  return facets;
}

/** Entities as clients get them: with uid, etag, namespace and relations, and Backstage's mark where its repository let it go. */
export async function withServerFields(db: Sql, rows: readonly EntityRow[]): Promise<Entity[]> {
  if (rows.length === 0) return [];
  const relations = await db
    .selectFrom("catalog_relation")
    .select(["source_ref", "type", "target_ref"])
    .distinct()
    .where(sql<SqlBool>`source_ref = any(${rows.map((row) => row.ref)})`)
    .orderBy("type")
    .orderBy("target_ref")
    .execute();
  const byHand = await db
    .selectFrom("catalog_dependency")
    .select(["source_ref", "target_ref"])
    .where(sql<SqlBool>`source_ref = any(${rows.map((row) => row.ref)}) or target_ref = any(${rows.map((row) => row.ref)})`)
    .execute();
  const of = new Map<string, Map<string, { type: string; targetRef: string }>>(rows.map((row) => [row.ref, new Map()]));
  const add = (source: string, type: string, targetRef: string) => of.get(source)?.set(`${type} ${targetRef}`, { type, targetRef });
  for (const { source_ref, type, target_ref } of relations) add(source_ref, type, target_ref);
  for (const { source_ref, target_ref } of byHand) {
    add(source_ref, "dependsOn", target_ref);
    add(target_ref, "dependencyOf", source_ref);
  }
  return rows.map(({ ref, uid, etag, entity, orphaned_at }) => ({
    ...entity,
    metadata: {
      ...entity.metadata,
      namespace: entity.metadata.namespace ?? "default",
      uid,
      etag,
      ...(orphaned_at && { annotations: { ...entity.metadata.annotations, "backstage.io/orphan": "true" } }),
    },
    relations: [...(of.get(ref)?.values() ?? [])],
  }));
}

function filtersOf({ predicate, text }: Pick<EntityQuery, "predicate" | "text">): Expression<SqlBool>[] {
  const words = text === undefined ? undefined : wordQuery(text);
  return [
    ...(predicate ? [condition(predicate)] : []),
    ...(words === undefined ? [] : [sql<SqlBool>`entity.words @@ to_tsquery('simple', ${words})`]),
  ];
}

/** The path of a field in the entity; what follows `annotations.` and `labels.` is one key, dots and all. */
function pathValue(field: string): Expression<unknown> {
  const map = /^(metadata)\.(annotations|labels)\.(.+)$/.exec(field);
  const path = map ? map.slice(1) : field.split(".");
  return sql`entity.entity #> ${path}::text[]`;
}

/** Text to order by, whatever its case. Entities without the field come after all others either way: no text sorts after U+FFFF, none before the empty one. */
function sortValue(field: string, order: "asc" | "desc"): Expression<string> {
  if (!/^[\w./-]{1,200}$/.test(field)) throw queryInvalid(`${field} is no field to order by`);
  const columns: Record<string, string> = { kind: "kind", "metadata.name": "name", "metadata.namespace": "namespace" };
  const column = columns[field];
  if (column) return sql<string>`${sql.ref(`entity.${column}`)}`;
  return sql<string>`coalesce(lower(${pathValue(field)} #>> '{}'), ${order === "asc" ? "\uffff" : ""}) collate "C"`;
}

/** After (or before) the row with these sort values, in an order of several keys that need not run the same way. */
function beyond(
  keys: readonly { expression: Expression<string>; order: "asc" | "desc" }[],
  values: readonly string[],
  back: boolean,
): Expression<SqlBool> {
  if (values.length !== keys.length) throw queryInvalid("the cursor does not belong to this query");
  const ways = keys.map(({ expression, order }, index) => {
    const same = keys.slice(0, index).map((key, earlier) => sql`${key.expression} = ${values[earlier]}`);
    const further = (order === "asc") === back ? sql`${expression} < ${values[index]}` : sql`${expression} > ${values[index]}`;
    return sql`(${sql.join([...same, further], sql` and `)})`;
  });
  return sql<SqlBool>`(${sql.join(ways, sql` or `)})`;
}
