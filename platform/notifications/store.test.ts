import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import type { Notice } from "./model.ts";
import { inbox, markRead, tell, type Reader } from "./store.ts";

const clock = testClock();
const aNotice = (over: Partial<Notice> = {}): Notice => ({
  key: "release rel_1 held",
  kind: "release.held",
  title: "The release of orders to production is held",
  body: "No request has reached the canary.",
  link: "/releases/rel_1",
  about: "component:default/orders",
  audience: ["group:default/team-a"],
  except: [],
  urgent: true,
  ...over,
});
const ada: Reader = { ref: "user:default/ada", groups: ["group:default/team-a"], administrator: false };
const eve: Reader = { ref: "user:default/eve", groups: ["group:default/team-b"], administrator: false };
const root: Reader = { ref: "user:default/administrator", groups: [], administrator: true };

test("tell() tells once, however often and by however many at once it is handed in", async () => {
  const db = await database();
  const told = await Promise.all([1, 2, 3].map(() => transact(db, (tx) => tell(tx, clock, aNotice(), "http://cairn.test"))));
  expect(told.filter(Boolean)).toHaveLength(1);
  expect((await inbox(db, ada, { limit: 10 })).items).toMatchObject([
    { kind: "release.held", readAt: null, audience: ["group:default/team-a"] },
  ]);
  expect(await events(db, { types: ["notifications.told"] })).toMatchObject([
    { about: "component:default/orders", data: { webhooks: [] } },
  ]);
});

test("inbox() shows what is addressed to who is in the group now, and not to who did it", async () => {
  const db = await database();
  await transact(db, (tx) => tell(tx, clock, aNotice({ except: ["user:default/bob"] }), "http://cairn.test"));
  clock.turn(1);
  await transact(db, (tx) => tell(tx, clock, aNotice({ key: "2", audience: ["administrators", eve.ref] }), "http://cairn.test"));
  const seenBy = async (reader: Reader) => (await inbox(db, reader, { limit: 10 })).items.map(({ audience }) => audience[0]);
  expect(await seenBy(ada)).toEqual(["group:default/team-a"]);
  expect(await seenBy({ ...ada, groups: [] })).toEqual([]);
  expect(await seenBy({ ...eve, groups: [...eve.groups, "group:default/team-a"] })).toEqual(["administrators", "group:default/team-a"]);
  expect(await seenBy({ ...ada, ref: "user:default/bob" })).toEqual([]);
  expect(await seenBy(root)).toEqual(["administrators"]);
});

test("markRead() marks one's own and nobody else's, and nothing that is not addressed to one", async () => {
  const db = await database();
  for (const key of ["1", "2", "3"]) await transact(db, (tx) => tell(tx, clock, aNotice({ key }), "http://cairn.test"));
  const [newest] = (await inbox(db, ada, { limit: 1 })).items;
  const mark = (reader: Reader, which: string[] | "all") => transact(db, (tx) => markRead(tx, clock, reader, which));
  expect(await mark(eve, [newest?.id ?? ""])).toBe(0);
  expect(await mark(ada, [newest?.id ?? "", "ntf_none"])).toBe(1);
  expect(await mark(ada, [newest?.id ?? ""])).toBe(0);
  expect(await inbox(db, ada, { limit: 10 })).toMatchObject({
    unread: 2,
    items: [{ readAt: clock.now() }, { readAt: null }, { readAt: null }],
  });
  expect((await inbox(db, { ...ada, ref: "user:default/bob" }, { limit: 10 })).unread).toBe(3);
  expect(await mark(ada, "all")).toBe(2);
  expect(await inbox(db, ada, { unread: true, limit: 10 })).toEqual({ items: [], unread: 0, next: null });
  expect(await events(db, { types: ["notifications.read"] })).toHaveLength(2);
});

test("inbox() gives pages that follow one another", async () => {
  const db = await database();
  for (let n = 0; n < 5; n++)
    await transact(db, (tx) => tell(tx, clock, aNotice({ key: `${n}`, title: `notice ${n}` }), "http://cairn.test"));
  const seen: string[] = [];
  for (let before: string | undefined, more = true; more;) {
    const page = await inbox(db, ada, { limit: 2, before });
    seen.push(...page.items.map(({ id }) => id));
    before = page.next ?? undefined;
    more = page.next !== null;
  }
  expect(new Set(seen).size).toBe(5);
});
