import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import type { Plan } from "./model.ts";
import { claim, find, offer } from "./store.ts";

const clock = testClock();
const by = "user:default/example";

const aPlan = (overrides: Partial<Plan> = {}): Plan => ({
  kind: "create-service",
  about: "component:default/orders",
  title: "Create orders",
  basis: { "golden path": "sha256:1", name: "free" },
  changes: [],
  cost: { monthly: null, currency: "EUR", unknown: ["compute"] },
  decisions: [],
  rollout: [],
  unknowns: [],
  rollback: "Removes what it made.",
  payload: {},
  ...overrides,
});

const applying = (basisNow: Record<string, string>, run = "run_1") => ({ basisNow, run, begin: async () => {} });

test("claim() refuses a plan whose basis changed, says what changed, and marks it stale", async () => {
  const db = await database();
  const digest = await transact(db, (tx) => offer(tx, clock, by, aPlan()));
  await expect(claim(db, clock, by, digest, applying({ "golden path": "sha256:2", name: "free" }))).rejects.toMatchObject({
    code: "plans.stale",
    facts: { differing: ["golden path"] },
  });
  expect(await find(db, digest)).toMatchObject({ state: "stale", run: null });
});

test("claim() refuses a plan that policy denies", async () => {
  const db = await database();
  const denied = {
    point: "plan",
    environment: null,
    outcome: "deny" as const,
    results: [
      {
        rule: "owner-exists",
        outcome: "denied",
        subject: "component:default/orders",
        message: "no such group",
        fix: "",
        mode: "enforce",
        exceptionsBy: [],
        relievedBy: null,
      },
    ],
  };
  const digest = await transact(db, (tx) => offer(tx, clock, by, aPlan({ decisions: [denied] })));
  await expect(claim(db, clock, by, digest, applying(aPlan().basis))).rejects.toMatchObject({
    code: "plans.denied",
    message: expect.stringContaining("no such group"),
  });
});

test("claim() gives one run to all who apply a plan at once", async () => {
  const db = await database();
  const digest = await transact(db, (tx) => offer(tx, clock, by, aPlan()));
  const runs = await Promise.all(["a", "b", "c", "d"].map((run) => claim(db, clock, by, digest, applying(aPlan().basis, run))));
  expect(new Set(runs).size).toBe(1);
  expect((await events(db, { types: ["plans.applied"] })).length).toBe(1);
});

test("offer() keeps one plan once, and find() refuses an unknown digest", async () => {
  const db = await database();
  const first = await transact(db, (tx) => offer(tx, clock, by, aPlan()));
  expect(await transact(db, (tx) => offer(tx, clock, by, aPlan()))).toBe(first);
  expect((await events(db, { types: ["plans.offered"] })).length).toBe(1);
  await expect(find(db, "sha256:0")).rejects.toMatchObject({ code: "plans.missing" });
});
