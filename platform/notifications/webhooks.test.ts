import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Clock } from "../kernel/clock.ts";
import { silentLog as log } from "../kernel/log.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { startDelivering } from "./deliver.ts";
import { post } from "./send.ts";
import { tell } from "./store.ts";
import { addWebhook, deliveries, queueTest, removeWebhook, retryDelivery, takeDue, webhooks, type SigningSecrets } from "./webhooks.ts";

const actor = "user:default/administrator";
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver on this machine that answers as told, 204 when it was told nothing. */
async function receiver(answers: number[] = []) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      received.push({ headers: request.headers, body });
      response.writeHead(answers.shift() ?? 204, { location: "http://127.0.0.1:1/" }).end();
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  closing.push(() => new Promise((closed) => server.close(closed)));
  return { port: (server.address() as AddressInfo).port, received };
}

function secretsHere(): SigningSecrets & { kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    set: async (id, secret) => void kept.set(id, secret),
    reveal: async (id) => kept.get(id) ?? Promise.reject(new Error("gone")),
    remove: async (id) => void kept.delete(id),
  };
}

async function stage(answers: number[] = []) {
  const db = await database();
  const clock = testClock();
  const secrets = secretsHere();
  const { port, received } = await receiver(answers);
  const url = `http://127.0.0.1:${port}/hooks`;
  const { webhook, secret } = await addWebhook(db, clock, secrets, actor, { url, description: "", kinds: [], thisMachine: true });
  const delivering = startDelivering({ db, clock, log, secrets, everyMs: 20 });
  closing.push(() => delivering.close());
  return { db, clock, secrets, received, webhook, secret, url };
}

const told = (db: Db, clock: Clock, kind: "release.held" | "check.failed" = "release.held") =>
  transact(db, (tx) =>
    tell(
      tx,
      clock,
      {
        key: kind,
        kind,
        title: "Held",
        body: "",
        link: "/releases/rel_1",
        about: "component:default/orders",
        audience: ["group:default/team-a"],
        except: [],
        urgent: true,
      },
      "http://cairn.test",
    ),
  );

test("a notice is sent once, signed as standard-webhooks says, and its secret is in no table", async () => {
  const { db, clock, received, webhook, secret } = await stage();
  await told(db, clock);
  await told(db, clock);
  await expect
    .poll(() => deliveries(db, webhook.id), { timeout: 10_000 })
    .toMatchObject([{ state: "delivered", attempts: [{ number: 1, status: 204 }] }]);
  const [{ headers, body } = { headers: {}, body: "" }] = received;
  expect(received).toHaveLength(1);
  expect(JSON.parse(body)).toMatchObject({
    type: "release.held",
    timestamp: clock.now().toISOString(),
    data: { about: "component:default/orders", link: "http://cairn.test/releases/rel_1" },
  });
  // The receiver's side, by the specification: whsec_, base64; the signature over id.timestamp.body.
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  expect(secret.startsWith("whsec_") && key.length === 32).toBe(true);
  const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  expect(headers["webhook-signature"]).toBe(`v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  expect(headers["webhook-timestamp"]).toBe(String(clock.now().getTime() / 1000));
  const everything = JSON.stringify([await webhooks(db), await deliveries(db, webhook.id), await events(db, { limit: 500 })]);
  expect(everything).not.toContain(secret.slice("whsec_".length));
});

test("what is not taken is tried again, later each time, under the same id, and given up in the end", async () => {
  const { db, clock, received, webhook } = await stage([500, 302, 429, 500, 500, 500, 500, 500, 500, 503]);
  await told(db, clock);
  const attempts = async () => (await deliveries(db, webhook.id))[0]?.attempts.length;
  const waits: number[] = [];
  for (let number = 1; number <= 10; number++) {
    await expect.poll(attempts, { timeout: 10_000 }).toBe(number);
    const [delivery] = await deliveries(db, webhook.id);
    if (!delivery?.nextAt) break;
    waits.push((delivery.nextAt.getTime() - clock.now().getTime()) / 1000);
    clock.turn(waits.at(-1) ?? 0);
  }
  expect(waits).toEqual([5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]);
  expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  const [delivery] = await deliveries(db, webhook.id);
  expect(delivery).toMatchObject({ state: "given_up", nextAt: null });
  expect(delivery?.attempts[1]).toMatchObject({ status: 302, detail: expect.stringContaining("redirect") as string });
  expect(await events(db, { types: ["notifications.delivery_given_up"] })).toHaveLength(1);
  // By hand it is tried once more; the receiver has come back.
  await transact(db, (tx) => retryDelivery(tx, clock, actor, webhook.id, delivery?.id ?? ""));
  await expect.poll(async () => (await deliveries(db, webhook.id))[0]?.state, { timeout: 10_000 }).toBe("delivered");
});

test("a receiver that answers 410 is switched off, and nothing is queued for it any more", async () => {
  const { db, clock, received, webhook } = await stage([410]);
  await told(db, clock);
  await expect.poll(async () => (await webhooks(db))[0]?.disabled?.because, { timeout: 10_000 }).toContain("410");
  await told(db, clock, "check.failed");
  expect(await deliveries(db, webhook.id)).toMatchObject([{ state: "given_up" }]);
  expect(received).toHaveLength(1);
  await expect(transact(db, (tx) => queueTest(tx, clock, actor, webhook.id))).rejects.toMatchObject({
    code: "notifications.webhook_disabled",
  });
});

test("a name that leads to a private address is refused when the socket is opened, however public it was before", async () => {
  const { port, received } = await receiver();
  const to = { url: `https://rebound.example:${port}/`, thisMachine: false };
  const message = { headers: {}, body: "{}" };
  const at = (address: string) => async () => [{ address, family: 4 }];
  for (const address of ["127.0.0.1", "10.0.0.1", "169.254.169.254"])
    expect(await post(to, message, { resolve: at(address) })).toMatchObject({
      status: null,
      outcome: "failed",
      detail: expect.stringContaining(address) as string,
    });
  // One public address among them does not let the others in.
  const mixed = async () => [
    { address: "93.184.216.34", family: 4 },
    { address: "127.0.0.1", family: 4 },
  ];
  expect(await post(to, message, { resolve: mixed })).toMatchObject({
    outcome: "failed",
    detail: expect.stringContaining("this very machine") as string,
  });
  expect(received).toEqual([]);
  // The name is asked once: what was checked is what is called.
  let asked = 0;
  const once = async () => [{ address: ++asked === 1 ? "127.0.0.1" : "10.0.0.1", family: 4 }];
  expect(await post({ url: `http://rebound.example:${port}/`, thisMachine: true }, message, { resolve: once })).toMatchObject({
    outcome: "delivered",
  });
  expect([asked, received[0]?.headers.host]).toEqual([1, `rebound.example:${port}`]);
});

test("a message whose sender died is due again; two senders never take the same one", async () => {
  const db = await database();
  const clock = testClock();
  const added = await addWebhook(db, clock, secretsHere(), actor, {
    url: "https://example.com/",
    description: "",
    kinds: [],
    thisMachine: false,
  });
  await told(db, clock);
  const taken = await Promise.all([takeDue(db, clock), takeDue(db, clock)]);
  expect(taken.filter(Boolean)).toMatchObject([{ number: 1, webhook: { id: added.webhook.id } }]);
  clock.turn(59);
  expect(await takeDue(db, clock)).toBeUndefined();
  clock.turn(2);
  expect(await takeDue(db, clock)).toMatchObject({ number: 2 });
});

test("a webhook gets the kinds that it asked for; removing it removes its log and its secret", async () => {
  const db = await database();
  const clock = testClock();
  const secrets = secretsHere();
  const add = (kinds: ("release.held" | "check.failed")[]) =>
    addWebhook(db, clock, secrets, actor, { url: "https://example.com/", description: "", kinds, thisMachine: false });
  const [all, held] = [await add([]), await add(["release.held"])];
  await told(db, clock);
  await told(db, clock, "check.failed");
  expect((await deliveries(db, all.webhook.id)).map(({ kind }) => kind).toSorted()).toEqual(["check.failed", "release.held"]);
  expect(await deliveries(db, held.webhook.id)).toMatchObject([{ kind: "release.held" }]);
  await removeWebhook(db, clock, secrets, actor, held.webhook.id);
  expect(secrets.kept.has(held.webhook.id)).toBe(false);
  await expect(deliveries(db, held.webhook.id)).rejects.toMatchObject({ code: "notifications.webhook_missing" });
  await expect(removeWebhook(db, clock, secrets, actor, held.webhook.id)).rejects.toMatchObject({ code: "notifications.webhook_missing" });
});
