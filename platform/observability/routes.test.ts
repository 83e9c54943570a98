import Fastify, { type FastifyBaseLogger } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { expect, test } from "vitest";
import { Fault } from "../kernel/faults.ts";
import { silentLog } from "../kernel/log.ts";
import type { Runtime } from "../runtime/contract.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { ORDERS, aReading, anObservation } from "./a-reading.ts";
import { ObjectivesReader } from "./objectives.ts";
import { observabilityRoutes, scrapeRoutes } from "./routes.ts";
import { fold } from "./store.ts";

async function anApp() {
  const db = await database();
  const clock = testClock();
  const state = { isAway: false };
  const requireService = async (service: string) => {
    if (service !== "orders") throw new Fault("not_found", "catalog.service_not_found", "There is no such service", "List services.");
  };
  const runtime = {
    targets: async () => {
      if (state.isAway) throw new Fault("unavailable", "agent.not_running", "No agent runs", "Start it.");
      return [ORDERS, { service: "stock", environment: "dev" }];
    },
    observe: async () => anObservation(clock.now(), [aReading({ requests: 7, errors: 2 })]),
  } as unknown as Runtime;
  const app = Fastify({ loggerInstance: silentLog as FastifyBaseLogger });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("can", async () => {});
  await app.register(
    observabilityRoutes({
      db,
      clock,
      objectives: new ObjectivesReader({ services: async () => [], read: async () => undefined }),
      deploying: async () => [],
      requireService,
      declared: async () => ({ needs: [{ other: "stock", type: "runtime", isCritical: false }], neededBy: [] }),
    }),
  );
  await app.register(scrapeRoutes({ runtime, services: async () => ["orders", "stock"], requireService }));
  const get = async (url: string) => {
    const answer = await app.inject(url);
    return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
  };
  return { app, db, clock, state, get };
}

test("a service that is not there, an empty range and one that is too long are refused, and say what to do", async () => {
  const { get } = await anApp();
  const tomorrow = "2026-03-02T12:00:00Z";
  for (const [url, status, code] of [
    ["/services/nothing/slos", 404, "catalog.service_not_found"],
    ["/services/nothing/metrics", 404, "catalog.service_not_found"],
    [`/services/orders/traffic?from=${tomorrow}&to=${tomorrow}`, 422, "observability.range"],
    ["/services/orders/traffic?from=2020-01-01T00:00:00Z", 422, "observability.range"],
    ["/services/orders/traffic?from=whenever", 422, "http.invalid"],
  ] as const)
    expect(await get(url), url).toMatchObject({ status, body: { code, next: expect.stringMatching(/\w/) } });
});

test("a service without repository, traffic or calls is told as such, and as nothing better", async () => {
  const { get } = await anApp();
  expect((await get("/services/orders/slos")).body).toMatchObject({
    source: null,
    slos: [],
    telemetry: { noData: "not_deployed", seenAt: null },
  });
  expect((await get("/services/orders/traffic")).body).toMatchObject({ points: [], gaps: [], telemetry: { noData: "not_deployed" } });
  expect((await get("/services/orders/dependency-view")).body).toMatchObject({
    needs: [{ other: "stock", state: "not_called" }],
    neededBy: [],
    others: [],
  });
  expect((await get("/alerts")).body).toEqual({ alerts: [] });
});

test("traffic is told in at most 400 steps, wide ones from the hours", async () => {
  const { get, db, clock } = await anApp();
  await fold(db, [anObservation(clock.now(), [aReading({ startedAt: clock.now() })])]);
  clock.turn(60);
  await fold(db, [anObservation(clock.now(), [aReading({ requests: 30, errors: 3 })])]);
  const told = async (from: string) => (await get(`/services/orders/traffic?from=${from}`)).body;
  expect(await told("2026-03-01T11:00:00Z")).toMatchObject({
    stepSeconds: 60,
    points: [{ at: "2026-03-01T12:00:00.000Z", requests: 30, errors: 3, p50: expect.closeTo(0.0375, 9) }],
  });
  expect(await told("2026-02-28T12:00:00Z")).toMatchObject({ stepSeconds: 300, points: [{ requests: 30 }] });
  expect(await told("2026-02-20T12:00:00Z")).toMatchObject({
    stepSeconds: 3600,
    points: [{ at: "2026-03-01T12:00:00.000Z", requests: 30 }],
  });
  expect(await told("2025-03-01T12:00:00Z")).toMatchObject({ stepSeconds: 86_400, points: [{ requests: 30 }] });
});

test("metrics are those of the service alone; a runtime that can't be read gives no counters, and says that it can't", async () => {
  const { app, state } = await anApp();
  const text = async () => (await app.inject("/services/orders/metrics")).body;
  expect(await text()).toContain('cairn_proxy_errors_total{service="orders",environment="production",revision="aaaaaaaaaaaa"} 2\n');
  expect(await text()).toContain('cairn_telemetry_up{service="orders"} 1\n');
  expect(await text()).not.toContain("stock");
  state.isAway = true;
  expect((await text()).split("\n").filter((line) => !line.startsWith("#"))).toEqual(['cairn_telemetry_up{service="orders"} 0', ""]);
  expect((await app.inject("/prometheus/targets")).json()).toMatchObject([
    { labels: { job: "orders", __metrics_path__: "/services/orders/metrics" } },
    { labels: { job: "stock" } },
  ]);
});
