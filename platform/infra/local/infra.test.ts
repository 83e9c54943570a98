import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { expect, inject, test } from "vitest";
import { events } from "../../ledger/store.ts";
import type { SecretRef, SecretStore } from "../../secrets/contract.ts";
import { serviceSecrets, setSecret } from "../../secrets/store.ts";
import { testClock } from "../../testing/clock.ts";
import { database } from "../../testing/database.ts";
import { parseScore } from "../intent.ts";
import { localInfra } from "./infra.ts";

const clock = testClock();
const actor = "user:default/example";
const prices = { currency: "EUR", monthly: { postgres: { each: 1.5 } } };

test("apply() makes a database that the service alone can use, once, and the plan then finds nothing to do", async () => {
  const { infra, secrets, target, db, adminUrl } = await start();
  const plan = await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service) });
  expect(plan.resources.map(({ address, action }) => [address, action])).toEqual([
    [`http-service/${target.service}`, "create"],
    ["postgres/db", "create"],
  ]);
  expect((await infra.apply(plan, actor)).map(({ result }) => result)).toEqual(["created", "created"]);
  expect((await infra.apply(plan, actor)).map(({ result }) => result)).toEqual(["unchanged", "unchanged"]);
  const uri = await secrets.reveal({ ...target, name: "db", key: "uri" });
  await using service = await connected(uri);
  await service.client.query("create table item (id int)");
  const name = await secrets.reveal({ ...target, name: "db", key: "database" });
  expect(name).toBe(`svc_${target.service}_dev_db`);
  const { rows } = await service.client.query("select rolconnlimit, rolsuper, rolcreatedb from pg_roles where rolname = current_user");
  expect(rows).toEqual([{ rolconnlimit: 30, rolsuper: false, rolcreatedb: false }]);
  // Neither another service's role nor this one in the platform's database gets in.
  const other = await start({ db });
  await other.infra.apply(await other.infra.plan({ ...other.target, owner: "team-a", intent: withDatabase(other.target.service) }), actor);
  const intruder = new URL(await other.secrets.reveal({ ...other.target, name: "db", key: "uri" }));
  intruder.pathname = `/${name}`;
  await expect(connected(intruder.href)).rejects.toMatchObject({ code: "42501" });
  const { rows: own } = await db
    .selectNoFrom((eb) => eb.fn<string>("current_database", []).as("name"))
    .execute()
    .then((found) => ({ rows: found }));
  intruder.pathname = `/${own[0]?.name}`;
  await expect(connected(intruder.href)).rejects.toMatchObject({ code: "42501" });
  const again = await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service) });
  expect(again.resources.map(({ action }) => action)).toEqual(["none", "none"]);
  const recorded = await events(db, { about: `component:default/${target.service}` });
  expect(recorded.map(({ type }) => type)).toEqual(["infra.resource_created", "infra.resource_created"]);
  const password = await secrets.reveal({ ...target, name: "db", key: "password" });
  expect(JSON.stringify([plan, again, recorded, await infra.resources(target)])).not.toContain(password);
  await other.infra.destroy(other.target, actor);
  await service.client.end();
  expect((await infra.destroy(target, actor, { dropData: true })).map(({ result }) => result)).toEqual(["deleted", "deleted"]);
  expect(await secrets.list(target)).toEqual([]);
  await using admin = await connected(adminUrl);
  expect((await admin.client.query("select from pg_roles where rolname = $1", [name])).rowCount).toBe(0);
});

test("apply() goes on after a crash at each of its outside effects", async () => {
  const { infra, secrets, target, failAt } = await start();
  const plan = await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service) });
  for (let call = 1; ; call++) {
    failAt(call);
    const outcome = await infra.apply(plan, actor).then(
      () => "done",
      () => "crashed",
    );
    if (outcome === "done") break;
    expect(call).toBeLessThan(20);
    expect((await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service) })).resources[1]?.action).toBe("create");
  }
  failAt(0);
  await using service = await connected(await secrets.reveal({ ...target, name: "db", key: "uri" }));
  expect((await service.client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await service.client.end();
  await infra.destroy(target, actor, { dropData: true });
});

test("takeBack() undoes what an apply created or updated, whole or half, and leaves what was there before", async () => {
  const { infra, secrets, target, adminUrl, failAt } = await start();
  const order = { ...target, owner: "team-a" };
  const plan = await infra.plan({ ...order, intent: withDatabase(target.service) });
  const name = `svc_${target.service}_dev_db`;
  await using admin = await connected(adminUrl);
  const roles = async () => (await admin.client.query("select rolconnlimit as max from pg_roles where rolname = $1", [name])).rows;
  failAt(2);
  await expect(infra.apply(plan, actor)).rejects.toThrow("crashed");
  failAt(0);
  await infra.takeBack(plan, actor);
  expect([await infra.resources(target), await roles(), await secrets.list(target)]).toEqual([[], [], []]);
  await infra.takeBack(plan, actor);
  await infra.apply(plan, actor);
  const update = await infra.plan({ ...order, intent: withDatabase(target.service, "{ connectionLimit: 5 }") });
  await infra.apply(update, actor);
  expect(await roles()).toEqual([{ max: 5 }]);
  await infra.takeBack(plan, actor); // it is no longer as that plan made it
  expect(await roles()).toEqual([{ max: 5 }]);
  await infra.takeBack(update, actor);
  expect(await roles()).toEqual([{ max: 30 }]);
  await infra.takeBack(plan, actor);
  expect(await roles()).toEqual([]);
});

test("applyDeletes() keeps a database with tables under another name, and its role can't sign in any more", async () => {
  const { infra, secrets, target, adminUrl, db } = await start();
  await infra.apply(await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service) }), actor);
  const uri = await secrets.reveal({ ...target, name: "db", key: "uri" });
  await using service = await connected(uri);
  await service.client.query("create table item as select 42 as answer");
  const plan = await infra.plan({ ...target, owner: "team-a", intent: withoutDatabase(target.service) });
  expect(plan.resources.find(({ address }) => address === "postgres/db")).toMatchObject({
    action: "delete",
    because: expect.stringContaining("DESTRUCTIVE"),
  });
  expect(await infra.apply(plan, actor)).toHaveLength(1); // deletes nothing
  const [removed] = await infra.applyDeletes(plan, actor);
  expect(removed).toMatchObject({ address: "postgres/db", result: "retained" });
  await expect(connected(uri)).rejects.toThrow();
  const kept = new URL(adminUrl);
  kept.pathname = `/${removed?.detail}`;
  {
    await using admin = await connected(kept.href);
    expect((await admin.client.query("select answer from item")).rows).toEqual([{ answer: 42 }]);
  }
  expect((await infra.applyDeletes(plan, actor))[0]?.result).toBe("unchanged");
  expect((await events(db, { types: ["infra.resource_retained"] }))[0]?.data).toMatchObject({ keptAs: removed?.detail });
  // The name is free again: what is made anew is empty.
  await infra.apply(await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service) }), actor);
  await infra.destroy(target, actor);
  await using admin = await connected(adminUrl);
  await admin.client.query(`drop database "${removed?.detail}"`);
  await admin.client.query(`drop role "${removed?.detail}"`);
});

test("apply() refuses a role or database that somebody else made, and a plan whose resource is no longer as it was", async () => {
  const { infra, target, adminUrl } = await start();
  const name = `svc_${target.service}_dev_db`;
  await using admin = await connected(adminUrl);
  await admin.client.query(`create role "${name}"`);
  const plan = await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service) });
  await expect(infra.apply(plan, actor)).rejects.toMatchObject({ code: "infra.name_taken", message: expect.stringContaining("role") });
  await admin.client.query(`drop role "${name}"`);
  await infra.apply(plan, actor);
  const other = await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service, "{ connectionLimit: 5 }") });
  expect(other.resources[1]).toMatchObject({ action: "update", because: "connectionLimit changed" });
  await infra.destroy(target, actor);
  await expect(infra.apply(other, actor)).rejects.toMatchObject({ code: "infra.plan_stale" });
});

test("apply() twice at once leaves one database, and both succeed", async () => {
  const { infra, secrets, target } = await start();
  const plan = await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service) });
  await Promise.all([infra.apply(plan, actor), infra.apply(plan, actor)]);
  await using service = await connected(await secrets.reveal({ ...target, name: "db", key: "uri" }));
  await service.client.end();
  await infra.destroy(target, actor);
});

test("a role that may create roles and databases is enough to do it all", async () => {
  const { db, secrets, target, adminUrl } = await start();
  const name = `admin_${randomBytes(5).toString("hex")}`;
  await using superuser = await connected(adminUrl);
  await superuser.client.query(`create role ${name} login createdb createrole password 'secret'`);
  const url = new URL(adminUrl);
  url.username = name;
  url.password = "secret";
  const infra = localInfra({ db, clock, adminUrl: url.href, secrets, prices, serviceSecrets: serviceSecrets(db, secrets) });
  await infra.apply(await infra.plan({ ...target, owner: "team-a", intent: withDatabase(target.service) }), actor);
  await using service = await connected(await secrets.reveal({ ...target, name: "db", key: "uri" }));
  await service.client.query("create table item as select 42 as answer");
  const removed = await infra.destroy(target, actor);
  const kept = removed.find(({ result }) => result === "retained")?.detail;
  expect(kept).toMatch(/^kept_/);
  await superuser.client.query(`drop database "${kept}"`);
  await superuser.client.query(`drop role "${kept}"`);
  await superuser.client.query(`drop role ${name}`);
});

async function start(given: { db?: Awaited<ReturnType<typeof database>> } = {}) {
  const db = given.db ?? (await database());
  const { secrets, failAt } = memorySecrets();
  const adminUrl = inject("postgresUrl");
  const target = { service: `s${randomBytes(5).toString("hex")}`, environment: "dev" };
  const infra = localInfra({ db, clock, adminUrl, secrets, prices, serviceSecrets: serviceSecrets(db, secrets) });
  return { db, secrets, failAt, adminUrl, target, infra };
}

/** Secrets in memory; `failAt(n)` makes the n-th call from now fail, as a crash there would. */
function memorySecrets(): { secrets: SecretStore; failAt: (call: number) => void } {
  const values = new Map<string, { ref: SecretRef; value: string }>();
  const keyOf = (ref: SecretRef) => JSON.stringify([ref.service, ref.environment, ref.name, ref.key]);
  let left = 0;
  const called = () => {
    if (left > 0 && --left === 0) throw new Error("crashed");
  };
  const secrets: SecretStore = {
    async set(ref, value, options) {
      called();
      if (options?.onlyIfMissing && values.has(keyOf(ref))) return false;
      values.set(keyOf(ref), { ref, value });
      return true;
    },
    async reveal(ref) {
      called();
      const found = values.get(keyOf(ref));
      if (!found) throw new Error(`no secret ${keyOf(ref)}`);
      return found.value;
    },
    async list({ service, environment }) {
      return [...values.values()].map(({ ref }) => ref).filter((ref) => ref.service === service && ref.environment === environment);
    },
    async remove({ service, environment, name, key }) {
      for (const ref of await secrets.list({ service, environment }))
        if ((name === undefined || ref.name === name) && (key === undefined || ref.key === key)) values.delete(keyOf(ref));
    },
  };
  return { secrets, failAt: (call) => void (left = call) };
}

async function connected(url: string): Promise<AsyncDisposable & { client: Client }> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {}); // the server ends it where a test takes the database away
  await client.connect();
  return { client, [Symbol.asyncDispose]: () => client.end().catch(() => {}) };
}

const withoutDatabase = (name: string) => parseScore(score(name));
const withDatabase = (name: string, params = "{}") =>
  parseScore(`${score(name)}resources: { db: { type: postgres, params: ${params} } }\n`);
const score = (name: string) => `
apiVersion: score.dev/v1b1
metadata: { name: ${name} }
service: { ports: { http: { port: 80, targetPort: 8080 } } }
containers: { main: { image: . } }
`;

test("secrets that people set: refused while missing, kept for what serves until the next is promoted, then the old version goes", async () => {
  const { infra, secrets, target, db } = await start();
  const intent = parseScore(
    `${score(target.service).replace("image: .", 'image: ., variables: { KEY: "${resources.vault.KEY}" }')}resources: { vault: { type: secret } }\n`,
  );
  const plan = () => infra.plan({ ...target, owner: "team-a", intent });
  const set = (value: string) =>
    setSecret({ db, clock, secrets }, actor, { service: target.service, environments: ["dev"], name: "KEY", value });
  const keys = async () => (await secrets.list(target)).map(({ key }) => key);
  expect(await infra.usedSecrets(target)).toBeUndefined();
  const missing = await plan();
  expect(missing.missingSecrets).toEqual(["KEY"]);
  await expect(infra.apply(missing, actor)).rejects.toThrow();

  await set("one");
  const first = await plan();
  await infra.apply(first, actor);
  const [one = ""] = await keys();
  expect(await infra.usedSecrets(target)).toEqual([one]);

  await set("two");
  const second = await plan();
  await infra.apply(second, actor);
  expect(await infra.usedSecrets(target)).toEqual([one]);
  await infra.applyDeletes(first, actor); // what serves is promoted late: what comes next needs its version
  expect(await keys()).toHaveLength(2);
  await infra.applyDeletes(second, actor);
  expect(await keys()).toHaveLength(1);
  expect(await keys()).not.toContain(one);
  expect((await plan()).resources.map(({ action }) => action)).toEqual(["none", "none"]);
});
