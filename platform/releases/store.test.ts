import Fastify, { type FastifyInstance } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { expect, test } from "vitest";
import { systemPrincipal } from "../identity/model.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { aReading, aRollout, baselineArm, canaryArm } from "./a-rollout.ts";
import { quarantined } from "./quarantine.ts";
import { enterStep, roundOf } from "./rollout.ts";
import { releasesRoutes } from "./routes.ts";
import {
  beginRelease,
  currentRelease,
  endRelease,
  find,
  noteRound,
  planRelease,
  refuseRelease,
  rounds,
  underWay,
  type PlannedRelease,
} from "./store.ts";

const clock = testClock();
const actor = "system:deliver";
const planned: PlannedRelease = {
  service: "orders",
  environment: "production",
  commit: "a".repeat(40),
  artifactDigest: canaryArm.artifactDigest,
  revision: canaryArm.revision,
  plan: `sha256:${"1".repeat(64)}`,
  stepsPercent: [10, 50, 100],
};
const rules = aRollout().rules;

const plan = (db: Db, over: Partial<PlannedRelease> = {}) => transact(db, (tx) => planRelease(tx, clock, actor, { ...planned, ...over }));
const begin = (db: Db, id: string) => transact(db, (tx) => beginRelease(tx, clock, actor, id, { decision: "dec_1", rules }));
const end = (db: Db, id: string, ended: Parameters<typeof endRelease>[4]) => transact(db, (tx) => endRelease(tx, clock, actor, id, ended));
const told = async (db: Db) => (await events(db, { about: "component:default/orders" })).map(({ type }) => type);

test("beginRelease() lets one of many at once through, and says which", async () => {
  const db = await database();
  const all = await Promise.all(Array.from({ length: 6 }, () => plan(db)));
  const begun = await Promise.allSettled(all.map(({ id }) => begin(db, id)));
  expect(begun.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const winner = await underWay(db, "orders", "production");
  for (const one of begun)
    if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "releases.under_way", facts: { release: winner?.id } });
  expect((await told(db)).filter((type) => type === "releases.started")).toHaveLength(1);
});

test("every step of a release twice is one step: one row, one line in the ledger", async () => {
  const db = await database();
  const twice = async <T>(step: () => Promise<T>) => (await step(), step());
  const { id } = await twice(() => plan(db, { id: "rel_fixed" }));
  expect(id).toBe("rel_fixed");
  await twice(() => begin(db, id));
  const { rollout, round, move } = roundOf(
    aRollout(),
    { readings: [aReading(canaryArm, {}), aReading(baselineArm, {})], smoke: null },
    clock.now(),
  );
  await twice(() => transact(db, (tx) => noteRound(tx, clock, actor, id, round, move)));
  expect(await find(db, id)).toMatchObject({ state: "rolling_out", percent: 10 });
  const held = { kind: "hold", because: "unknown: no request has reached the canary" } as const;
  const second = roundOf(enterStep(rollout, 10, clock.now()), { readings: null, smoke: null }, clock.now()).round;
  await twice(() => transact(db, (tx) => noteRound(tx, clock, actor, id, second, held)));
  expect(await find(db, id)).toMatchObject({ state: "held", because: held.because });
  await twice(() => end(db, id, { state: "promoted", because: "not worse" }));
  expect(await find(db, id)).toMatchObject({ state: "promoted", percent: 100, endedAt: clock.now() });
  expect(await told(db)).toEqual(["releases.planned", "releases.started", "releases.shifted", "releases.held", "releases.promoted"]);
});

test("what has ended stays as it ended", async () => {
  const db = await database();
  const { id } = await plan(db);
  await transact(db, (tx) => refuseRelease(tx, clock, actor, id, { decision: "dec_2", because: "tests-passed: 1 of 12 tests failed" }));
  expect(await find(db, id)).toMatchObject({ state: "refused", decision: "dec_2" });
  await expect(begin(db, id)).rejects.toMatchObject({ code: "releases.illegal_transition" });
  await expect(end(db, id, { state: "promoted", because: "" })).rejects.toMatchObject({ code: "releases.illegal_transition" });
  await expect(end(db, "rel_none", { state: "promoted", because: "" })).rejects.toMatchObject({ code: "releases.missing" });
});

test("a rolled-back release leaves the one before it current, and its artifact in quarantine", async () => {
  const db = await database();
  const good = await plan(db, { artifactDigest: baselineArm.artifactDigest });
  await begin(db, good.id);
  await end(db, good.id, { state: "promoted", because: "no baseline" });
  clock.turn(60);
  const bad = await plan(db);
  expect(await begin(db, bad.id)).toMatchObject({ previous: good.id });
  await end(db, bad.id, { state: "rolled_back", because: "worse", quarantine: true });
  expect(await currentRelease(db, "orders", "production")).toMatchObject({ id: good.id });
  expect(await underWay(db, "orders", "production")).toBeUndefined();
  expect(await quarantined(db, "orders", canaryArm.artifactDigest)).toMatchObject({ release: bad.id, because: "worse" });
  expect(await quarantined(db, "parcels", canaryArm.artifactDigest)).toBeUndefined();
  const again = await plan(db);
  await expect(begin(db, again.id)).rejects.toMatchObject({ code: "releases.quarantined", facts: { release: bad.id } });
});

test("noteRound() keeps the rounds that say something new, and they replay to the same verdicts", async () => {
  const db = await database();
  const { id } = await plan(db);
  await begin(db, id);
  let rollout = aRollout({}, clock.now());
  for (let second = 0; second < 12; second++) {
    clock.turn(1);
    const traffic = Math.floor(second / 3); // nothing new in two of three rounds
    const readings = [aReading(canaryArm, { requests: traffic * 5, errors: traffic }), aReading(baselineArm, { requests: traffic * 40 })];
    const round = roundOf(rollout, { readings, smoke: null }, clock.now());
    await transact(db, (tx) => noteRound(tx, clock, actor, id, round.round, round.move));
    rollout = round.move.kind === "shift" ? enterStep(round.rollout, round.move.toPercent, clock.now()) : round.rollout;
  }
  const kept = await rounds(db, id);
  expect(kept.length).toBeLessThan(12);
  expect(kept.map(({ number }) => number)).toEqual(kept.map(({ number }) => number).toSorted((a, b) => a - b));
  let again = aRollout({}, kept[0]?.at);
  for (const round of kept) {
    const replayed = roundOf(
      again,
      { readings: [aReading(canaryArm, round.canary), aReading(baselineArm, round.baseline ?? {})], smoke: null },
      round.at,
    );
    expect({ ...replayed.round, number: round.number, stepEndsAt: round.stepEndsAt }).toEqual(round);
    again = replayed.move.kind === "shift" ? enterStep(replayed.rollout, replayed.move.toPercent, round.at) : replayed.rollout;
  }
});

async function serve(db: Db): Promise<FastifyInstance> {
  const app = Fastify().setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("principal", { getter: () => systemPrincipal("test") });
  app.decorateRequest("can", async () => {});
  await app.register(releasesRoutes({ db, clock, ownerOf: async () => "group:default/example-shop", servicesOf: async () => ["orders"] }));
  return app;
}

test("GET /releases and GET /releases/{id} tell where a release stands and what would end it", async () => {
  const db = await database();
  const app = await serve(db);
  const { id } = await plan(db);
  expect((await app.inject(`/releases/${id}`)).json()).toMatchObject({ state: "planned", rounds: [], rules: null, endsWhen: [] });
  await begin(db, id);
  const { round, move } = roundOf(aRollout(), { readings: [aReading(canaryArm, {}), aReading(baselineArm, {})], smoke: null }, clock.now());
  await transact(db, (tx) => noteRound(tx, clock, actor, id, round, move));
  const detail = (await app.inject(`/releases/${id}`)).json();
  expect(detail).toMatchObject({ percent: 10, rules: { slowSeconds: 0.3 }, tests: { length: 4 } });
  expect(detail.endsWhen.join("\n")).toContain("not gaining yet");
  expect((await app.inject("/releases?service=orders&environment=production&limit=1")).json().releases).toHaveLength(1);
  expect((await app.inject("/releases?service=parcels")).json()).toEqual({ releases: [] });
  expect((await app.inject("/releases?limit=0")).statusCode).toBe(422);
  // Of a team, by how they stand, and on from the last that was shown.
  const other = await plan(db, { service: "parcels" });
  const listed = async (query: string) => (await app.inject(`/releases?${query}`)).json().releases.map((one: { id: string }) => one.id);
  expect(await listed("state=active")).toHaveLength(2);
  expect(await listed("state=planned")).toEqual([other.id]);
  expect(await listed("team=example-shop&state=active")).toEqual([id]);
  expect(await listed("team=example-shop&service=parcels")).toEqual([]);
  const [first = ""] = await listed("limit=1");
  expect([first, ...(await listed(`before=${first}`))]).toEqual(await listed(""));
  expect((await app.inject("/releases?state=gone")).statusCode).toBe(422);
  expect((await app.inject("/releases/rel_none")).json()).toMatchObject({ status: 404, code: "releases.missing" });
});
