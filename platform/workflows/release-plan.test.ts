import { expect, test } from "vitest";
import { transact, type Db } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import { aRollout, canaryArm } from "../releases/a-rollout.ts";
import { beginRelease, endRelease, planRelease } from "../releases/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { overtakenBy } from "./release-plan.ts";

const clock = testClock();
const actor = "user:default/example";
const at = { service: "orders", repository: "orders", environment: "dev" };
const [older, newer] = ["a".repeat(40), "b".repeat(40)];

const merge = (db: Db, commit: string) =>
  transact(db, (tx) =>
    record(tx, clock, { type: "forge.change_merged", about: "repository:orders", actor, data: { repository: "orders", commit } }),
  );

async function promote(db: Db, commit: string): Promise<void> {
  const planned = {
    service: "orders",
    environment: "dev",
    commit,
    artifactDigest: canaryArm.artifactDigest,
    revision: canaryArm.revision,
    plan: `sha256:${"1".repeat(64)}`,
    stepsPercent: [100],
  };
  clock.turn(1);
  const { id } = await transact(db, (tx) => planRelease(tx, clock, actor, planned));
  await transact(db, (tx) => beginRelease(tx, clock, actor, id, { decision: "dec_1", rules: aRollout().rules }));
  await transact(db, (tx) => endRelease(tx, clock, actor, id, { state: "promoted", because: "healthy" }));
}

test("overtakenBy() stops a merge that a later one has overtaken, and no other", async () => {
  const db = await database();
  await merge(db, older);
  await merge(db, newer);
  expect(await overtakenBy(db, { ...at, commit: older })).toBeUndefined();
  await promote(db, older);
  expect(await overtakenBy(db, { ...at, commit: newer })).toBeUndefined();
  await promote(db, newer);
  expect(await overtakenBy(db, { ...at, commit: older })).toBe(newer);
  expect(await overtakenBy(db, { ...at, commit: newer })).toBeUndefined();
  expect(await overtakenBy(db, { ...at, environment: "staging", commit: older })).toBeUndefined();
});
