import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { loadOrganisation } from "../catalog/organisation.ts";
import { ingest, register, removeEntities } from "../catalog/store.ts";
import { localForge } from "../forge/local/forge.ts";
import { openIncident } from "../incidents/store.ts";
import { silentLog as log } from "../kernel/log.ts";
import { openDatabase, transact, type Db } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import type { ScoreFacts } from "../scorecards/model.ts";
import { loadScorecard } from "../scorecards/rules.ts";
import { score } from "../scorecards/score.ts";
import { countStates, keepScore, keptScores } from "../scorecards/store.ts";
import { evaluation, scoreFactsOf } from "../server/objectives.ts";
import { testClock } from "../testing/clock.ts";
import { testDatabase } from "../testing/database.ts";
import { scorecardRefresher } from "./refresh-scorecards.ts";

const rules = await loadScorecard(join(import.meta.dirname, "../../library/scorecards/service.yaml"));
const ada = "user:default/ada";
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const input = (name: string) => ({ name, owner_team: "team-a", description: "", lifecycle: "production" as const, repository_url: "" });
const all = { limit: 100, offset: 0 };
const names = async (db: Db) => (await keptScores(db, {}, all)).items.map(({ service }) => service).toSorted();

/** A platform's database with a catalog of these services, and what scores them; `facts` stands between, to be changed or to fail. */
async function platform(...services: string[]) {
  const { db, url } = await testDatabase();
  const clock = testClock();
  const folder = await mkdtemp(join(tmpdir(), "cairn-scores-"));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const forge = await localForge({ db, clock, folder, publicUrl: "http://127.0.0.1:1" });
  const real = scoreFactsOf({ db, clock, forge, production: ["production"] }, evaluation(db, clock, forge));
  const facts: { of: (service: string) => Promise<ScoreFacts> } = { of: real };
  const add = (name: string) => transact(db, (tx) => register(tx, clock, ada, input(name)));
  for (const name of services) await add(name);
  const refresh = scorecardRefresher({ db, clock, log, rules, factsOf: (service) => facts.of(service) });
  return { db, url, clock, forge, facts, real, add, refresh };
}

test("a service has its scorecard at the first look, once; and loses it with its place in the catalog", async () => {
  const { db, clock, add, refresh } = await platform("bills", "orders");
  expect(await refresh()).toEqual(["bills", "orders"]);
  expect(await refresh()).toEqual([]);
  await add("carts");
  expect(await refresh()).toEqual(["carts"]);
  const { items, total } = await keptScores(db, { team: "team-a" }, { limit: 1, offset: 1 });
  expect([total, items.map(({ service }) => service)]).toEqual([3, ["carts"]]);
  expect(items[0]).toMatchObject({
    owner: "team-a",
    tier: "tier-3",
    met: 0,
    required: 2,
    unknown: 1,
    at: clock.now(),
    lacks: [
      { id: "ownership", state: "missed", because: "the catalog has no team team-a", since: clock.now() },
      { id: "evidence", state: "unknown" },
    ],
  });
  await transact(db, (tx) => removeEntities(tx, clock, ada, { service: "carts", plan: "" }));
  expect(await names(db)).toEqual(["bills", "orders"]);
});

test("what the ledger tells of a service, its repository, its incidents and its team makes its scorecard anew, and nobody else's", async () => {
  const { db, clock, forge, refresh } = await platform("bills", "carts", "orders");
  await refresh();
  const tell = (type: string, about: string) => transact(db, (tx) => record(tx, clock, { type, about, actor: ada }));
  await tell("releases.promoted", "component:default/orders");
  expect(await refresh()).toEqual(["orders"]);
  await tell("identity.signed_in", ada);
  expect(await refresh()).toEqual([]);
  const order = { title: "Down", service: "bills", environment: "production", severity: "page" as const, because: "" };
  await transact(db, (tx) => openIncident(tx, clock, ada, order));
  expect(await refresh()).toEqual(["bills"]);

  const descriptor = { apiVersion: "backstage.io/v1alpha1", kind: "Component", metadata: { name: "parcels" }, spec: { type: "service", owner: "team-b", lifecycle: "production" } }; // prettier-ignore
  const route = "route: { receiver: a }\nreceivers: [{ name: a }]\n";
  const files = [{ path: "observability/alertmanager-route.yaml", mode: "100644", encoding: "utf8", content: route } as const];
  const author = { ref: ada, name: "Ada", email: "ada@example.com" };
  await forge.createRepository({ name: "parcels", owner: "team-b", files, message: "begin", author, at: clock.now() });
  await transact(db, (tx) => ingest(tx, clock, ada, { repository: "parcels", commit: "c", documents: [descriptor] }));
  expect(await refresh()).toEqual(["parcels"]);
  await tell("evidence.revoked", "repository:parcels");
  expect(await refresh()).toEqual(["parcels"]);
  const [parcels] = (await keptScores(db, { team: "team-b" }, all)).items;
  expect(parcels?.lacks.map(({ id }) => id)).toEqual(["ownership", "evidence"]);

  const team = { apiVersion: "backstage.io/v1alpha1", kind: "Group", metadata: { name: "team-b" }, spec: { type: "team", children: [] } };
  const person = { apiVersion: "backstage.io/v1alpha1", kind: "User", metadata: { name: "bob" }, spec: { memberOf: ["team-b"] } };
  await transact(db, (tx) => loadOrganisation(tx, clock, ada, [team, person]));
  expect(await refresh()).toEqual(["parcels"]);
  expect((await keptScores(db, { point: "ownership", state: "met" }, all)).items.map(({ service }) => service)).toEqual(["parcels"]);
});

test("other rules and an hour make all anew, the oldest first; what is new or was told of comes before", async () => {
  const { db, clock, facts, real, add, refresh } = await platform("bills", "orders");
  const since = clock.now();
  await refresh();
  clock.turn(1800);
  await transact(db, (tx) => record(tx, clock, { type: "a.b", about: "component:default/bills", actor: ada }));
  expect(await refresh()).toEqual(["bills"]);
  clock.turn(1800);
  expect(await refresh()).toEqual(["orders"]);
  clock.turn(3600);
  await add("carts");
  await transact(db, (tx) => record(tx, clock, { type: "a.b", about: "component:default/orders", actor: ada }));
  expect(await refresh()).toEqual(["carts", "orders", "bills"]);
  // A point that is as it was is so since then.
  const [first] = (await keptScores(db, {}, all)).items;
  expect(first).toMatchObject({ at: clock.now(), lacks: [{ since }, { since }] });

  const other = scorecardRefresher({ db, clock, log, rules: { ...rules, digest: "sha256:other" }, factsOf: facts.of });
  expect(await other()).toEqual(["bills", "carts", "orders"]);
  facts.of = async (name) => ({
    ...(await real(name)),
    owner: { members: 1 },
    service: { ...(await real(name)).service, ownerExists: true },
  });
  clock.turn(60);
  await transact(db, (tx) => record(tx, clock, { type: "a.b", about: "component:default/orders", actor: ada }));
  await refresh();
  expect(await countStates(db, {})).toEqual(expect.arrayContaining([{ states: { ownership: "met", evidence: "unknown" }, services: 3 }]));
});

test("what is recorded while a scorecard is made has it made once more; what can't be scored holds nobody up", async () => {
  const { db, clock, facts, real, refresh } = await platform("bills", "carts", "orders");
  facts.of = async (name) => {
    if (name === "bills") throw new Error("its facts make no sense");
    if (name === "carts") await transact(db, (tx) => removeEntities(tx, clock, ada, { service: "carts", plan: "" }));
    const found = await real("orders");
    if (name === "orders") await transact(db, (tx) => record(tx, clock, { type: "a.b", about: "component:default/orders", actor: ada }));
    return { ...found, service: { ...found.service, name } };
  };
  expect(await refresh()).toContain("orders");
  expect(await names(db)).toEqual(["orders"]);
  facts.of = real;
  expect(await refresh()).toEqual(["orders"]);
  clock.turn(3601);
  expect(await refresh()).toEqual(["bills", "orders"]);

  // The database is away: that says nothing about a service, and all is tried again.
  await transact(db, (tx) => record(tx, clock, { type: "a.b", about: "component:default/orders", actor: ada }));
  facts.of = async () => {
    throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", syscall: "connect" });
  };
  await expect(refresh()).rejects.toThrow("ECONNREFUSED");
  facts.of = real;
  expect(await refresh()).toEqual(["orders"]);
});

test("of several servers one works at a time, and a score that knows less does not take the place of another", async () => {
  const { db, url, clock, facts, real, refresh } = await platform("orders");
  const second = openDatabase(url, { maxConnections: 2 });
  closing.push(() => second.destroy());
  const other = scorecardRefresher({ db: second, clock, log, rules, factsOf: real });
  facts.of = async (name) => {
    expect(await other()).toEqual([]);
    return real(name);
  };
  expect(await refresh()).toEqual(["orders"]);
  expect(await other()).toEqual([]);
  await transact(db, (tx) => record(tx, clock, { type: "a.b", about: "component:default/orders", actor: ada }));
  expect(await other()).toEqual(["orders"]);
  const later = await keptScores(db, {}, all);
  await keepScore(db, { ...score(await real("orders"), rules, clock.now()), tier: "tier-1" }, { owner: "team-z", seq: 1 });
  expect(await keptScores(db, {}, all)).toEqual(later);
});
