import { sql, type Expression, type SqlBool } from "kysely";
import { queryInvalid } from "./faults.ts";

/** What an entity must be like: the meaning that filters (GET) and predicates (POST) of Backstage's catalog API have in common. */
export type Predicate =
  | { all: Predicate[] }
  | { any: Predicate[] }
  | { not: Predicate }
  | { key: string; is: "one of"; values: string[] }
  | { key: string; is: "there" }
  | { key: string; is: "beginning with"; prefix: string };

const DEEPEST = 20;
const MOST_VALUES = 1000;

/**
 * Reads `filter` parameters: within one a comma is AND and a repeated key is IN, several are OR, a key without value means that it exists.
 * Throws `catalog.query_invalid`.
 */
export function predicateOfFilters(filters: readonly string[]): Predicate | undefined {
  const any = filters.flatMap((filter) => {
    const keys = new Map<string, string[] | null>();
    for (const part of filter.split(",").map((text) => text.trim())) {
      if (part === "") continue;
      const mark = part.indexOf("=");
      const key = (mark === -1 ? part : part.slice(0, mark)).trim().toLowerCase();
      if (key === "") throw queryInvalid(`filter ${filter}: a condition without a key`);
      if (mark === -1) keys.set(key, keys.get(key) ?? null);
      else keys.set(key, [...(keys.get(key) ?? []), part.slice(mark + 1).trim()]);
    }
    const all = [...keys].map(([key, values]): Predicate => (values === null ? { key, is: "there" } : { key, is: "one of", values }));
    return all.length === 0 ? [] : [{ all }];
  });
  return any.length === 0 ? undefined : { any };
}

/** Reads a predicate of the POST routes: $all $any $not, and of a field a value, $in $exists $contains $hasPrefix. Throws `catalog.query_invalid`. */
export function predicateOfQuery(query: unknown, depth = 0): Predicate {
  if (depth > DEEPEST) throw queryInvalid(`the query is nested deeper than ${DEEPEST}`);
  if (typeof query !== "object" || query === null || Array.isArray(query)) throw queryInvalid("a query is an object");
  return {
    all: Object.entries(query).map(([key, value]): Predicate => {
      if (key === "$all" || key === "$any") {
        if (!Array.isArray(value)) throw queryInvalid(`${key} takes a list`);
        const each = value.map((item) => predicateOfQuery(item, depth + 1));
        return key === "$all" ? { all: each } : { any: each };
      }
      if (key === "$not") return { not: predicateOfQuery(value, depth + 1) };
      if (key.startsWith("$")) throw queryInvalid(`${key} is no operator`);
      return predicateOfField(key.toLowerCase(), value);
    }),
  };
}

function predicateOfField(key: string, value: unknown): Predicate {
  if (isScalar(value)) return { key, is: "one of", values: [String(value)] };
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw queryInvalid(`${key}: a value or an operator`);
  return {
    all: Object.entries(value).map(([operator, operand]): Predicate => {
      switch (operator) {
        case "$in":
          if (!Array.isArray(operand) || !operand.every(isScalar)) throw queryInvalid(`${key}: $in takes a list of values`);
          return { key, is: "one of", values: operand.map(String) };
        case "$exists":
          if (typeof operand !== "boolean") throw queryInvalid(`${key}: $exists takes true or false`);
          return operand ? { key, is: "there" } : { not: { key, is: "there" } };
        case "$hasPrefix":
          if (typeof operand !== "string") throw queryInvalid(`${key}: $hasPrefix takes a text`);
          return { key, is: "beginning with", prefix: operand };
        case "$contains":
          return predicateOfContains(key, operand);
        default:
          throw queryInvalid(`${key}: ${operator} is no operator`);
      }
    }),
  };
}

function predicateOfContains(key: string, operand: unknown): Predicate {
  if (isScalar(operand)) return { key, is: "one of", values: [String(operand)] };
  const { type, targetRef, ...rest } = (operand ?? {}) as Record<string, unknown>;
  if (key !== "relations" || typeof type !== "string" || Object.keys(rest).length > 0)
    throw queryInvalid(`${key}: $contains takes a value; of relations, {type, targetRef}`);
  return targetRef === undefined
    ? { key: `relations.${type.toLowerCase()}`, is: "there" }
    : predicateOfField(`relations.${type.toLowerCase()}`, targetRef);
}

const isScalar = (value: unknown): value is string | number | boolean => ["string", "number", "boolean"].includes(typeof value);

/** The condition on a row of catalog_entity, named `entity` in the query. Case does not matter. */
export function condition(predicate: Predicate): Expression<SqlBool> {
  if ("all" in predicate) return joined(predicate.all, "and", true);
  if ("any" in predicate) return joined(predicate.any, "or", false);
  if ("not" in predicate) return sql<SqlBool>`not (${condition(predicate.not)})`;
  const { key } = predicate;
  if (predicate.is === "one of") {
    const values = predicate.values.map((value) => value.toLowerCase());
    if (values.length > MOST_VALUES) throw queryInvalid(`${key}: more than ${MOST_VALUES} values`);
    if (values.length === 0) return sql<SqlBool>`false`;
    const column = COLUMN[key];
    // One value by itself: so the planner knows that what an index gives is in order.
    if (column && values.length === 1) return sql<SqlBool>`${sql.ref(column)} = ${values[0]}`;
    if (column) return sql<SqlBool>`${sql.ref(column)} = any(${values})`;
    if (key.startsWith("relations.")) return related(key, sql`and relation.target_ref = any(${values})`);
    return sql<SqlBool>`entity.terms && ${values.map((value) => `${key}=${value}`)}::text[]`;
  }
  if (predicate.is === "there") {
    if (COLUMN[key]) return sql<SqlBool>`true`;
    if (key.startsWith("relations.")) return related(key, sql``);
    return sql<SqlBool>`entity.terms @> ${[key]}::text[]`;
  }
  const prefix = predicate.prefix.toLowerCase();
  const column = COLUMN[key];
  if (column) return sql<SqlBool>`starts_with(${sql.ref(column)}, ${prefix})`;
  if (key.startsWith("relations.")) return related(key, sql`and starts_with(relation.target_ref, ${prefix})`);
  return sql<SqlBool>`exists (select from unnest(entity.terms) as term where starts_with(term, ${`${key}=${prefix}`}))`;
}

const COLUMN: Record<string, string> = {
  kind: "entity.kind",
  "metadata.namespace": "entity.namespace",
  "metadata.name": "entity.name",
  "metadata.uid": "entity.uid",
};

function related(key: string, more: Expression<unknown>): Expression<SqlBool> {
  const type = key.slice("relations.".length);
  return sql<SqlBool>`exists (select from catalog_relation as relation where relation.source_ref = entity.ref and lower(relation.type) = ${type} ${more})`;
}

function joined(predicates: readonly Predicate[], word: "and" | "or", empty: boolean): Expression<SqlBool> {
  if (predicates.length === 0) return sql<SqlBool>`${sql.lit(empty)}`;
  return sql<SqlBool>`(${sql.join(
    predicates.map((predicate) => condition(predicate)),
    sql.raw(` ${word} `),
  )})`;
}
