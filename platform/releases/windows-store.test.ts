import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { openAt, WindowRule } from "./windows.ts";
import { declareFreeze, endFreeze, loadWindows, windows } from "./windows-store.ts";

const ada = "user:default/ada";
const grace = "user:default/grace";
const rule = (name: string, from = "09:00") =>
  WindowRule.parse({
    kind: "window",
    name,
    because: "office",
    timeZone: "Europe/Berlin",
    weekly: [{ days: ["mon"], from, until: "16:00" }],
  });

test("loadWindows() replaces what was loaded; what stays the same keeps its author, and the ledger says who loaded what", async () => {
  const db = await database();
  const clock = testClock();
  await transact(db, (tx) => loadWindows(tx, clock, ada, [rule("a"), rule("b"), rule("c")]));
  clock.turn(60);
  expect(await transact(db, (tx) => loadWindows(tx, clock, grace, [rule("a"), rule("b", "10:00"), rule("d")]))).toEqual({
    added: ["d"],
    changed: ["b"],
    removed: ["c"],
    unchanged: ["a"],
  });
  expect((await windows(db, clock.now())).map(({ rule: { name }, by }) => [name, by])).toEqual([
    ["a", ada],
    ["b", grace],
    ["d", grace],
  ]);
  await transact(db, (tx) => loadWindows(tx, clock, ada, [rule("a"), rule("b", "10:00"), rule("d")]));
  expect(await events(db, { types: ["releases.windows_loaded"] })).toMatchObject([
    { actor: ada, data: { added: ["a", "b", "c"] } },
    { actor: grace, data: { added: ["d"], changed: ["b"], removed: ["c"] } },
  ]);
});

test("loadWindows() refuses a name twice, and the name of a freeze that somebody declared; then nothing has changed", async () => {
  const db = await database();
  const clock = testClock();
  await transact(db, (tx) => declareFreeze(tx, clock, ada, { name: "fair", until: new Date("2026-03-02T00:00:00Z"), because: "fair" }));
  await expect(transact(db, (tx) => loadWindows(tx, clock, ada, [rule("a"), rule("a")]))).rejects.toMatchObject({
    code: "releases.windows_twice",
  });
  await expect(transact(db, (tx) => loadWindows(tx, clock, ada, [rule("a"), rule("fair")]))).rejects.toMatchObject({
    code: "releases.window_name_taken",
  });
  expect((await windows(db, clock.now())).map(({ rule: { name } }) => name)).toEqual(["fair"]);
});

test("declareFreeze() freezes from now until just before its end, over by the clock alone, and survives a load of the organisation's windows", async () => {
  const db = await database();
  const clock = testClock("2026-03-01T12:00:00.500Z");
  const until = new Date("2026-03-01T14:00:00.000Z");
  const kept = await transact(db, (tx) => declareFreeze(tx, clock, ada, { until, because: "the fair", services: ["orders"] }));
  await transact(db, (tx) => loadWindows(tx, clock, grace, []));
  const rules = (await windows(db, clock.now())).map((each) => each.rule);
  expect(rules).toHaveLength(1);
  expect(openAt(rules, clock.now())).toMatchObject({ open: false, opensAt: until });
  expect(openAt(rules, new Date(until.getTime() - 1)).open).toBe(false);
  expect(openAt(rules, until).open).toBe(true);
  expect(await windows(db, until)).toEqual([]);
  expect(await events(db, { types: ["releases.freeze_declared"] })).toMatchObject([
    { actor: ada, about: "component:default/orders", data: { id: kept.id, because: "the fair" } },
  ]);
});

test("declareFreeze() refuses an end that is past, and endFreeze() what nobody declared", async () => {
  const db = await database();
  const clock = testClock();
  const freeze = (until: string, name?: string) =>
    transact(db, (tx) => declareFreeze(tx, clock, ada, { until: new Date(until), because: "x", name }));
  await expect(freeze("2026-03-01T12:00:00Z")).rejects.toMatchObject({ code: "releases.freeze_over" });
  const kept = await freeze("2026-03-02T12:00:00Z", "fair");
  await expect(freeze("2026-03-03T12:00:00Z", "fair")).rejects.toMatchObject({ code: "releases.window_name_taken" });
  await expect(transact(db, (tx) => endFreeze(tx, clock, ada, "frz_none", "x"))).rejects.toMatchObject({ code: "releases.freeze_missing" });
  await transact(db, (tx) => loadWindows(tx, clock, ada, [{ ...rule("year-end"), kind: "freeze" }, rule("office")]));
  await expect(transact(db, (tx) => endFreeze(tx, clock, ada, "year-end", "x"))).rejects.toMatchObject({
    code: "releases.freeze_of_organisation",
  });
  await expect(transact(db, (tx) => endFreeze(tx, clock, ada, "office", "x"))).rejects.toMatchObject({ code: "releases.freeze_missing" });
  await transact(db, (tx) => endFreeze(tx, clock, grace, kept.id, "sold out"));
  expect((await windows(db, clock.now())).map((each) => each.rule.name)).toEqual(["office", "year-end"]);
  expect(await events(db, { types: ["releases.freeze_ended"] })).toMatchObject([
    { actor: grace, data: { declaredBy: ada, because: "sold out" } },
  ]);
});
