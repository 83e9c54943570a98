import { parseEntityRef, stringifyEntityRef } from "@backstage/catalog-model";
import { refOf } from "./descriptor.ts";
import type { Entity } from "./model.ts";

export interface Relation {
  source: string;
  type: string;
  target: string;
}

/** Field of spec, default kind of what it names, type from here to there, type back. Source: Backstage's BuiltinKindsEntityProcessor. */
const FIELDS: Record<string, readonly (readonly [field: string, defaultKind: string | undefined, out: string, back: string])[]> = {
  component: [
    ["owner", "group", "ownedBy", "ownerOf"],
    ["subcomponentOf", "component", "partOf", "hasPart"],
    ["providesApis", "api", "providesApi", "apiProvidedBy"],
    ["consumesApis", "api", "consumesApi", "apiConsumedBy"],
    ["dependsOn", undefined, "dependsOn", "dependencyOf"],
    ["dependencyOf", undefined, "dependencyOf", "dependsOn"],
    ["system", "system", "partOf", "hasPart"],
  ],
  api: [
    ["owner", "group", "ownedBy", "ownerOf"],
    ["system", "system", "partOf", "hasPart"],
  ],
  resource: [
    ["owner", "group", "ownedBy", "ownerOf"],
    ["dependsOn", undefined, "dependsOn", "dependencyOf"],
    ["dependencyOf", undefined, "dependencyOf", "dependsOn"],
    ["system", "system", "partOf", "hasPart"],
  ],
  system: [
    ["owner", "group", "ownedBy", "ownerOf"],
    ["domain", "domain", "partOf", "hasPart"],
  ],
  domain: [
    ["owner", "group", "ownedBy", "ownerOf"],
    ["subdomainOf", "domain", "partOf", "hasPart"],
  ],
  rotation: [["owner", "group", "ownedBy", "ownerOf"]],
  user: [["memberOf", "group", "memberOf", "hasMember"]],
  group: [
    ["parent", "group", "childOf", "parentOf"],
    ["children", "group", "parentOf", "childOf"],
    ["members", "user", "hasMember", "memberOf"],
  ],
};

/** The relations that an entity's descriptor gives, each in both directions. What can't be read as a reference gives none. */
export function relationsOf(entity: Entity): Relation[] {
  const source = refOf(entity);
  const relations = new Map<string, Relation>();
  for (const [field, defaultKind, out, back] of FIELDS[entity.kind.toLowerCase()] ?? []) {
    for (const written of [entity.spec?.[field]].flat()) {
      const target = fullRef(written, defaultKind, entity.metadata.namespace);
      if (target === undefined) continue;
      for (const relation of [
        { source, type: out, target },
        { source: target, type: back, target: source },
      ])
        relations.set(`${relation.source} ${relation.type} ${relation.target}`, relation);
    }
  }
  return [...relations.values()];
}

/** The owner's full reference; undefined where there is none. */
export const ownerRefOf = (entity: Entity): string | undefined => fullRef(entity.spec?.["owner"], "group", entity.metadata.namespace);

/** The full reference of a person that may be written short: `ada` is `user:default/ada`. */
export const userRefOf = (written: string): string | undefined => fullRef(written, "user");

function fullRef(written: unknown, defaultKind: string | undefined, namespace = "default"): string | undefined {
  if (typeof written !== "string" || written === "") return undefined;
  try {
    return stringifyEntityRef(parseEntityRef(written, { defaultNamespace: namespace, ...(defaultKind !== undefined && { defaultKind }) }));
  } catch {
    return undefined;
  }
}
