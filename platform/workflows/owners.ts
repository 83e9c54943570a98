import { rotations } from "../catalog/rotations.ts";
import type { Sql } from "../kernel/sql.ts";
import { groupsAmong } from "../catalog/store.ts";
import { ownerRef } from "./subject.ts";

/** Whether the catalog knows the group that a name, or a reference, means. */
export async function ownerExists(db: Sql, owner: string): Promise<boolean> {
  const ref = ownerRef(owner);
  return (await groupsAmong(db, [ref])).has(ref);
}

/** Name of the rotation of the group that a name, or a reference, means; null where it has none. */
export async function rotationOf(db: Sql, owner: string): Promise<string | null> {
  return (await rotations(db)).find(({ group }) => group === ownerRef(owner))?.name ?? null;
}
