import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import type { Plan } from "./model.ts";
import { approve, claim, find, offer, outdate } from "./store.ts";

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

const wanting = (overrides: Partial<Plan> = {}) =>
  aPlan({ kind: "deliver", payload: { approval: { owner: "group:default/shop", authors: ["user:default/ada"] } }, ...overrides });
const grace = { ref: "user:default/grace" };

test("approve() approves one digest: of a plan that differs by a byte nothing is approved", async () => {
  const db = await database();
  const [digest, other] = await transact(db, async (tx) => [
    await offer(tx, clock, by, wanting()),
    await offer(tx, clock, by, wanting({ rollback: "Removes what it made!" })),
  ]);
  await transact(db, (tx) => approve(tx, clock, grace, digest!));
  await transact(db, (tx) => approve(tx, clock, grace, digest!));
  expect((await find(db, digest!)).approvals).toEqual([{ by: grace.ref, at: clock.now(), tokenBy: null }]);
  expect((await find(db, other!)).approvals).toEqual([]);
  expect(await events(db, { types: ["plans.approved"] })).toMatchObject([
    { actor: grace.ref, about: "component:default/orders", data: { digest, tokenBy: null } },
  ]);
});

test("approve() keeps who made the token that it was given with", async () => {
  const db = await database();
  const digest = await transact(db, (tx) => offer(tx, clock, by, wanting()));
  await transact(db, (tx) => approve(tx, clock, { ...grace, tokenBy: "user:default/ada" }, digest));
  expect((await find(db, digest)).approvals).toMatchObject([{ tokenBy: "user:default/ada" }]);
});

test("approve() refuses what needs none, what is stale, what was applied and what is not there", async () => {
  const db = await database();
  const approving = (digest: `sha256:${string}`) => transact(db, (tx) => approve(tx, clock, grace, digest));
  const kept = (plan: Plan) => transact(db, (tx) => offer(tx, clock, by, plan));
  await expect(approving("sha256:0")).rejects.toMatchObject({ code: "plans.missing" });
  await expect(approving(await kept(aPlan()))).rejects.toMatchObject({ code: "plans.needs_no_approval" });
  await expect(approving(await kept(aPlan({ payload: { approval: null } })))).rejects.toMatchObject({ code: "plans.needs_no_approval" });
  const stale = await kept(wanting({ title: "stale" }));
  await transact(db, (tx) => outdate(tx, clock, by, stale, ["serves"]));
  await transact(db, (tx) => outdate(tx, clock, by, stale, ["serves"]));
  expect(await events(db, { types: ["plans.found_stale"] })).toMatchObject([{ data: { digest: stale, differing: ["serves"] } }]);
  await expect(approving(stale)).rejects.toMatchObject({ code: "plans.stale" });
  const applied = await kept(wanting({ title: "applied" }));
  await claim(db, clock, by, applied, applying(aPlan().basis));
  await expect(approving(applied)).rejects.toMatchObject({ code: "plans.applied" });
});
