import { expect, test } from "vitest";
import { transact, type Db } from "../kernel/sql.ts";
import { testClock, type TestClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import {
  acknowledge,
  endAlert,
  eventsOf,
  findIncident,
  fire,
  incidents,
  keyOf,
  notePage,
  noteReview,
  noteReviewChange,
  openIncident,
  reopen,
  resolve,
  type FiringAlert,
} from "./store.ts";

const ada = "user:default/ada";
const bySlo = "system:observability";
const anAlert = (clock: TestClock, over: Partial<FiringAlert> = {}): FiringAlert => ({
  source: "slo",
  service: "orders",
  environment: "production",
  alert: "availability",
  fingerprint: "slo/orders/production/availability/page-1h",
  startsAt: clock.now(),
  name: "availability page-1h",
  severity: "page",
  title: "orders in production: Availability burns",
  because: "36 % of an hour's requests failed",
  link: null,
  ...over,
});
const stage = async () => {
  const [db, clock] = [await database(), testClock()];
  return {
    db,
    clock,
    alerts: (over: Partial<FiringAlert> = {}) => transact(db, (tx) => fire(tx, clock, bySlo, anAlert(clock, over))),
    over: (fingerprint = "slo/orders/production/availability/page-1h") =>
      transact(db, (tx) => endAlert(tx, clock, bySlo, { key: keyOf(anAlert(clock)), fingerprint })),
  };
};
const typesOf = async (db: Db, id: string) => (await eventsOf(db, id)).map(({ type }) => type.replace("incidents.", ""));

test("fire() opens one incident for all alerts of a service in an environment, and takes the same firing once", async () => {
  const { db, clock, alerts } = await stage();
  const { incident, what } = await alerts();
  expect(what).toBe("opened");
  expect((await alerts()).what).toBe("known");
  clock.turn(60);
  expect(await alerts({ alert: "latency", fingerprint: "slo/orders/production/latency/page-1h" })).toMatchObject({
    what: "joined",
    incident: { id: incident.id, firing: 2 },
  });
  expect((await alerts({ environment: "staging", fingerprint: "s" })).what).toBe("opened");
  expect((await incidents(db, { state: "active" })).items).toHaveLength(2);
  expect(await typesOf(db, incident.id)).toEqual(["opened", "alert_fired"]);
});

test("of two alerts at the same moment one opens the incident, and the other joins it", async () => {
  const { alerts } = await stage();
  const both = await Promise.all([1, 2, 3, 4].map((n) => alerts({ fingerprint: `rule ${n}` })));
  expect(both.map(({ what }) => what).toSorted()).toEqual(["joined", "joined", "joined", "opened"]);
  expect(new Set(both.map(({ incident }) => incident.id)).size).toBe(1);
});

test("an incident ends with its last alert, and opens again where one is back within half an hour; later it is another one", async () => {
  const { db, clock, alerts, over } = await stage();
  const { incident } = await alerts();
  await alerts({ fingerprint: "second" });
  expect(await over()).toMatchObject({ state: "open", firing: 1 });
  clock.turn(60);
  expect(await over("second")).toMatchObject({ state: "resolved", resolved: { by: "system:incidents", because: "its alerts ended" } });
  expect(await over("second")).toBeUndefined();
  clock.turn(29 * 60);
  expect(await alerts()).toMatchObject({
    what: "reopened",
    incident: { id: incident.id, state: "open", round: 2, resolved: null, acknowledged: null },
  });
  await over();
  clock.turn(31 * 60);
  expect((await alerts()).what).toBe("opened");
  expect(await typesOf(db, incident.id)).toEqual([
    "opened",
    "alert_fired",
    "alert_ended",
    "alert_ended",
    "resolved",
    "reopened",
    "alert_ended",
    "resolved",
  ]);
});

test("what began before a person called it over does not open it again, what begins after does; what never ended opens it when it is looked at", async () => {
  const { db, clock, alerts } = await stage();
  const began = clock.now();
  const { incident } = await alerts();
  clock.turn(300);
  await transact(db, (tx) => resolve(tx, clock, ada, incident.id, "rolled back"));
  clock.turn(60);
  expect((await alerts({ fingerprint: "page-6h", startsAt: began })).what).toBe("joined");
  expect(await findIncident(db, incident.id)).toMatchObject({ state: "resolved", firing: 2 });
  await transact(db, (tx) => reopen(tx, clock, "system:incidents", incident.id, "it still fires"));
  expect(await findIncident(db, incident.id)).toMatchObject({ state: "open", round: 2 });
  await transact(db, (tx) => resolve(tx, clock, ada, incident.id, "rolled back again"));
  clock.turn(60);
  expect((await alerts({ fingerprint: "new" })).what).toBe("reopened");
});

test("tickets that go on after a page keep it neither open nor open it again: they fire for hours after every outage", async () => {
  const { db, clock, alerts, over } = await stage();
  const began = clock.now();
  const { incident } = await alerts();
  await alerts({ severity: "ticket", fingerprint: "ticket-1d" });
  clock.turn(300);
  expect(await over()).toMatchObject({ state: "resolved", firing: 0 });
  expect((await alerts({ severity: "ticket", fingerprint: "ticket-3d", startsAt: began })).what).toBe("joined");
  expect((await alerts({ fingerprint: "page-6h", startsAt: began })).what).toBe("reopened");
  expect((await findIncident(db, incident.id)).fired).toBe(4);
});

test("a page in the place of a ticket is told anew, unless somebody looks at it already", async () => {
  const { db, clock, alerts } = await stage();
  const { incident } = await alerts({ severity: "ticket", fingerprint: "ticket-1d" });
  expect(await alerts()).toMatchObject({ what: "raised", incident: { severity: "page", round: 2 } });
  await transact(db, (tx) => acknowledge(tx, clock, ada, incident.id));
  expect(await alerts({ fingerprint: "page-6h" })).toMatchObject({ what: "joined", incident: { round: 2, state: "acknowledged" } });
});

test("acknowledge() and resolve() refuse what is done already, and say who did it", async () => {
  const { db, clock } = await stage();
  const order = { title: "Totals are wrong", service: "orders", environment: null, severity: "page" as const, because: "" };
  const { id } = await transact(db, (tx) => openIncident(tx, clock, ada, order));
  await transact(db, (tx) => acknowledge(tx, clock, ada, id));
  await expect(transact(db, (tx) => acknowledge(tx, clock, "user:default/bob", id))).rejects.toMatchObject({
    code: "incidents.acknowledged",
    message: expect.stringContaining(ada),
  });
  await expect(transact(db, (tx) => noteReview(tx, clock, ada, id, "orders/3"))).rejects.toMatchObject({ code: "incidents.not_resolved" });
  await transact(db, (tx) => resolve(tx, clock, ada, id, "a restart"));
  for (const act of [acknowledge, (...[tx, at, by, one]: Parameters<typeof acknowledge>) => resolve(tx, at, by, one, "again")])
    await expect(transact(db, (tx) => act(tx, clock, ada, id))).rejects.toMatchObject({ code: "incidents.resolved" });
  await expect(findIncident(db, "inc_0")).rejects.toMatchObject({ code: "incidents.missing" });
});

test("notePage() tells nobody of an incident that was acknowledged, is over, or is in another round", async () => {
  const { db, clock, alerts } = await stage();
  const { incident } = await alerts();
  const page = { level: 0, audience: [ada], because: "has the turn", seconds: 300 };
  expect(await transact(db, (tx) => notePage(tx, clock, incident.id, 2, page))).toBe(false);
  expect(await transact(db, (tx) => notePage(tx, clock, incident.id, 1, page))).toBe(true);
  expect((await findIncident(db, incident.id)).escalation).toEqual({
    level: 0,
    told: [ada],
    nextAt: new Date(clock.now().getTime() + 300_000),
  });
  await transact(db, (tx) => acknowledge(tx, clock, ada, incident.id));
  expect(await transact(db, (tx) => notePage(tx, clock, incident.id, 1, page))).toBe(false);
});

test("a draft that is merged is the review, and one that is closed is none", async () => {
  const { db, clock, alerts, over } = await stage();
  const { incident } = await alerts();
  await over();
  await transact(db, (tx) => noteReview(tx, clock, ada, incident.id, "orders/3"));
  await transact(db, (tx) => noteReviewChange(tx, clock, ada, "orders/4", "merged"));
  expect((await findIncident(db, incident.id)).review).toEqual({ state: "drafted", change: "orders/3" });
  await transact(db, (tx) => noteReviewChange(tx, clock, ada, "orders/3", "closed"));
  expect((await findIncident(db, incident.id)).review).toEqual({ state: "none", change: null });
  await transact(db, (tx) => noteReview(tx, clock, ada, incident.id, "orders/4"));
  for (let twice = 0; twice < 2; twice++) await transact(db, (tx) => noteReviewChange(tx, clock, ada, "orders/4", "merged"));
  expect((await findIncident(db, incident.id)).review).toEqual({ state: "done", change: "orders/4" });
  await expect(transact(db, (tx) => noteReview(tx, clock, ada, incident.id, "orders/5"))).rejects.toMatchObject({
    code: "incidents.review_done",
  });
  expect((await typesOf(db, incident.id)).slice(-4)).toEqual(["review_drafted", "review_closed", "review_drafted", "reviewed"]);
});

test("incidents() gives pages, newest first, of some services and states", async () => {
  const { db, clock, alerts } = await stage();
  for (const service of ["a", "b", "c"]) {
    clock.turn(1);
    await alerts({ service, fingerprint: service });
  }
  const first = await incidents(db, { limit: 2 });
  expect(first.items.map(({ service }) => service)).toEqual(["c", "b"]);
  expect((await incidents(db, { limit: 2, before: first.next ?? "" })).items.map(({ service }) => service)).toEqual(["a"]);
  expect((await incidents(db, { services: ["a", "c"] })).items).toHaveLength(2);
  expect((await incidents(db, { services: [] })).items).toEqual([]);
  expect((await incidents(db, { state: "resolved" })).items).toEqual([]);
});
