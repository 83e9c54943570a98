import { expect, test } from "vitest";
import { Fault } from "../kernel/faults.ts";
import { database } from "../testing/database.ts";
import { testClock } from "../testing/clock.ts";
import { workflow } from "./contract.ts";
import { toText } from "./durable.ts";
import { rehearse } from "./rehearse.ts";
import { addRun, changeRun, run, runs } from "./store.ts";

const at = new Date("2026-03-01T12:00:00Z");
const aRun = (id: string, about: string) => ({
  id,
  workflow: "greet",
  about,
  startedBy: "user:default/ada",
  parent: null,
  input: toText(null),
  outline: ["a", "b", "a"],
  at,
});

test("runs() filters by what they are about and by state, newest first; run() gives the steps or refuses", async () => {
  const db = await database();
  for (const [n, about] of ["component:default/orders", "component:default/stock", "component:default/orders"].entries())
    expect(await addRun(db, { ...aRun(`r${n}`, about), at: new Date(at.getTime() + n) })).toBe(true);
  expect(await addRun(db, aRun("r0", "component:default/other"))).toBe(false);
  await changeRun(db, "r2", {
    state: "failed",
    error: { kind: "failed", code: "x.y", message: "m", next: "n", facts: { path: "/secret" } },
    endedAt: at,
    at,
  });
  expect((await runs(db, { limit: 10, about: "component:default/orders" })).map((one) => one.id)).toEqual(["r2", "r0"]);
  expect((await runs(db, { limit: 10, state: "failed" })).map((one) => one.error)).toEqual([{ code: "x.y", message: "m", next: "n" }]);
  expect((await runs(db, { limit: 1 })).map((one) => one.id)).toEqual(["r2"]);
  expect((await run(db, "r0")).steps.map((step) => [step.position, step.name, step.state])).toEqual([
    [0, "a", "pending"],
    [1, "b", "pending"],
  ]);
  await expect(run(db, "nothing")).rejects.toMatchObject({ code: "orchestrator.run_unknown", kind: "not_found" });
});

test("rehearse() runs a body with real transactions, turned time and rollbacks", async () => {
  const db = await database();
  const clock = testClock();
  let tries = 0;
  const inner = workflow(
    "inner",
    () => [],
    async (its, n: number) => its.step("dig", async () => n + 1),
  );
  const story = workflow(
    "story",
    () => [],
    async (its, fails: boolean, parts: { unit: string }) => {
      const two = await its.child("nested", inner, 1);
      await its.transaction("add", (tx) => addRun(tx, aRun(`of ${its.id}`, its.about)), { rollback: async () => {} });
      const before = await its.now();
      await its.pause(60);
      const word = await its.waitFor<string>("word", { topic: "t", waitsFor: "a word" });
      const none = await its.waitFor("more", { topic: "t", waitsFor: "a word", timeoutSeconds: 40 });
      await its.step("again", async () => {
        if (++tries < 3) throw new Fault("unavailable", "test.away", "Away", "Wait.");
      });
      if (fails) throw new Fault("failed", "test.no", "No", "Nothing.");
      return `${two} ${parts.unit} ${word} ${String(none)} ${(clock.now().getTime() - before.getTime()) / 1000}`;
    },
  );
  const given = { db, clock, parts: { unit: "m" }, messages: { t: ["hello"] } };
  expect(await rehearse(story, false, { ...given, id: "one" })).toMatchObject({
    output: "2 m hello undefined 100",
    steps: ["nested/dig", "nested", "add", "word", "more", "again"],
  });
  expect(await rehearse(story, true, { ...given, id: "two" })).toMatchObject({
    output: undefined,
    fault: { code: "test.no" },
    steps: expect.arrayContaining(["undo add"]),
  });
  expect(await run(db, "of one")).toMatchObject({ id: "of one" });
});
