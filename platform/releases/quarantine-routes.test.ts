import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { decide } from "../identity/access.ts";
import { forbidden } from "../identity/faults.ts";
import type { Principal } from "../identity/model.ts";
import { Fault } from "../kernel/faults.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { quarantineRoutes } from "./quarantine-routes.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const db = await database();
const ada: Principal = {
  ref: "user:default/ada",
  kind: "person",
  displayName: "Ada",
  scopes: ["read", "write"],
  groups: ["group:default/shop"],
  administrator: false,
};
const bob: Principal = { ...ada, ref: "user:default/bob", groups: ["group:default/pay"] };
const reader: Principal = { ...ada, scopes: ["read"] };
let caller = ada;
let told = 0;
const app = Fastify();
app.setValidatorCompiler(validatorCompiler);
app.setSerializerCompiler(serializerCompiler);
answerFaults(app);
app.decorateRequest("principal", { getter: () => caller } as never);
app.decorateRequest("can", async (action: never, subject: never) => {
  const decision = decide(caller, action, subject);
  if (!decision.allowed) throw forbidden(caller, action, subject, decision);
});
beforeAll(async () => {
  const owners: Record<string, string> = { orders: "shop", payments: "pay" };
  await app.register(
    quarantineRoutes({
      db,
      clock: testClock(),
      ownerOf: async (service) => owners[service],
      requireService: async (service) => {
        if (!owners[service]) throw new Fault("not_found", "catalog.service_missing", "no such service", "");
      },
      tellRuntime: async () => void (told += 1),
    }),
  );
});
beforeEach(() => {
  told = 0;
});

async function ask(by: Principal, method: "GET" | "POST", url: string, payload?: object) {
  caller = by;
  const answer = await app.inject({ method, url, ...(payload && { payload }) });
  return { status: answer.statusCode, body: answer.json() };
}

test.each<[string, Principal, object, number]>([
  ["of another team's service", bob, { service: "orders", artifactDigest: DIGEST, because: "x" }, 403],
  ["by who may only read", reader, { service: "orders", artifactDigest: DIGEST, because: "x" }, 403],
  ["of a service that is not there", ada, { service: "nothing", artifactDigest: DIGEST, because: "x" }, 404],
  ["without a reason", ada, { service: "orders", artifactDigest: DIGEST, because: " " }, 422],
  ["of what is no digest", ada, { service: "orders", artifactDigest: "latest", because: "x" }, 422],
])("POST /quarantine %s is refused, bars nothing and tells the runtime nothing", async (_what, by, body, status) => {
  expect(await ask(by, "POST", "/quarantine", body)).toMatchObject({ status });
  expect((await ask(ada, "GET", "/quarantine")).body).toEqual({ quarantine: [] });
  expect(told).toBe(0);
});

test("an owner bars an artifact and lifts that with a reason; who owns only one of its services can't lift it for all", async () => {
  expect(await ask(ada, "POST", "/quarantine", { service: "orders", artifactDigest: DIGEST, because: "it leaks" })).toMatchObject({
    status: 201,
    body: { service: "orders", by: ada.ref, release: null },
  });
  expect(told).toBe(1);
  await ask(bob, "POST", "/quarantine", { service: "payments", artifactDigest: DIGEST, because: "it leaks here too" });
  expect((await ask(reader, "GET", "/quarantine")).body.quarantine).toHaveLength(2);
  const root: Principal = { ...ada, ref: "user:default/root", scopes: ["admin"], groups: [], administrator: true };
  for (const one of [ada, bob, reader])
    expect(await ask(one, "POST", `/quarantine/${DIGEST}/lift`, { because: "x" })).toMatchObject({ status: 403 });
  expect(await ask(root, "POST", `/quarantine/${DIGEST}/lift`, { because: "" })).toMatchObject({ status: 422 });
  expect((await ask(root, "POST", `/quarantine/${DIGEST}/lift`, { because: "it was the database" })).body.quarantine).toHaveLength(2);
  expect((await ask(ada, "GET", "/quarantine")).body).toEqual({ quarantine: [] });
  expect(await ask(root, "POST", `/quarantine/${DIGEST}/lift`, { because: "again" })).toMatchObject({
    status: 404,
    body: { code: "releases.not_quarantined", next: expect.stringContaining("quarantine list") },
  });
});
