import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { beforeAll, expect, test } from "vitest";
import { decide } from "../identity/access.ts";
import { forbidden } from "../identity/faults.ts";
import type { Principal } from "../identity/model.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { windowsRoutes } from "./windows-routes.ts";

const clock = testClock();
const db = await database();
const ada: Principal = {
  ref: "user:default/ada",
  kind: "person",
  displayName: "Ada",
  scopes: ["read", "write"],
  groups: ["group:default/shop"],
  administrator: false,
};
const root: Principal = { ...ada, ref: "user:default/root", scopes: ["read", "write", "admin"], groups: [], administrator: true };
let caller = ada;
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
  const ownerOf = async (service: string) => (service === "orders" ? "shop" : "pay");
  await app.register(windowsRoutes({ db, clock, ownerOf, environmentNames: ["staging", "production"] }));
});

async function ask(by: Principal, method: "GET" | "PUT" | "POST", url: string, body?: object | string) {
  caller = by;
  const type = typeof body === "string" ? "application/yaml" : "application/json";
  const answer = await app.inject({ method, url, ...(body !== undefined && { payload: body, headers: { "content-type": type } }) });
  return { status: answer.statusCode, body: answer.json() };
}
const until = "2026-03-01T14:00:00+01:00";

test("the organisation's windows are loaded by an administrator alone, from the file as it lies there, and shown with who loaded them", async () => {
  const file = await readFile(join(import.meta.dirname, "../../library/example-organisation/windows/windows.yaml"), "utf8");
  expect(await ask(ada, "PUT", "/windows", file)).toMatchObject({ status: 403 });
  expect(await ask(root, "PUT", "/windows", file)).toMatchObject({ status: 200, body: { added: { length: 3 }, unchanged: [] } });
  expect((await ask(ada, "GET", "/windows")).body.windows).toMatchObject([
    { rule: { name: "example-closing-of-the-books", kind: "freeze" }, by: root.ref, on: false },
    { rule: { name: "example-end-of-year", kind: "freeze" }, by: root.ref, on: false, until: null },
    // It is Sunday noon.
    { rule: { name: "example-office-hours", kind: "window" }, by: root.ref, on: false, until: "2026-03-02T08:00:00.000Z" },
  ]);
});

test.each([
  ["what is no YAML", "windows: [", 422, "releases.windows_unreadable"],
  [
    "an environment that is not there",
    'windows: [{ kind: window, name: a, because: b, timeZone: UTC, environments: [moon], weekly: [{ days: [mon], from: "09:00", until: "10:00" }] }]',
    404,
    "releases.environment_unknown",
  ],
  ["a rule without a time", "windows: [{ kind: freeze, name: a, because: b, timeZone: UTC }]", 422, "http.invalid"],
])("PUT /windows refuses %s", async (_, text, status, code) => {
  const answer = await ask(root, "PUT", "/windows", text);
  expect(answer.body).toMatchObject({ code });
  expect(answer.status).toBe(status);
});

test("who owns a service may freeze it and end that; of others, and of all, only an administrator", async () => {
  const order = { until, because: "sale" };
  expect(await ask(ada, "POST", "/freezes", order)).toMatchObject({ status: 403 });
  expect(await ask(ada, "POST", "/freezes", { ...order, services: ["orders", "billing"] })).toMatchObject({ status: 403 });
  expect(await ask(ada, "POST", "/freezes", { ...order, services: ["orders"], environments: ["moon"] })).toMatchObject({ status: 404 });
  expect(await ask(ada, "POST", "/freezes", { ...order, until: "2026-03-01T12:00:00Z", services: ["orders"] })).toMatchObject({
    body: { code: "releases.freeze_over" },
  });
  const mine = await ask(ada, "POST", "/freezes", { ...order, services: ["orders"] });
  expect(mine).toMatchObject({ status: 201, body: { declared: true, by: ada.ref, on: true, until: "2026-03-01T13:00:00.000Z" } });
  const all = await ask(root, "POST", "/freezes", { ...order, name: "sale" });
  expect(all.status).toBe(201);
  expect(await ask(ada, "POST", "/freezes/sale/end", { because: "I want to" })).toMatchObject({ status: 403 });
  expect(await ask(ada, "POST", `/freezes/${mine.body.id}/end`, { because: "sold out" })).toMatchObject({ status: 200 });
  expect(await ask(root, "POST", "/freezes/sale/end", { because: "sold out" })).toMatchObject({ status: 200 });
  expect(await ask(root, "POST", "/freezes/sale/end", { because: "again" })).toMatchObject({ status: 404 });
});
