import type { Sql } from "../kernel/sql.ts";
import type { Entity, Finding } from "./model.ts";
import { ownerRefOf, userRefOf } from "./relations.ts";
import { RotationSpec, type Rotation } from "./rotation.ts";

/** Every rotation, by name. */
export async function rotations(db: Sql): Promise<Rotation[]> {
  const rows = await db.selectFrom("catalog_entity").select("entity").where("kind", "=", "rotation").orderBy("name").execute();
  return rows.map(({ entity }) => rotationOf(entity));
}

/** What rotations name and the catalog does not know: groups that are none, people who are not in theirs, a group that has two. */
export async function misnamed(db: Sql, loaded: readonly Entity[]): Promise<Finding[]> {
  const mine = loaded.filter(({ kind }) => kind === "Rotation");
  if (mine.length === 0) return [];
  const every = await rotations(db);
  const members = await db
    .selectFrom("catalog_relation as member")
    .innerJoin("catalog_entity as team", (join) => join.onRef("team.ref", "=", "member.source_ref").on("team.kind", "=", "group"))
    .select(["member.source_ref", "member.target_ref"])
    .where("member.type", "=", "hasMember")
    .execute();
  const people = await db.selectFrom("catalog_entity").select(["ref", "kind"]).where("kind", "in", ["user", "group"]).execute();
  const known = new Set(people.map(({ ref }) => ref));
  return mine.flatMap((entity) => {
    const rotation = rotationOf(entity);
    const where = `Rotation ${entity.metadata.name}`;
    if (!known.has(rotation.group)) return [{ where, message: `spec.owner: ${rotation.group} is no group of the organisation` }];
    const inGroup = new Set(members.filter(({ source_ref }) => source_ref === rotation.group).map(({ target_ref }) => target_ref));
    const named = [
      ...rotation.members.map((ref, at) => ({ ref, at: `spec.members.${at}` })),
      ...rotation.overrides.map(({ person }, at) => ({ ref: person, at: `spec.overrides.${at}.person` })),
    ];
    const strangers = named
      .filter(({ ref }) => !inGroup.has(ref))
      .map(({ ref, at }) => ({
        where,
        message: known.has(ref) ? `${at}: ${ref} is not a member of ${rotation.group}` : `${at}: ${ref} is nobody of the organisation`,
      }));
    const twice = rotation.members.filter((ref, at) => rotation.members.indexOf(ref) !== at);
    const other = every.find(({ name, group }) => group === rotation.group && name !== rotation.name);
    return [
      ...strangers,
      ...[...new Set(twice)].map((ref) => ({ where, message: `spec.members: ${ref} is named twice` })),
      ...(other ? [{ where, message: `spec.owner: ${rotation.group} has the rotation ${other.name} already; a group has one` }] : []),
    ];
  });
}

function rotationOf(entity: Entity): Rotation {
  const spec = RotationSpec.parse(entity.spec);
  const person = (written: string) => userRefOf(written) ?? written;
  const { timeZone, start, frequency, interval, escalation } = spec;
  return {
    name: entity.metadata.name,
    title: entity.metadata.title ?? entity.metadata.name,
    group: ownerRefOf(entity) ?? spec.owner,
    timeZone,
    start,
    frequency,
    interval,
    members: spec.members.map(person),
    overrides: spec.overrides.map((one) => ({ ...one, person: person(one.person) })),
    escalation: escalation ?? null,
  };
}
