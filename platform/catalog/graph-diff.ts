import { canonicalJson } from "../kernel/digest.ts";
import { refOf } from "./descriptor.ts";
import type { Entity, GraphDiff } from "./model.ts";
import { relationsOf, type Relation } from "./relations.ts";

/** What changes in the catalog's graph when a descriptor that declared `before` comes to declare `after`. Pure. */
export function graphDiff(before: readonly Entity[], after: readonly Entity[]): GraphDiff {
  const [old, now] = [byRef(before), byRef(after)];
  const [oldEdges, nowEdges] = [edges(before), edges(after)];
  return {
    added: [...now.keys()].filter((ref) => !old.has(ref)).sort(),
    removed: [...old.keys()].filter((ref) => !now.has(ref)).sort(),
    changed: [...now]
      .flatMap(([ref, entity]) => {
        const fields = old.has(ref) ? changedFields(old.get(ref), entity) : [];
        return fields.length > 0 ? [{ ref, fields }] : [];
      })
      .sort((a, b) => (a.ref < b.ref ? -1 : 1)),
    relationsAdded: without(nowEdges, oldEdges),
    relationsRemoved: without(oldEdges, nowEdges),
  };
}

const byRef = (entities: readonly Entity[]) => new Map(entities.map((entity) => [refOf(entity), entity]));

const without = (edges: Map<string, Relation>, others: Map<string, Relation>): Relation[] =>
  [...edges.keys()]
    .filter((key) => !others.has(key))
    .sort()
    .map((key) => edges.get(key)!);

/** The relations as declared: from the entity that says so, not their mirror. */
function edges(entities: readonly Entity[]) {
  return new Map(
    entities.flatMap((entity) => {
      const ref = refOf(entity);
      return relationsOf(entity)
        .filter(({ source }) => source === ref)
        .map((relation) => [`${relation.source} ${relation.type} ${relation.target}`, relation] as const);
    }),
  );
}

/** The paths whose values differ, in order; an array is one value. */
function changedFields(before: unknown, after: unknown, path = ""): string[] {
  if (!isMap(before) || !isMap(after)) return canonicalJson(before ?? null) === canonicalJson(after ?? null) ? [] : [path];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => changedFields(before[key], after[key], path === "" ? key : `${path}.${key}`));
}

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
