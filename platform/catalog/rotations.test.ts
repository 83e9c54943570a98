import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { anEntity } from "../testing/organisation.ts";
import { loadOrganisation, removeGroup, removeRotation } from "./organisation.ts";
import { rotations } from "./rotations.ts";

const clock = testClock();
const people = [
  anEntity("Group", "shop", { type: "team", children: [] }),
  anEntity("Group", "pay", { type: "team", children: [] }),
  anEntity("User", "ada", { memberOf: ["shop"] }),
  anEntity("User", "bob", { memberOf: ["shop"] }),
  anEntity("User", "eve", { memberOf: ["pay"] }),
];
const aRotation = (over: object = {}, name = "shop") =>
  anEntity(
    "Rotation",
    name,
    { owner: "shop", timeZone: "Europe/Berlin", start: "2026-01-05T09:00", members: ["ada", "bob"], ...over },
    "cairn.dev/v1alpha1",
  );
const stage = async () => {
  const db = await database();
  const load = (...documents: object[]) => transact(db, (tx) => loadOrganisation(tx, clock, "user:default/root", documents));
  await load(...people);
  return { db, load };
};

test.each<[string, object, string]>([
  ["a group that is none", { owner: "nobody" }, "group:default/nobody is no group"],
  ["somebody of another team", { members: ["ada", "eve"] }, "spec.members.1: user:default/eve is not a member of group:default/shop"],
  ["somebody whom nobody knows", { members: ["ada", "zoe"] }, "spec.members.1: user:default/zoe is nobody of the organisation"],
  [
    "a stranger who stands in",
    { overrides: [{ person: "eve", from: "2026-01-06T09:00", until: "2026-01-07T09:00" }] },
    "spec.overrides.0.person",
  ],
  ["somebody twice", { members: ["ada", "user:default/ada"] }, "user:default/ada is named twice"],
  ["nobody", { members: [] }, "spec.members: name at least one member"],
  ["a zone that is none", { timeZone: "Mars/Olympus" }, "spec.timeZone: the IANA database has no such time zone"],
  ["an offset", { start: "2026-01-05T09:00+01:00" }, "spec.start: write 2026-12-18T18:00, without an offset"],
  [
    "an override that ends before it begins",
    { overrides: [{ person: "ada", from: "2026-01-07T09:00", until: "2026-01-06T09:00" }] },
    "it ends before it begins",
  ],
  ["an escalation at once", { escalation: [{ afterMinutes: 0, to: "next" }] }, "spec.escalation.0.afterMinutes"],
  ["a field that is none", { membres: ["ada"] }, "membres"],
])("a rotation that names %s is refused, and says where", async (_what, over, said) => {
  const { db, load } = await stage();
  await expect(load(aRotation(over))).rejects.toMatchObject({
    code: "catalog.descriptor_invalid",
    facts: { findings: expect.arrayContaining([{ where: "Rotation shop", message: expect.stringContaining(said) }]) },
  });
  expect(await rotations(db)).toEqual([]);
});

test("a rotation is kept with full references, once for a group, and goes with it", async () => {
  const { db, load } = await stage();
  expect(await load(aRotation())).toMatchObject({ created: ["rotation:default/shop"] });
  expect(await load(aRotation())).toMatchObject({ unchanged: ["rotation:default/shop"] });
  expect(await load(aRotation({ members: ["bob", "ada"] }))).toMatchObject({ updated: ["rotation:default/shop"] });
  expect(await rotations(db)).toEqual([
    {
      name: "shop",
      title: "shop",
      group: "group:default/shop",
      timeZone: "Europe/Berlin",
      start: "2026-01-05T09:00",
      frequency: "weekly",
      interval: 1,
      members: ["user:default/bob", "user:default/ada"],
      overrides: [],
      escalation: null,
    },
  ]);
  await expect(load(aRotation({}, "other"))).rejects.toMatchObject({ message: expect.stringContaining("has the rotation shop already") });
  await transact(db, (tx) => removeGroup(tx, clock, "user:default/root", "shop"));
  expect(await rotations(db)).toEqual([]);
  await expect(transact(db, (tx) => removeRotation(tx, clock, "user:default/root", "shop"))).rejects.toMatchObject({
    code: "catalog.entity_not_found",
  });
  expect((await events(db, { types: ["catalog.organisation_member_removed"] })).map(({ about }) => about)).toEqual([
    "group:default/shop",
    "rotation:default/shop",
  ]);
});

test("a rotation and its people may come in one file, in any order", async () => {
  const db = await database();
  await transact(db, (tx) => loadOrganisation(tx, clock, "user:default/root", [aRotation(), ...people]));
  expect(await rotations(db)).toHaveLength(1);
});
