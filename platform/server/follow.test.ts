import { expect, test } from "vitest";
import { systemClock as clock } from "../kernel/clock.ts";
import { Fault } from "../kernel/faults.ts";
import { silentLog as log } from "../kernel/log.ts";
import { transact } from "../kernel/sql.ts";
import { events, record } from "../ledger/store.ts";
import { database } from "../testing/database.ts";
import { startFollowing } from "./follow.ts";

const db = await database();
const merged = (name: string) =>
  transact(db, (tx) =>
    record(tx, clock, { type: "forge.change_merged", about: `component:default/${name}`, actor: "user:default/ada", data: { name } }),
  );

test("an event that nothing can follow is recorded as failed, and those after it are followed", async () => {
  const tried: string[] = [];
  const poisoned = await merged("broken");
  await merged("orders");
  const following = startFollowing({
    db,
    clock,
    log,
    live: { onChange: () => () => {} },
    everyMs: 1,
    follow: async ({ data }) => {
      tried.push(String(data.name));
      if (data.name === "broken") throw new Fault("failed", "forge.broken", "The repository can't be read", "Restore it.");
    },
  });
  try {
    await expect.poll(() => tried.at(-1)).toBe("orders");
  } finally {
    await following.close();
  }
  expect(tried.filter((name) => name === "broken").length).toBeGreaterThan(1);
  expect(await events(db, { types: ["workflows.event_failed"] })).toMatchObject([
    {
      about: "component:default/broken",
      data: { seq: poisoned.seq, type: "forge.change_merged", code: "forge.broken", because: "The repository can't be read" },
    },
  ]);
});

test("an event waits for what is out of reach, however long", async () => {
  const consumer = { name: "patient", types: ["forge.change_opened"] };
  let tries = 0;
  await transact(db, (tx) =>
    record(tx, clock, { type: "forge.change_opened", about: "component:default/late", actor: "user:default/ada", data: {} }),
  );
  const following = startFollowing({
    db,
    clock,
    log,
    consumer,
    live: { onChange: () => () => {} },
    everyMs: 1,
    follow: async () => {
      tries += 1;
      if (tries <= 15) throw new Fault("unavailable", "runtime.away", "The agent does not answer", "Wait.");
      if (tries <= 30) throw new Error("Connection terminated unexpectedly");
    },
  });
  try {
    await expect.poll(() => tries).toBe(31);
  } finally {
    await following.close();
  }
  expect(await events(db, { types: ["workflows.event_failed"], about: "component:default/late" })).toEqual([]);
});
