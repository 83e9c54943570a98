import {
  apiEntityV1alpha1Validator,
  componentEntityV1alpha1Validator,
  DefaultNamespaceEntityPolicy,
  domainEntityV1alpha1Validator,
  FieldFormatEntityPolicy,
  groupEntityV1alpha1Validator,
  locationEntityV1alpha1Validator,
  NoForeignRootFieldsEntityPolicy,
  resourceEntityV1alpha1Validator,
  SchemaValidEntityPolicy,
  stringifyEntityRef,
  systemEntityV1alpha1Validator,
  userEntityV1alpha1Validator,
} from "@backstage/catalog-model";
import { LineCounter, parseAllDocuments } from "yaml";
import { messageOf } from "../kernel/faults.ts";
import { Lifecycle, serviceName, storable, Tier, TIER_LABEL, type Entity, type Finding } from "./model.ts";
import { ROTATION_API_VERSION, RotationSpec } from "./rotation.ts";

/** Kinds that a repository's descriptor may declare. Groups, users and who is on call are the organisation's: else a repository could make itself anybody's owner. */
export const REPOSITORY_KINDS: readonly string[] = ["component", "api", "resource", "system", "domain", "location"];
export const ORGANISATION_KINDS: readonly string[] = ["group", "user", "rotation"];

const VALIDATORS = [
  apiEntityV1alpha1Validator,
  componentEntityV1alpha1Validator,
  domainEntityV1alpha1Validator,
  groupEntityV1alpha1Validator,
  locationEntityV1alpha1Validator,
  resourceEntityV1alpha1Validator,
  systemEntityV1alpha1Validator,
  userEntityV1alpha1Validator,
  {
    check: async ({ apiVersion, kind }: { apiVersion: string; kind: string }) => apiVersion === ROTATION_API_VERSION && kind === "Rotation",
  },
];
const POLICIES = [
  new NoForeignRootFieldsEntityPolicy(),
  new SchemaValidEntityPolicy(),
  new DefaultNamespaceEntityPolicy(),
  new FieldFormatEntityPolicy(),
];
const MOST_ALIASES = 100;
const MOST_VALUES = 10_000;
const DEEPEST = 40;

/** `kind:namespace/name` in lower case. */
export const refOf = (entity: Entity): string => stringifyEntityRef({ kind: entity.kind, metadata: entity.metadata } as never);

/** The documents of YAML (or JSON, which is YAML too) text. Each that can't be read is a finding with its line. */
export function parseDocuments(text: string, path = "catalog-info.yaml"): { documents: unknown[]; findings: Finding[] } {
  const lines = new LineCounter();
  const documents: unknown[] = [];
  const findings: Finding[] = [];
  let parsed;
  try {
    parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  } catch (error) {
    return { documents, findings: [{ where: path, message: messageOf(error) }] };
  }
  for (const document of parsed) {
    // What follows a first error is mostly its echo.
    for (const error of document.errors.slice(0, 3))
      findings.push({ where: `${path}:${lines.linePos(error.pos[0]).line}`, message: error.message });
    if (document.errors.length > 0) continue;
    try {
      const content: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
      if (content !== null) documents.push(content);
    } catch (error) {
      findings.push({ where: path, message: messageOf(error) });
    }
  }
  return { documents, findings };
}

/** The entities of documents, each checked as Backstage checks it and by Cairn's own rules; `findings` names what is wrong, all of it. */
export async function checkDocuments(
  documents: readonly unknown[],
  allowedKinds: readonly string[],
): Promise<{ entities: Entity[]; findings: Finding[] }> {
  const entities: Entity[] = [];
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const [index, document] of documents.entries()) {
    const where = nameOf(document) ?? `document ${index + 1}`;
    const checked = await checkEntity(document, allowedKinds);
    if ("entity" in checked) {
      const ref = refOf(checked.entity);
      if (seen.has(ref)) findings.push({ where, message: `${ref} is declared twice` });
      seen.add(ref);
      entities.push(checked.entity);
    } else {
      findings.push(...checked.messages.map((message) => ({ where, message })));
    }
  }
  return { entities, findings };
}

async function checkEntity(document: unknown, allowedKinds: readonly string[]): Promise<{ entity: Entity } | { messages: string[] }> {
  if (document === null || typeof document !== "object" || Array.isArray(document))
    return { messages: ["it is no entity: a map with apiVersion, kind and metadata"] };
  const unfit = unfitToKeep(document);
  if (unfit !== undefined) return { messages: [unfit] };
  let entity = withoutServerFields(document as Entity);
  try {
    for (const policy of POLICIES) entity = (await policy.enforce(entity as never)) as Entity;
    const known = await Promise.all(VALIDATORS.map(async (validator) => validator.check(entity as never)));
    if (!known.includes(true)) return { messages: [`kind ${entity.kind} of ${entity.apiVersion} is not one that the catalog keeps`] };
  } catch (error) {
    return { messages: [messageOf(error).replace(/ To learn more about catalog file format, visit:.*$/s, "")] };
  }
  const kind = entity.kind.toLowerCase();
  if (!allowedKinds.includes(kind)) {
    const because = ORGANISATION_KINDS.includes(kind)
      ? "groups, users and rotations come with the organisation (POST /api/organisation), not from a repository"
      : `only ${allowedKinds.join(", ")} belong here`;
    return { messages: [`kind ${entity.kind}: ${because}`] };
  }
  const messages = kind === "component" ? ownRules(entity) : kind === "rotation" ? rotationRules(entity) : [];
  return messages.length > 0 ? { messages } : { entity };
}

/** What Cairn asks of a component beyond Backstage: a name that is a Kubernetes namespace too, and words that decisions rest on. */
function ownRules(entity: Entity): string[] {
  const messages: string[] = [];
  const name = serviceName.safeParse(entity.metadata.name);
  if (!name.success) messages.push(`metadata.name ${entity.metadata.name}: ${name.error.issues.map((issue) => issue.message).join("; ")}`);
  if ((entity.metadata.namespace ?? "default").toLowerCase() !== "default")
    messages.push("metadata.namespace: components live in the namespace default, for their names are one space");
  const tier = entity.metadata.labels?.[TIER_LABEL];
  if (tier !== undefined && !Tier.safeParse(tier).success)
    messages.push(`metadata.labels.${TIER_LABEL} is ${tier}: one of ${Tier.options.join(", ")}`);
  const lifecycle = entity.spec?.["lifecycle"];
  if (!Lifecycle.safeParse(lifecycle).success)
    messages.push(`spec.lifecycle is ${String(lifecycle)}: one of ${Lifecycle.options.join(", ")}`);
  return messages;
}

function rotationRules(entity: Entity): string[] {
  const { error } = RotationSpec.safeParse(entity.spec);
  return error ? error.issues.map(({ path, message }) => `${["spec", ...path].join(".")}: ${message}`) : [];
}

/** Why the database could not keep it, or would choke on it; undefined where it can. */
function unfitToKeep(document: object): string | undefined {
  const open: { value: unknown; depth: number }[] = [{ value: document, depth: 0 }];
  for (let seen = 0; ; seen++) {
    const next = open.pop();
    if (next === undefined) return undefined;
    if (seen > MOST_VALUES) return `it holds more than ${MOST_VALUES} values`;
    if (next.depth > DEEPEST) return `it is nested deeper than ${DEEPEST}`;
    if (typeof next.value === "string" && !storable(next.value)) return "it holds a text with a NUL or half a character";
    if (typeof next.value === "number" && !Number.isFinite(next.value)) return `it holds the number ${next.value}, which JSON can't hold`;
    if (typeof next.value !== "object" || next.value === null) continue;
    for (const [key, value] of Object.entries(next.value))
      open.push({ value: key, depth: next.depth + 1 }, { value, depth: next.depth + 1 });
  }
}

/** A descriptor may carry what a server gave out; it means nothing on the way in. */
function withoutServerFields(document: Entity): Entity {
  const { relations: _relations, status: _status, ...entity } = document as Entity & { status?: unknown };
  if (typeof entity.metadata !== "object" || entity.metadata === null) return entity;
  const { uid: _uid, etag: _etag, ...metadata } = entity.metadata;
  return { ...entity, metadata } as Entity;
}

function nameOf(document: unknown): string | undefined {
  const { kind, metadata } = (document ?? {}) as { kind?: unknown; metadata?: { name?: unknown } | null };
  return typeof kind === "string" && typeof metadata?.name === "string" ? `${kind} ${metadata.name}` : undefined;
}
