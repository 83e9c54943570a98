import { join } from "node:path";
import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { Client } from "pg";
import { expect, onTestFinished, test } from "vitest";
import { register } from "../catalog/store.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database, testDatabase } from "../testing/database.ts";
import type { PointState, Scorecard } from "./model.ts";
import { loadScorecard } from "./rules.ts";
import { scorecardRoutes } from "./routes.ts";
import { sinceWhen } from "./score.ts";
import { keepScore } from "./store.ts";

const rules = await loadScorecard(join(import.meta.dirname, "../../library/scorecards/service.yaml"));
const clock = testClock();
const ada = "user:default/ada";

/** A scorecard with these points, all of which its tier asks for. */
function aCard(service: string, states: Record<string, PointState>, over: Partial<Scorecard> = {}): Scorecard {
  const points = Object.entries(states).map(([id, state]) => ({
    id,
    title: id,
    state,
    required: true,
    because: `it is ${state}`,
    fact: `/services/${service}`,
    next: state === "met" ? null : { what: "Mend it", link: `/services/${service}`, command: `cairn score ${service}` },
  }));
  const met = points.filter(({ state }) => state === "met").length;
  return { service, tier: "tier-2", at: clock.now(), met, required: points.length, points, rules: rules.digest, ...over };
}

const keep = (db: Db, card: Scorecard, owner = "team-a", seq = 1) => keepScore(db, card, { owner, seq });

async function services(db: Db, ...names: string[]): Promise<void> {
  for (const name of names) {
    const input = { name, owner_team: "team-a", description: "", lifecycle: "production" as const, repository_url: "" };
    await transact(db, (tx) => register(tx, clock, ada, input));
  }
}

/** The route, as somebody meets it who may read. */
async function listing(db: Db) {
  const app = Fastify();
  onTestFinished(() => app.close());
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("can", async () => {});
  const none = {} as never;
  await app.register(
    scorecardRoutes({
      db,
      clock,
      rules,
      production: [],
      factsOf: none,
      servicesOf: none,
      countServices: async ({ tier }) => (tier ? 1 : 5),
    }),
  );
  return async (query = "") => {
    const response = await app.inject({ url: `/scorecards${query}` });
    const body = response.json();
    const names: string[] = (body.items ?? []).map(({ service }: { service: string }) => service);
    return { status: response.statusCode, body, names };
  };
}

test("GET /scorecards lists the worst first, and lets through what is asked for", async () => {
  const db = await database();
  await services(db, "bills", "carts", "mails", "orders");
  await keep(db, aCard("bills", { evidence: "met", fresh: "missed", scanned: "unknown" }));
  await keep(db, aCard("carts", { evidence: "met", fresh: "unknown", scanned: "met" }), "group:default/team-b");
  await keep(db, aCard("mails", {}, { tier: "tier-3" }));
  await keep(db, aCard("orders", { evidence: "missed", fresh: "missed", scanned: "unknown" }, { tier: "tier-1" }));
  const list = await listing(db);
  const all = await list();
  expect(all.names).toEqual(["orders", "bills", "carts", "mails"]);
  expect(all.body).toMatchObject({ total: 4, unscored: 1 });
  expect(all.body.items[1]).toMatchObject({
    owner: "team-a",
    tier: "tier-2",
    met: 1,
    required: 3,
    unknown: 1,
    at: clock.now().toISOString(),
    lacks: [
      { id: "fresh", state: "missed", because: "it is missed", next: { command: "cairn score bills" }, since: clock.now().toISOString() },
      { id: "scanned", state: "unknown" },
    ],
  });
  const point = (id: string, body = all.body) => body.points.find((one: { id: string }) => one.id === id);
  expect(point("fresh")).toEqual(
    expect.objectContaining({
      title: "What serves is younger than 90 days",
      tiers: ["tier-1", "tier-2"],
      asked: 3,
      met: 0,
      missed: 2,
      unknown: 1,
    }),
  );
  expect(point("alerts")).toMatchObject({ asked: 0, met: 0, missed: 0, unknown: 0 });

  expect((await list("?team=team-b")).names).toEqual(["carts"]);
  expect((await list("?team=nobody")).names).toEqual([]);
  expect((await list("?point=fresh")).names).toEqual(["orders", "bills", "carts"]);
  expect((await list("?point=fresh&state=unknown")).names).toEqual(["carts"]);
  expect((await list("?point=alerts")).names).toEqual([]);
  expect((await list("?state=missed")).names).toEqual(["orders", "bills"]);
  expect((await list("?state=unknown")).names).toEqual(["orders", "bills", "carts"]);
  expect((await list("?state=met")).names).toEqual(["bills", "carts"]);
  expect((await list("?limit=2&offset=1")).names).toEqual(["bills", "carts"]);
  expect((await list("?offset=9")).body).toMatchObject({ items: [], total: 4 });
  // What is counted is of the team and tier, whatever is listed of them.
  const tier = await list("?tier=tier-1&point=fresh&state=met");
  expect(tier.body).toMatchObject({ items: [], total: 0, unscored: 0 });
  expect(point("fresh", tier.body)).toMatchObject({ asked: 1, missed: 1 });

  expect(await list("?point=beauty")).toMatchObject({ status: 422, body: { code: "scorecards.point_unknown" } });
  for (const query of ["?tier=tier-9", "?state=good", "?limit=0", "?limit=501", "?offset=-1"])
    expect((await list(query)).status, query).toBe(422);
});

test("sinceWhen() keeps the time of what is as it was, and begins anew with what is not", () => {
  const before = sinceWhen(aCard("orders", { evidence: "met", fresh: "met" }), []);
  const since = clock.now();
  clock.turn(3600);
  const points = sinceWhen(aCard("orders", { evidence: "met", fresh: "missed", scanned: "met" }), before);
  expect(points.map((one) => [one.id, one.since])).toEqual([
    ["evidence", since],
    ["fresh", clock.now()],
    ["scanned", clock.now()],
  ]);
});

test("keepScore() tells who listens where a state is another, and keeps nothing of a service that is gone", async () => {
  const { db, url } = await testDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  const told: string[] = [];
  client.on("notification", ({ payload }) => told.push(payload ?? ""));
  await client.query("listen cairn_scores");
  await services(db, "orders");
  await keep(db, aCard("orders", { evidence: "unknown" }));
  await keep(db, aCard("orders", { evidence: "unknown" }), "team-a", 2);
  await keep(db, aCard("orders", { evidence: "met" }), "team-a", 3);
  await keep(db, aCard("nobody", { evidence: "met" }));
  await client.query("select pg_notify('cairn_scores', 'the end')");
  await expect.poll(() => told).toEqual(["orders", "the end"]);
  expect(await db.selectFrom("scorecard").select(["ref", "seq", "met"]).execute()).toEqual([
    { ref: "component:default/orders", seq: 3, met: 1 },
  ]);
});
