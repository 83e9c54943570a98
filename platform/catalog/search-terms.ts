import type { Entity } from "./model.ts";

const LONGEST_VALUE = 200;
/** Columns and tables of their own answer for these. */
const ELSEWHERE = new Set(["relations", "metadata.uid", "metadata.etag", "kind", "metadata.name", "metadata.namespace"]);

/**
 * What an entity can be found by: each path of it, and `path=value` for each value, in lower case; a value in an array also as `path.value=true`.
 * Source: Backstage's catalog API, "filter".
 */
export function termsOf(entity: Entity): string[] {
  const terms = new Set<string>();
  const add = (path: string, value: unknown) => {
    if (ELSEWHERE.has(path)) return;
    if (path !== "") terms.add(path);
    if (Array.isArray(value)) {
      for (const item of value) {
        add(path, item);
        if (typeof item === "string" && item.length <= LONGEST_VALUE) add(`${path}.${item.toLowerCase()}`, true);
      }
    } else if (typeof value === "object" && value !== null) {
      for (const [key, member] of Object.entries(value)) add(path === "" ? key.toLowerCase() : `${path}.${key.toLowerCase()}`, member);
    } else if (value !== null && value !== undefined && String(value).length <= LONGEST_VALUE) {
      terms.add(`${path}=${String(value).toLowerCase()}`);
    }
  };
  add("", entity);
  return [...terms];
}

/** The text that full-text search looks at. */
export function textOf(entity: Entity): string {
  const { name, title, description, tags } = entity.metadata;
  const displayName = (entity.spec?.["profile"] as { displayName?: unknown } | undefined)?.displayName;
  return wordsOf([name, title, description, ...(tags ?? []), typeof displayName === "string" ? displayName : undefined].join(" ")).join(
    " ",
  );
}

/** The words of a text in lower case: runs of letters and digits of any script. */
const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** A PostgreSQL text query for entities with a word that begins with each of the words; undefined where there is no word. */
export function wordQuery(text: string): string | undefined {
  const words = wordsOf(text);
  return words.length === 0 ? undefined : words.map((word) => `${word}:*`).join(" & ");
}
