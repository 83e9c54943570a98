import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import Fastify, { type FastifyBaseLogger } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pino } from "pino";
import { forbidden } from "../identity/faults.ts";
import { decide } from "../identity/access.ts";
import type { Principal } from "../identity/model.ts";
import { newSecret } from "../kernel/ids.ts";
import { events } from "../ledger/store.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { SERVICE_SECRETS, type SecretStore } from "./contract.ts";
import { openSecretStore } from "./local/store.ts";
import { secretRoutes } from "./routes.ts";
import { serviceSecrets } from "./store.ts";

const clock = testClock();
const db = await database();
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "cairn-secret-routes-"));
});
afterAll(() => rm(home, { recursive: true, force: true }));

const member: Principal = {
  ref: "user:default/ada",
  kind: "person",
  displayName: "Ada",
  scopes: ["read", "write"],
  groups: ["group:default/team-a"],
  administrator: false,
};
const stranger: Principal = { ...member, ref: "user:default/bob", displayName: "Bob", groups: [] };
const values: string[] = [];
const aValue = () => values[values.push(`canary-${newSecret()}`) - 1] as string;

/** The routes as the server has them, in front of a sealed store; everything that is answered or logged is kept. */
async function routes(options: { secrets?: SecretStore; used?: string[] } = {}) {
  const said: string[] = [];
  const app = Fastify({ loggerInstance: pino({ level: "trace" }, { write: (line: string) => void said.push(line) }) as FastifyBaseLogger });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  let caller = member;
  app.decorateRequest("principal", { getter: () => caller } as never);
  app.decorateRequest("can", async (action: never, subject: never) => {
    const decision = decide(caller, action, subject);
    if (!decision.allowed) throw forbidden(caller, action, subject, decision);
  });
  const secrets = options.secrets ?? openSecretStore(home);
  await app.register(
    secretRoutes({
      db,
      clock,
      secrets,
      environments: ["dev", "production"],
      ownerOf: async () => "team-a",
      usedKeys: async () => options.used,
    }),
  );
  const ask = async (method: "GET" | "PUT" | "DELETE", url: string, body?: object | string, by: Principal = member) => {
    caller = by;
    const answer = await app.inject({
      method,
      url,
      ...(body !== undefined && { payload: body as object, headers: { "content-type": "application/json" } }),
    });
    said.push(answer.body);
    return { status: answer.statusCode, body: answer.body === "" ? null : answer.json<Record<string, unknown>>() };
  };
  return { ask, said, secrets };
}

test("setting a secret is refused to who does not own the service, and for what can't be kept; the refusal does not echo the value", async () => {
  const { ask, said, secrets } = await routes();
  const value = aValue();
  expect(await ask("PUT", "/services/mine/secrets/KEY", { value }, stranger)).toMatchObject({ status: 403 });
  const refused: [string, object | string, string][] = [
    ["/services/mine/secrets/KEY", { value: `${value}\0` }, "secrets.value_refused"],
    ["/services/mine/secrets/KEY", { value: "" }, "secrets.value_refused"],
    ["/services/mine/secrets/KEY", { value: value.repeat(2000) }, "secrets.value_refused"],
    ["/services/mine/secrets/KEY", { value: `${value}\ud800` }, "secrets.value_refused"],
    ["/services/mine/secrets/KEY", { value, environment: "nowhere" }, "secrets.environment_unknown"],
    ["/services/mine/secrets/KEY", { value, extra: value }, "http.invalid"],
    ["/services/mine/secrets/KEY", { value: [value] }, "http.invalid"],
    ["/services/mine/secrets/KEY", `{"value": "${value}`, "http.fst_err_ctp_invalid_json_body"],
    ["/services/mine/secrets/..%2Fkey", { value }, "http.invalid"],
    ["/services/mine/secrets/KEY.old", { value }, "http.invalid"],
    ["/services/mine/secrets/__proto__", { value }, "http.invalid"],
  ];
  for (const [url, body, code] of refused) {
    const answer = await ask("PUT", url, body);
    expect(answer.body, url).toMatchObject({ code, next: expect.stringMatching(/\w/) });
    expect(answer.status).toBeLessThan(500);
  }
  expect(said.join("")).not.toContain(value);
  expect(await secrets.list({ service: "mine", environment: "dev" })).toEqual([]);
  expect(await events(db, { about: "component:default/mine" })).toEqual([]);
});

test("a secret's value is in the sealed store alone: not in answers, log, tables or files; who set it and when is recorded", async () => {
  const { ask, said, secrets } = await routes();
  const value = aValue();
  const set = await ask("PUT", "/services/orders/secrets/API_KEY", { value });
  expect(set).toMatchObject({
    status: 200,
    body: { secrets: ["dev", "production"].map((environment) => ({ name: "API_KEY", environment, setBy: member.ref, use: "unused" })) },
  });
  const { version } = (set.body as { secrets: { version: string }[] }).secrets[0] ?? { version: "" };
  for (const environment of ["dev", "production"])
    expect(await secrets.reveal({ service: "orders", environment, name: SERVICE_SECRETS, key: `API_KEY.${version}` })).toBe(value);
  expect((await ask("GET", "/services/orders/secrets")).body).toMatchObject({ secrets: [{ setAt: expect.any(String) }, {}] });
  const [event] = await events(db, { about: "component:default/orders" });
  expect(event).toMatchObject({ type: "secrets.set", actor: member.ref, data: { name: "API_KEY", version } });
  await nowhere(value, said);
});

test("another value is another version: what runs keeps the one that it names, and where nothing runs the old one goes", async () => {
  const { ask, secrets } = await routes();
  const keys = async (service: string) => (await secrets.list({ service, environment: "dev" })).map(({ key }) => key);
  await ask("PUT", "/services/idle/secrets/KEY", { value: aValue(), environment: "dev" });
  const [before] = await keys("idle");
  await ask("PUT", "/services/idle/secrets/KEY", { value: aValue(), environment: "dev" });
  expect(await keys("idle")).toHaveLength(1);
  expect(await keys("idle")).not.toContain(before);

  await ask("PUT", "/services/runs/secrets/KEY", { value: aValue(), environment: "dev" });
  const used = await keys("runs");
  const { ask: askRunning } = await routes({ used });
  const answer = await askRunning("PUT", "/services/runs/secrets/KEY", { value: aValue(), environment: "dev" });
  expect(answer.body).toMatchObject({ secrets: [{ environment: "dev", use: "older" }] });
  expect(await keys("runs")).toEqual(expect.arrayContaining(used));
  expect(await askRunning("DELETE", "/services/runs/secrets/KEY")).toMatchObject({ status: 204 });
  expect(await keys("runs")).toEqual(expect.arrayContaining(used));
  expect(await askRunning("DELETE", "/services/runs/secrets/KEY")).toMatchObject({ status: 404, body: { code: "secrets.not_set" } });
  await serviceSecrets(db, secrets).forgetUnused({ service: "runs", environment: "dev" }, []);
  expect(await keys("runs")).toEqual([]);
});

test("a store that can't keep the value leaves nothing recorded; two at once leave one that opens", async () => {
  const sealed = openSecretStore(home);
  const full: SecretStore = { ...sealed, set: async () => Promise.reject(Object.assign(new Error("ENOSPC"), { code: "ENOSPC" })) };
  const { ask: askFull } = await routes({ secrets: full });
  expect((await askFull("PUT", "/services/full/secrets/KEY", { value: aValue() })).status).toBeGreaterThanOrEqual(500);
  expect(await events(db, { about: "component:default/full" })).toEqual([]);
  expect((await askFull("GET", "/services/full/secrets")).body).toEqual({ secrets: [] });

  const { ask } = await routes();
  const all = Array.from({ length: 8 }, aValue);
  const answers = await Promise.all(all.map((value) => ask("PUT", "/services/busy/secrets/KEY", { value, environment: "dev" })));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  const versions = await serviceSecrets(db, sealed).versions({ service: "busy", environment: "dev" });
  const kept = await sealed.reveal({ service: "busy", environment: "dev", name: SERVICE_SECRETS, key: `KEY.${versions.KEY}` });
  expect(all).toContain(kept);
});

/** Looks through what was said, all tables of the database, and the files of the store. */
async function nowhere(value: string, said: readonly string[]): Promise<void> {
  expect(said.join("")).not.toContain(value);
  const { rows } = await sql<{ name: string }>`select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`.execute(
    db,
  );
  expect(rows.length).toBeGreaterThan(20);
  for (const { name } of rows) {
    const found = await sql`select from ${sql.raw(name)} as line where line::text like ${`%${value}%`}`.execute(db);
    expect(found.rows, name).toEqual([]);
  }
  for (const entry of await readdir(home, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) expect((await readFile(join(entry.parentPath, entry.name))).includes(value), entry.name).toBe(false);
}
