import { sql } from "kysely";
import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { consume, events, keep, read, record, verify } from "./store.ts";

const clock = testClock();
const event = (n: number) => ({
  type: "test.noted",
  about: "component:default/orders",
  actor: "user:default/example",
  data: { n, at: new Date(0) },
});

test("record() refuses nothing, chains every line, and the database refuses to change one", async () => {
  const db = await database();
  await Promise.all(Array.from({ length: 20 }, (_, n) => transact(db, (tx) => record(tx, clock, event(n)))));
  const lines = await events(db);
  expect(lines.map((line) => line.seq)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  expect(await verify(db, 7)).toBeUndefined();
  await expect(sql`update ledger_event set actor = 'nobody' where seq = 3`.execute(db)).rejects.toThrow("append-only");
  await expect(sql`delete from ledger_event where seq = 3`.execute(db)).rejects.toThrow("append-only");
});

test.each([
  ["changed", sql`update ledger_event set data = '{"n": 99}' where seq = 2`, 2],
  ["removed", sql`delete from ledger_event where seq = 2`, 2],
  [
    "removed with what follows renumbered",
    sql`do $$ begin delete from ledger_event where seq = 2; update ledger_event set seq = 2 where seq = 3; end $$`,
    2,
  ],
])("verify() finds a line that was %s behind the trigger's back", async (_what, attack, seq) => {
  const db = await database();
  for (let n = 0; n < 4; n++) await transact(db, (tx) => record(tx, clock, event(n)));
  await sql`alter table ledger_event disable trigger append_only`.execute(db);
  await attack.execute(db);
  expect(await verify(db)).toMatchObject({ seq });
});

test("keep() gives one document one row, and read() refuses an unknown digest", async () => {
  const db = await database();
  const first = await keep(db, { b: 1, a: [2, null] }, "application/json");
  expect(await keep(db, { a: [2, null], b: 1 }, "application/json")).toBe(first);
  expect(await read(db, first)).toEqual({ a: [2, null], b: 1 });
  await expect(read(db, "sha256:00")).rejects.toMatchObject({ code: "ledger.document_missing" });
});

test("consume() hands each event once and goes on after a failure", async () => {
  const db = await database();
  for (let n = 0; n < 3; n++) await transact(db, (tx) => record(tx, clock, event(n)));
  const seen: unknown[] = [];
  let fail = true;
  const handle = async (line: { data: Record<string, unknown> }) => {
    if (line.data.n === 1 && fail) throw new Error("not now");
    seen.push(line.data.n);
  };
  await expect(consume(db, "test", ["test.noted"], handle)).rejects.toThrow("not now");
  fail = false;
  expect(await consume(db, "test", ["test.noted"], handle)).toBe(2);
  expect(await consume(db, "test", ["test.noted"], handle)).toBe(0);
  expect(seen).toEqual([0, 1, 2]);
});
