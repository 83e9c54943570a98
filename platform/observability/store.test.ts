import { CompiledQuery, sql } from "kysely";
import { beforeAll, describe, expect, test } from "vitest";
import type { Db } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import type { Observation, Runtime, Target } from "../runtime/contract.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { ORDERS, aReading, anObservation } from "./a-reading.ts";
import { evaluateAll, sloReport, type EvaluationParts } from "./evaluate.ts";
import { ObjectivesReader } from "./objectives.ts";
import { fold, forgetOldTraffic, forgetTargets, openAlerts, seenTargets, windowCounts, windowQuery } from "./store.ts";
import { trafficOf } from "./traffic.ts";
import { countedRuntime, look } from "./watch.ts";
import { silentLog } from "../kernel/log.ts";

const T0 = new Date("2026-03-01T12:00:00Z");
const after = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000);
const telemetry = { seenAt: null, firstAt: null, noData: null, because: "" };
const sumOf = async (db: Db, target: Target, seconds: number, to: Date) =>
  (await windowCounts(db, [{ ...target, seenAt: to }], [seconds], to))(target, seconds);

describe("fold()", () => {
  test("adds by minute what the counters grew by, and nothing for the same observation again, also by two at once", async () => {
    const db = await database();
    await fold(db, [anObservation(T0, [aReading()])]);
    for (const [seconds, requests, errors] of [
      [15, 10, 0],
      [30, 25, 1],
      [60, 60, 2],
      [75, 61, 2],
    ] as const) {
      const observation = anObservation(after(seconds), [aReading({ requests, errors, slow: 3 })]);
      await Promise.all([fold(db, [observation]), fold(db, [observation])]);
    }
    const traffic = await trafficOf(db, ORDERS, { from: T0, to: after(600) }, after(600), telemetry);
    expect(traffic.points).toMatchObject([
      { at: T0, requests: 60, errors: 2 },
      { at: after(60), requests: 1, errors: 0 },
    ]);
    expect(traffic.revisions).toMatchObject([{ revision: "aaaaaaaaaaaa", requests: 61, errors: 2 }]);
    expect(await sumOf(db, ORDERS, 7200, after(3600))).toEqual({
      requests: 61,
      errors: 2,
      within: [0, 0, 0, 58, 58, 58, 58, 61, 61, 61, 61, 61],
      unknownSeconds: 0,
    });
    expect(await events(db)).toEqual([]);
  });

  test("keeps what was counted while nobody looked as one gap, and spreads it over no minutes", async () => {
    const db = await database();
    await fold(db, [anObservation(T0, [aReading({ requests: 100, startedAt: T0 })])]);
    await fold(db, [anObservation(after(1800), [aReading({ requests: 900, errors: 8 })])]);
    await fold(db, [anObservation(after(1815), [aReading({ requests: 950, errors: 8 })])]);
    const traffic = await trafficOf(db, ORDERS, { from: T0, to: after(3600) }, after(3600), telemetry);
    expect(traffic.gaps).toMatchObject([{ from: T0, until: after(1800), requests: 800, errors: 8 }]);
    expect(traffic.points.map(({ requests }) => requests)).toEqual([100, 50]);
    expect(await sumOf(db, ORDERS, 3600, after(1860))).toMatchObject({ requests: 950, errors: 8, unknownSeconds: 0 });
    // The gap reaches across the edge of this window: how much of it lies inside is not known.
    expect(await sumOf(db, ORDERS, 300, after(1860))).toMatchObject({ requests: 50, errors: 0, unknownSeconds: 240 });
  });

  test("forgets revisions and targets that are gone, but nothing that they counted", async () => {
    const db = await database();
    await fold(db, [anObservation(T0, [aReading({ startedAt: T0 }), aReading({ revision: "bbbbbbbbbbbb", startedAt: T0 })])]);
    await fold(db, [anObservation(after(15), [aReading({ requests: 5 })])]);
    expect(await db.selectFrom("traffic_cursor").select("revision").execute()).toEqual([{ revision: "aaaaaaaaaaaa" }]);
    await forgetTargets(db, []);
    expect(await seenTargets(db)).toEqual([]);
    expect(await sumOf(db, ORDERS, 3600, after(60))).toMatchObject({ requests: 5 });
  });

  test("windowCounts() gives for every window what the minutes in it sum to", async () => {
    const db = await database();
    const random = (
      (state: number) => () =>
        (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
    )(7);
    const minutes: { at: Date; requests: number; errors: number; slow: number }[] = [];
    let [requests, errors, slow] = [0, 0, 0];
    const start = after(-3 * 3600 - 17 * 60);
    await fold(db, [anObservation(start, [aReading({ startedAt: start })])]);
    for (let at = start.getTime(); at < T0.getTime() + 23 * 60_000; at += 60_000) {
      const more = random() < 0.3 ? 0 : Math.floor(random() * 50);
      const [bad, late] = [Math.floor(more * random() * 0.2), Math.floor(more * random() * 0.3)];
      minutes.push({ at: new Date(at), requests: more, errors: bad, slow: late });
      [requests, errors, slow] = [requests + more, errors + bad, slow + late];
      await fold(db, [anObservation(new Date(at + 60_000), [aReading({ requests, errors, slow, epoch: "one" })])]);
    }
    for (const [to, seconds] of [
      [after(0), 300],
      [after(0), 3600],
      [after(420), 1800],
      [after(420), 3600],
      [after(1380), 7200],
      [after(1380), 10_800],
    ] as const) {
      const inside = minutes.filter(({ at }) => at.getTime() >= to.getTime() - seconds * 1000 && at < to);
      const total = (key: "requests" | "errors" | "slow") => inside.reduce((sum, one) => sum + one[key], 0);
      const found = await sumOf(db, ORDERS, seconds, to);
      expect([found.requests, found.errors, found.requests - (found.within[6] ?? 0)]).toEqual([
        total("requests"),
        total("errors"),
        total("slow"),
      ]);
    }
  });
});

test("forgetOldTraffic() keeps minutes for 4 days and hours for 400", async () => {
  const db = await database();
  const row = { ...ORDERS, revision: "aaaaaaaaaaaa", requests: 1, errors: 0, within: Array.from({ length: 12 }, () => 1), resets: 0 };
  const days = (count: number) => after(-count * 86_400);
  await db
    .insertInto("traffic_minute")
    .values([3, 5].map((count) => ({ ...row, at: days(count) })))
    .execute();
  await db
    .insertInto("traffic_hour")
    .values([5, 399, 401].map((count) => ({ ...row, at: days(count) })))
    .execute();
  await db
    .insertInto("traffic_gap")
    .values([5, 401].map((count) => ({ ...row, at: days(count), until: days(count) })))
    .execute();
  await forgetOldTraffic(db, T0);
  const left = async (table: "traffic_minute" | "traffic_hour" | "traffic_gap") =>
    (await db.selectFrom(table).select("at").execute()).length;
  expect([await left("traffic_minute"), await left("traffic_hour"), await left("traffic_gap")]).toEqual([1, 2, 1]);
});

test("look() reads every target, and countedRuntime() once more before a revision goes", async () => {
  const db = await database();
  const clock = testClock(T0.toISOString());
  let requests = 0;
  const gone: string[] = [];
  const runtime = {
    targets: async () => [ORDERS],
    observe: async (target: Target): Promise<Observation> => anObservation(clock.now(), [aReading({ requests, startedAt: T0 })], target),
    retire: async (_target: Target, revision: string) => void gone.push(revision),
  } as unknown as Runtime;
  await look(db, runtime);
  clock.turn(10);
  requests = 40;
  await countedRuntime(runtime, db, silentLog).retire(ORDERS, "aaaaaaaaaaaa");
  expect(gone).toEqual(["aaaaaaaaaaaa"]);
  expect(await sumOf(db, ORDERS, 300, after(60))).toMatchObject({ requests: 40 });
});

const SLO = `
apiVersion: openslo/v1
kind: SLO
metadata: { name: orders-availability, displayName: Availability }
spec:
  service: orders
  indicator:
    spec:
      ratioMetric:
        counter: true
        total: { metricSource: { type: Prometheus, spec: { query: 'cairn_proxy_requests_total{service="orders",environment="production"}' } } }
        bad: { metricSource: { type: Prometheus, spec: { query: 'cairn_proxy_errors_total{service="orders",environment="production"}' } } }
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  objectives: [{ target: 0.995 }]
`;

async function watched() {
  const db = await database();
  const clock = testClock(T0.toISOString());
  const state = { requests: 0, errors: 0, commit: "1", text: SLO as string | undefined, deploying: [] as Target[], reads: 0 };
  const parts: EvaluationParts = {
    db,
    clock,
    objectives: new ObjectivesReader({
      services: async () => [{ service: "orders", owner: "group:default/team-a", repository: "orders", commit: state.commit }],
      read: async () => ((state.reads += 1), state.text),
    }),
    deploying: async () => state.deploying,
  };
  const minute = async (requests: number, errors: number) => {
    clock.turn(60);
    state.requests += requests;
    state.errors += errors;
    await fold(db, [anObservation(clock.now(), [aReading({ requests: state.requests, errors: state.errors, startedAt: T0 })])]);
    await evaluateAll(parts);
  };
  await fold(db, [anObservation(T0, [aReading({ startedAt: T0 })])]);
  const told = async () => (await events(db)).map(({ type, data }) => `${type.replace("observability.alert_", "")} ${String(data.rule)}`);
  return { db, clock, state, parts, minute, told };
}

describe("evaluateAll()", () => {
  test("records when an alert becomes pending, fires and is resolved, with what is needed to act on it", async () => {
    const { db, minute, told, state } = await watched();
    for (let n = 0; n < 3; n++) await minute(100, 0);
    expect(await told()).toEqual([]);
    await minute(100, 60);
    expect(await told()).toEqual(["pending page-1h", "pending page-6h", "pending ticket-1d", "pending ticket-3d"]);
    await minute(100, 60);
    expect((await told()).slice(4)).toEqual(["firing page-1h", "firing page-6h"]);
    const [, , , , firing] = await events(db);
    expect(firing).toMatchObject({
      about: "component:default/orders",
      actor: "system:observability",
      data: {
        service: "orders",
        environment: "production",
        slo: "orders-availability",
        severity: "page",
        owner: "group:default/team-a",
        serving: [{ revision: "aaaaaaaaaaaa", weightPercent: 100 }],
        because: "bad in 1h: 120 of 500 (24 %), in 5m: 120 of 500 (24 %); the limit is 7.2 %",
        long: { requests: 500, bad: 120 },
      },
    });
    expect(await openAlerts(db)).toHaveLength(4);
    for (let n = 0; n < 6; n++) await minute(100, 0);
    expect(await told()).toContain("resolved page-1h");
    expect(await told()).not.toContain("resolved page-6h");
    expect(state.reads).toBe(1);
  });

  test("resolves what is no longer watched, and reads slo.yaml again at another commit", async () => {
    const { minute, told, state } = await watched();
    await minute(100, 60);
    Object.assign(state, { text: undefined, commit: "2" });
    await minute(100, 60);
    expect((await told()).slice(4)).toEqual(["resolved page-1h", "resolved page-6h", "resolved ticket-1d", "resolved ticket-3d"]);
    expect(state.reads).toBe(2);
  });

  test("a target that can't be read is a ticket to its owner; its objectives neither fire nor are resolved meanwhile", async () => {
    const { db, clock, minute, told, parts } = await watched();
    for (let n = 0; n < 2; n++) await minute(100, 60);
    const before = await told();
    clock.turn(240);
    await evaluateAll(parts);
    expect((await told()).slice(before.length)).toEqual(["pending telemetry-broken"]);
    clock.turn(900);
    await evaluateAll(parts);
    expect((await told()).slice(before.length)).toEqual(["pending telemetry-broken", "firing telemetry-broken"]);
    const report = await sloReport(parts, ORDERS);
    expect(report.telemetry.noData).toBe("telemetry_broken");
    expect(report.slos[0]).toMatchObject({ state: "unknown", noData: "telemetry_broken" });
    expect(report.alerts.map(({ slo }) => slo)).toContain("telemetry");
    await minute(100, 0);
    expect((await told()).at(-1)).toBe("resolved telemetry-broken");
    expect((await openAlerts(db)).map(({ rule }) => rule)).not.toContain("telemetry-broken");
  });

  test("an idle service, one that is not deployed and one that is being deployed alert nobody", async () => {
    const { db, clock, minute, told, parts, state } = await watched();
    await minute(0, 0);
    expect((await sloReport(parts, ORDERS)).slos[0]).toMatchObject({ state: "unknown", noData: "idle" });
    await forgetTargets(db, []);
    clock.turn(3600);
    await evaluateAll(parts);
    expect((await sloReport(parts, ORDERS)).slos[0]).toMatchObject({ state: "unknown", noData: "not_deployed" });
    state.deploying = [ORDERS];
    expect((await sloReport(parts, ORDERS)).telemetry.noData).toBe("deploying");
    expect(await told()).toEqual([]);
  });

  test("a gap counts whole in the windows that hold it whole; in the others it makes what is not bad unknown", async () => {
    const { clock, minute, parts } = await watched();
    for (let n = 0; n < 10; n++) await minute(100, 0);
    clock.turn(1200);
    await minute(2000, 0);
    await minute(10, 0);
    const [slo] = (await sloReport(parts, ORDERS)).slos;
    expect(slo?.period).toMatchObject({ requests: 3010, unknownSeconds: 0 });
    const page = slo?.burns.find(({ rule }) => rule === "page-1h");
    expect(page?.long).toMatchObject({ requests: 3010, unknownSeconds: 0 });
    expect(page?.short).toMatchObject({ requests: 10, unknownSeconds: 240 });
    expect(page?.state).toBe("unknown");
    expect(slo?.state).toBe("unknown");
  });
});

describe("at 100,000 rows", () => {
  let db: Db;
  beforeAll(async () => {
    db = await database();
    const within = sql`array_fill(9::bigint, array[12])`;
    await sql`insert into traffic_minute select 'service-' || s, 'production', 'aaaaaaaaaaaa', 10, 1, ${within}, 0, ${T0}::timestamptz - make_interval(mins => m)
      from generate_series(1, 25) s, generate_series(1, 4000) m`.execute(db);
    await sql`insert into traffic_hour select 'service-' || s, 'production', 'aaaaaaaaaaaa', 600, 60, ${within}, 0, ${T0}::timestamptz - make_interval(hours => h)
      from generate_series(1, 139) s, generate_series(1, 720) h`.execute(db);
    await sql`analyze traffic_minute, traffic_hour, traffic_gap`.execute(db);
  });

  test("the windows of a service are read by index, never by going through a table", async () => {
    const windows = [300, 1800, 3600, 7200, 21_600, 86_400, 259_200, 2_592_000];
    const explained = async (targets: Target[]) => {
      const { sql: text, parameters } = windowQuery(targets, windows, after(-180)).compile(db);
      const { rows } = await db.executeQuery<{ "QUERY PLAN": string }>(CompiledQuery.raw(`explain (analyze) ${text}`, [...parameters]));
      return rows.map((row) => row["QUERY PLAN"]).join("\n");
    };
    const one = await explained([{ service: "service-7", environment: "production" }]);
    const all = await explained(Array.from({ length: 139 }, (_none, n) => ({ service: `service-${n + 1}`, environment: "production" })));
    for (const plan of [one, all]) {
      expect(plan).toContain("traffic_minute_pkey");
      expect(plan).toContain("traffic_hour_pkey");
      expect(plan).not.toMatch(/Seq Scan on traffic/);
    }
  });
});
