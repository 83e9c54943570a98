import type { Clock } from "../kernel/clock.ts";
import type { Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { record } from "../ledger/store.ts";
import { checkDocuments, ORGANISATION_KINDS, refOf } from "./descriptor.ts";
import { descriptorInvalid, entityNotFound, groupExists, groupOwns, teamNameRefused } from "./faults.ts";
import type { Entity, OrganisationLoaded } from "./model.ts";
import { misnamed, rotations } from "./rotations.ts";
import { etagOf, insert, update } from "./store.ts";

/**
 * Loads groups, users and who is on call. What is there already and the same stays untouched, so loading twice changes nothing. What is not named stays too.
 * Throws `catalog.descriptor_invalid`.
 */
export async function loadOrganisation(tx: Tx, clock: Clock, actor: Actor, documents: readonly unknown[]): Promise<OrganisationLoaded> {
  const { entities, findings } = await checkDocuments(documents, ORGANISATION_KINDS);
  if (findings.length > 0 || entities.length === 0) throw descriptorInvalid("The organisation", findings);
  const loaded: OrganisationLoaded = { created: [], updated: [], unchanged: [] };
  for (const entity of [...entities].sort((a, b) => (refOf(a) < refOf(b) ? -1 : 1))) {
    const ref = refOf(entity);
    if (await insert(tx, clock, entity, { source: "organisation" })) {
      loaded.created.push(ref);
      continue;
    }
    const now = await tx.selectFrom("catalog_entity").selectAll().where("ref", "=", ref).forUpdate().executeTakeFirstOrThrow();
    if (now.etag === etagOf(entity)) {
      loaded.unchanged.push(ref);
    } else {
      await update(tx, clock, now, entity, { source: "organisation" });
      loaded.updated.push(ref);
    }
  }
  const wrong = await misnamed(tx, entities);
  if (wrong.length > 0) throw descriptorInvalid("The organisation", wrong);
  for (const about of loaded.created) await record(tx, clock, { type: "catalog.organisation_member_added", about, actor });
  for (const about of loaded.updated) await record(tx, clock, { type: "catalog.organisation_member_changed", about, actor });
  return loaded;
}

/**
 * Removes a team. Its people stay. Throws `catalog.entity_not_found`, and `catalog.group_owns` while anything is its own: that would be nobody's.
 */
export async function removeGroup(tx: Tx, clock: Clock, actor: Actor, name: string): Promise<void> {
  const ref = `group:default/${name.toLowerCase()}`;
  const group = await tx
    .selectFrom("catalog_entity")
    .select("ref")
    .where("ref", "=", ref)
    .where("kind", "=", "group")
    .forUpdate()
    .executeTakeFirst();
  if (!group) throw entityNotFound(ref);
  // A rotation of nobody's services goes with its group.
  const owned = await tx
    .selectFrom("catalog_entity")
    .select("ref")
    .where("owner_ref", "=", ref)
    .where("kind", "<>", "rotation")
    .orderBy("ref")
    .limit(20)
    .execute();
  if (owned.length > 0)
    throw groupOwns(
      name,
      owned.map((entity) => entity.ref),
    );
  const own = (await rotations(tx)).filter((rotation) => rotation.group === ref).map(({ name: rotation }) => rotationRef(rotation));
  await tx
    .deleteFrom("catalog_entity")
    .where("ref", "in", [ref, ...own])
    .execute();
  for (const about of [ref, ...own]) await record(tx, clock, { type: "catalog.organisation_member_removed", about, actor });
}

/** Takes a rotation away: from then on its whole group is on call. Throws `catalog.entity_not_found`. */
export async function removeRotation(tx: Tx, clock: Clock, actor: Actor, name: string): Promise<void> {
  const ref = rotationRef(name);
  const gone = await tx.deleteFrom("catalog_entity").where("ref", "=", ref).returning("ref").executeTakeFirst();
  if (!gone) throw entityNotFound(ref);
  await record(tx, clock, { type: "catalog.organisation_member_removed", about: ref, actor });
}

const rotationRef = (name: string): string => `rotation:default/${name.toLowerCase()}`;

export interface NewGroup {
  name: string;
  title?: string | undefined;
  description?: string | undefined;
  /** References of users; who is not in the catalog yet is added. */
  members: readonly { ref: string; displayName?: string | undefined }[];
}

/** What golden paths take as an owner, too. */
const TEAM_NAME = /^[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?$/;

/** Creates a team with its members. Throws `catalog.team_name_refused`, `catalog.group_exists`. */
export async function createGroup(tx: Tx, clock: Clock, actor: Actor, group: NewGroup): Promise<string> {
  if (!TEAM_NAME.test(group.name))
    throw teamNameRefused(
      group.name,
      group.name
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, "-")
        .replaceAll(/^-|-$/g, ""),
    );
  const entity: Entity = {
    apiVersion: "backstage.io/v1alpha1",
    kind: "Group",
    metadata: {
      name: group.name,
      namespace: "default",
      ...(group.title && { title: group.title }),
      ...(group.description && { description: group.description }),
    },
    spec: { type: "team", children: [], members: group.members.map(({ ref }) => ref) },
  };
  const { findings } = await checkDocuments([entity], ORGANISATION_KINDS);
  if (findings.length > 0) throw descriptorInvalid(`Team ${group.name}`, findings);
  const added: string[] = [];
  for (const { ref, displayName } of [...group.members].sort((a, b) => (a.ref < b.ref ? -1 : 1))) {
    const [, namespace = "default", name = ""] = /^user:([^/]+)\/(.+)$/.exec(ref) ?? [];
    const user: Entity = {
      apiVersion: "backstage.io/v1alpha1",
      kind: "User",
      metadata: { name, namespace },
      spec: { profile: { displayName: displayName ?? name }, memberOf: [] },
    };
    const wrong = (await checkDocuments([user], ORGANISATION_KINDS)).findings;
    if (wrong.length > 0) throw descriptorInvalid(`Member ${ref}`, wrong);
    if (await insert(tx, clock, user, { source: "organisation" })) added.push(ref);
  }
  if (!(await insert(tx, clock, entity, { source: "organisation" }))) throw groupExists(group.name);
  for (const about of [...added, refOf(entity)]) await record(tx, clock, { type: "catalog.organisation_member_added", about, actor });
  return refOf(entity);
}
