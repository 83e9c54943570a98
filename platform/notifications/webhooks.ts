import { sql, type Selectable } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { newId } from "../kernel/ids.ts";
import { transact, type Db, type Sql, type Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { record } from "../ledger/store.ts";
import { checkedUrl } from "./address.ts";
import { deliveryMissing, deliveryPending, webhookDisabled, webhookMissing } from "./faults.ts";
import type { Delivery, NoticeKind, Webhook } from "./model.ts";
import type { Sent } from "./send.ts";
import { newSigningSecret } from "./signature.ts";

interface WebhookTable {
  id: string;
  url: string;
  description: string;
  kinds: NoticeKind[];
  this_machine: boolean;
  created_by: string;
  created_at: Date;
  disabled_at: Date | null;
  disabled_because: string | null;
}

interface DeliveryTable {
  id: string;
  webhook: string;
  notification: string | null;
  kind: NoticeKind;
  body: string;
  state: Delivery["state"];
  attempts: number;
  created_at: Date;
  next_at: Date | null;
}

declare module "../kernel/sql.ts" {
  interface Tables {
    webhook: WebhookTable;
    webhook_delivery: DeliveryTable;
    webhook_attempt: { delivery: string; number: number; at: Date; status: number | null; detail: string; seconds: number };
  }
}

/** Where the signing secrets lie: outside the database. */
export interface SigningSecrets {
  set(webhook: string, secret: string): Promise<void>;
  reveal(webhook: string): Promise<string>;
  remove(webhook: string): Promise<void>;
}

/** Seconds to the next attempt after so many. Source: standard-webhooks specification, "Deliverability and reliability". */
const BACK_OFF_SECONDS = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/** A sender that has said nothing for so long has died: another may send. */
const LEASE_SECONDS = 60;

export type NewWebhook = Pick<Webhook, "url" | "description" | "kinds" | "thisMachine">;

/** Adds a webhook and gives its signing secret, which is shown this once. Throws `notifications.webhook_url`, `notifications.address_refused`. */
export async function addWebhook(
  db: Db,
  clock: Clock,
  secrets: SigningSecrets,
  actor: Actor,
  wanted: NewWebhook,
): Promise<{ webhook: Webhook; secret: string }> {
  const url = checkedUrl(wanted.url, wanted.thisMachine).href;
  const id = newId("whk", clock);
  const secret = newSigningSecret();
  await secrets.set(id, secret);
  const { description, kinds, thisMachine } = wanted;
  const row = await transact(db, async (tx) => {
    const added = await tx
      .insertInto("webhook")
      .values({
        id,
        url,
        description,
        kinds,
        this_machine: thisMachine,
        created_by: actor,
        created_at: clock.now(),
        disabled_at: null,
        disabled_because: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    // An address may carry a key of its receiver: the ledger, which forgets nothing, gets its host.
    const data = { webhook: id, host: new URL(url).host, kinds, thisMachine };
    await record(tx, clock, { type: "notifications.webhook_added", about: `webhook:${id}`, actor, data });
    return added;
  });
  return { webhook: webhookOf(row), secret };
}

/** Removes a webhook with its log and its secret. Throws `notifications.webhook_missing`. */
export async function removeWebhook(db: Db, clock: Clock, secrets: SigningSecrets, actor: Actor, id: string): Promise<void> {
  await transact(db, async (tx) => {
    const { numDeletedRows } = await tx.deleteFrom("webhook").where("id", "=", id).executeTakeFirst();
    if (numDeletedRows === 0n) throw webhookMissing(id);
    await record(tx, clock, { type: "notifications.webhook_removed", about: `webhook:${id}`, actor, data: { webhook: id } });
  });
  await secrets.remove(id);
}

export async function webhooks(db: Sql): Promise<Webhook[]> {
  return (await db.selectFrom("webhook").selectAll().orderBy("id").execute()).map(webhookOf);
}

/** Throws `notifications.webhook_missing`. */
async function findWebhook(db: Sql, id: string): Promise<Webhook> {
  const row = await db.selectFrom("webhook").selectAll().where("id", "=", id).executeTakeFirst();
  if (!row) throw webhookMissing(id);
  return webhookOf(row);
}

/** Puts a message into the outbox for every webhook that wants its kind, in the transaction of what it tells. Gives the webhooks' ids. */
export async function queueDeliveries(
  tx: Tx,
  clock: Clock,
  message: { notification: string; kind: NoticeKind; data: Record<string, unknown> },
): Promise<string[]> {
  const wanted = (await webhooks(tx)).filter(({ kinds, disabled }) => !disabled && (kinds.length === 0 || kinds.includes(message.kind)));
  for (const { id } of wanted) await queue(tx, clock, id, message);
  return wanted.map(({ id }) => id);
}

/** Puts a message that means nothing into the outbox of one webhook, to see whether it arrives. Throws `notifications.webhook_missing`, `notifications.webhook_disabled`. */
export async function queueTest(tx: Tx, clock: Clock, actor: Actor, id: string): Promise<Delivery> {
  const { disabled } = await findWebhook(tx, id);
  if (disabled) throw webhookDisabled(id, disabled.because);
  const data = { title: "A test of this webhook", askedBy: actor };
  const row = await queue(tx, clock, id, { notification: null, kind: "webhook.test", data });
  await record(tx, clock, { type: "notifications.webhook_tested", about: `webhook:${id}`, actor, data: { webhook: id, delivery: row.id } });
  return deliveryOf(row, []);
}

const queue = (
  tx: Tx,
  clock: Clock,
  webhook: string,
  { notification, kind, data }: { notification: string | null; kind: NoticeKind; data: Record<string, unknown> },
) =>
  tx
    .insertInto("webhook_delivery")
    .values({
      id: newId("msg", clock),
      webhook,
      notification,
      kind,
      body: JSON.stringify({ type: kind, timestamp: clock.now().toISOString(), data }),
      state: "pending",
      attempts: 0,
      created_at: clock.now(),
      next_at: clock.now(),
    })
    .returningAll()
    .executeTakeFirstOrThrow();

/** One attempt that is to be made. */
export interface Due {
  id: string;
  body: string;
  number: number;
  webhook: Pick<Webhook, "id" | "url" | "thisMachine">;
}

/** Takes the next message that is due, for a while: if its sender dies, it is due again. */
export async function takeDue(db: Db, clock: Clock): Promise<Due | undefined> {
  const now = clock.now();
  const leased = new Date(now.getTime() + LEASE_SECONDS * 1000);
  const { rows } = await sql<{ id: string; body: string; attempts: number; webhook: string; url: string; this_machine: boolean }>`
    with due as (
      select delivery.id, webhook.url, webhook.this_machine from webhook_delivery delivery join webhook on webhook.id = delivery.webhook
      where delivery.state = 'pending' and delivery.next_at <= ${now} and webhook.disabled_at is null
      order by delivery.next_at, delivery.id limit 1 for update of delivery skip locked
    )
    update webhook_delivery set next_at = ${leased}, attempts = attempts + 1 from due where webhook_delivery.id = due.id
    returning webhook_delivery.id, body, attempts, webhook, due.url, due.this_machine`.execute(db);
  const [row] = rows;
  return (
    row && {
      id: row.id,
      body: row.body,
      number: row.attempts,
      webhook: { id: row.webhook, url: row.url, thisMachine: row.this_machine },
    }
  );
}

/** Notes what became of an attempt, and when the next one is due. The last one gives up; a receiver that is gone is not called again. */
export async function noteAttempt(tx: Tx, clock: Clock, due: Due, sent: Sent, startedAt: Date): Promise<void> {
  const now = clock.now();
  const row = await tx.selectFrom("webhook_delivery").selectAll().where("id", "=", due.id).forUpdate().executeTakeFirst();
  if (!row || row.state !== "pending") return; // removed meanwhile, or another sender was faster
  const seconds = (now.getTime() - startedAt.getTime()) / 1000;
  await tx
    .insertInto("webhook_attempt")
    .values({ delivery: due.id, number: due.number, at: startedAt, status: sent.status, detail: sent.detail.slice(0, 500), seconds })
    .onConflict((oc) => oc.columns(["delivery", "number"]).doNothing())
    .execute();
  const wait = BACK_OFF_SECONDS[due.number - 1];
  const state = sent.outcome === "delivered" ? "delivered" : sent.outcome === "gone" || wait === undefined ? "given_up" : "pending";
  const next = state === "pending" && wait !== undefined ? new Date(now.getTime() + wait * 1000) : null;
  await tx.updateTable("webhook_delivery").set({ state, next_at: next }).where("id", "=", due.id).execute();
  if (state === "pending") return;
  const gone = sent.outcome === "gone";
  if (gone) await disable(tx, clock, due.webhook.id, "its receiver answered 410 Gone");
  const data = {
    webhook: due.webhook.id,
    delivery: due.id,
    attempts: due.number,
    status: sent.status,
    detail: sent.detail,
    disabled: gone,
  };
  const type = state === "delivered" ? "notifications.delivered" : "notifications.delivery_given_up";
  await record(tx, clock, { type, about: `webhook:${due.webhook.id}`, actor: "system:notifications", data });
}

async function disable(tx: Tx, clock: Clock, id: string, because: string): Promise<void> {
  await tx.updateTable("webhook").set({ disabled_at: clock.now(), disabled_because: because }).where("id", "=", id).execute();
  await tx
    .updateTable("webhook_delivery")
    .set({ state: "given_up", next_at: null })
    .where("webhook", "=", id)
    .where("state", "=", "pending")
    .execute();
}

/** Tries a message anew that was given up or delivered. Throws `notifications.delivery_missing`, `notifications.delivery_pending`, `notifications.webhook_disabled`. */
export async function retryDelivery(tx: Tx, clock: Clock, actor: Actor, webhook: string, id: string): Promise<Delivery> {
  const { disabled } = await findWebhook(tx, webhook);
  if (disabled) throw webhookDisabled(webhook, disabled.because);
  const row = await tx
    .selectFrom("webhook_delivery")
    .selectAll()
    .where("id", "=", id)
    .where("webhook", "=", webhook)
    .forUpdate()
    .executeTakeFirst();
  if (!row) throw deliveryMissing(id);
  if (row.state === "pending") throw deliveryPending(id);
  await tx.updateTable("webhook_delivery").set({ state: "pending", next_at: clock.now() }).where("id", "=", id).execute();
  await record(tx, clock, {
    type: "notifications.delivery_retried",
    about: `webhook:${webhook}`,
    actor,
    data: { webhook, delivery: id },
  });
  return (await deliveriesWhere(tx, { webhook, id }))[0] ?? deliveryOf(row, []);
}

/** The log of a webhook, the newest first. Throws `notifications.webhook_missing`. */
export async function deliveries(db: Sql, webhook: string, limit = 50): Promise<Delivery[]> {
  await findWebhook(db, webhook);
  return deliveriesWhere(db, { webhook, limit });
}

async function deliveriesWhere(db: Sql, { webhook, id, limit = 1 }: { webhook: string; id?: string; limit?: number }): Promise<Delivery[]> {
  let query = db
    .selectFrom("webhook_delivery")
    .selectAll()
    .where("webhook", "=", webhook)
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .limit(limit);
  if (id !== undefined) query = query.where("id", "=", id);
  const rows = await query.execute();
  if (rows.length === 0) return [];
  const attempts = await db
    .selectFrom("webhook_attempt")
    .selectAll()
    .where(
      "delivery",
      "in",
      rows.map((row) => row.id),
    )
    .orderBy("number")
    .execute();
  return rows.map((row) =>
    deliveryOf(
      row,
      attempts.filter(({ delivery }) => delivery === row.id),
    ),
  );
}

/** When a message is due next, if any is waiting. */
export async function nextDue(db: Sql): Promise<Date | undefined> {
  const row = await db
    .selectFrom("webhook_delivery")
    .select("next_at")
    .where("state", "=", "pending")
    .orderBy("next_at")
    .limit(1)
    .executeTakeFirst();
  return row?.next_at ?? undefined;
}

const webhookOf = (row: Selectable<WebhookTable>): Webhook => ({
  id: row.id,
  url: row.url,
  description: row.description,
  kinds: row.kinds,
  thisMachine: row.this_machine,
  createdBy: row.created_by,
  createdAt: row.created_at,
  disabled: row.disabled_at && { at: row.disabled_at, because: row.disabled_because ?? "" },
});

const deliveryOf = (row: Selectable<DeliveryTable>, attempts: Delivery["attempts"]): Delivery => ({
  id: row.id,
  webhook: row.webhook,
  kind: row.kind,
  state: row.state,
  createdAt: row.created_at,
  nextAt: row.next_at,
  attempts: attempts.map(({ number, at, status, detail, seconds }) => ({ number, at, status, detail, seconds })),
});
