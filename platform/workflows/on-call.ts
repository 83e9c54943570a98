import type { Rotation } from "../catalog/rotation.ts";
import { rotations } from "../catalog/rotations.ts";
import { ONCALL_ANNOTATION, type Tier } from "../catalog/model.ts";
import { groups, membersOf, serviceDetail, serviceView } from "../catalog/views.ts";
import { groupRef } from "../identity/access.ts";
import { onCallAt, type OnCall } from "../incidents/on-call.ts";
import { isFault } from "../kernel/faults.ts";
import type { Sql } from "../kernel/sql.ts";

/** Who answers for a service, as the catalog knows it now. */
export interface Answerers {
  /** Reference of the group whose people answer; undefined where the service has no owner in the catalog. */
  group: string | undefined;
  rotation: Rotation | undefined;
  /** The rotation that its descriptor names, whether the catalog has it or not. */
  named: string | undefined;
  /** References of who is in the group now. */
  members: string[];
  tier: Tier;
}

/** The owner of a service and its rotation; or the one that its descriptor names, whose group answers then. */
export async function answerersOf(db: Sql, service: string | null): Promise<Answerers> {
  const nobody: Answerers = { group: undefined, rotation: undefined, named: undefined, members: [], tier: "tier-3" };
  if (service === null) return nobody;
  const view = await serviceView(db, service).catch(missing);
  if (!view) return nobody;
  const named = (await serviceDetail(db, service)).entity.metadata.annotations?.[ONCALL_ANNOTATION];
  const every = await rotations(db);
  const rotation = every.find(({ name }) => name === named) ?? every.find(({ group }) => group === groupRef(view.owner));
  const group = rotation?.group ?? (view.ownerExists ? groupRef(view.owner) : undefined);
  const members = group === undefined ? [] : await membersOf(db, group);
  return { group, rotation, named, members, tier: view.tier };
}

/** Who is on call: of a group, of whoever answers for a service, or of every group that owns something or has a rotation. */
export async function onCallOf(db: Sql, of: { group?: string | undefined; service?: string | undefined }, now: Date): Promise<OnCall[]> {
  if (of.service !== undefined) {
    await serviceView(db, of.service);
    const { group, rotation, members } = await answerersOf(db, of.service);
    return group === undefined ? [] : [onCallAt(group, rotation, members, now)];
  }
  const every = await rotations(db);
  const wanted = of.group === undefined ? undefined : groupRef(of.group);
  return (await groups(db))
    .filter(({ ref, services }) => (wanted === undefined ? services > 0 || every.some(({ group }) => group === ref) : ref === wanted))
    .map(({ ref, members }) =>
      onCallAt(
        ref,
        every.find(({ group }) => group === ref),
        members.map((member) => member.ref),
        now,
      ),
    );
}

/** Undefined in the place of what is not there. */
export function missing(error: unknown): undefined {
  if (isFault(error) && error.kind === "not_found") return undefined;
  throw error;
}
