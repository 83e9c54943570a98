import { sql, type Selectable } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { newId } from "../kernel/ids.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import { ADMINISTRATORS, type InboxItem, type Notice, type NoticeKind } from "./model.ts";
import { queueDeliveries } from "./webhooks.ts";

interface NotificationTable {
  id: string;
  key: string;
  kind: NoticeKind;
  title: string;
  body: string;
  link: string;
  about: string;
  audience: string[];
  excepted: string[];
  urgent: boolean;
  at: Date;
}

declare module "../kernel/sql.ts" {
  interface Tables {
    notification: NotificationTable;
    notification_read: { notification: string; person: string; at: Date };
  }
}

/** Tells something, and queues it for the webhooks that want it. A notice whose key was told before is not told again: false then. */
export async function tell(tx: Tx, clock: Clock, notice: Notice, publicUrl: string): Promise<boolean> {
  const { except, ...same } = notice;
  const id = newId("ntf", clock);
  const told = await tx
    .insertInto("notification")
    .values({ ...same, id, excepted: except, at: clock.now() })
    .onConflict((oc) => oc.column("key").doNothing())
    .returning("id")
    .executeTakeFirst();
  if (!told) return false;
  const { kind, title, body, link, about, audience, urgent } = notice;
  const queued = await queueDeliveries(tx, clock, {
    notification: id,
    kind,
    data: { id, title, body, about, audience, urgent, link: new URL(link, publicUrl).href },
  });
  const data = { notification: id, kind, key: notice.key, audience, except, webhooks: queued };
  await record(tx, clock, { type: "notifications.told", about, actor: "system:notifications", data });
  return true;
}

/** Who asks for an inbox, with what they belong to at this moment. */
export interface Reader {
  ref: string;
  groups: readonly string[];
  administrator: boolean;
}

/** What is addressed to a person now, the newest first, and how much of all of it is unread. `before` is the id after which to go on. */
export async function inbox(
  db: Sql,
  reader: Reader,
  filter: { unread?: boolean | undefined; before?: string | undefined; limit: number },
): Promise<{ items: InboxItem[]; unread: number; next: string | null }> {
  let query = addressedTo(db, reader)
    .leftJoin("notification_read as seen", (join) => join.onRef("seen.notification", "=", "told.id").on("seen.person", "=", reader.ref))
    .selectAll("told")
    .select("seen.at as read_at")
    .orderBy("told.id", "desc")
    .limit(filter.limit + 1);
  if (filter.unread) query = query.where("seen.at", "is", null);
  if (filter.before !== undefined) query = query.where("told.id", "<", filter.before);
  const rows = await query.execute();
  const items = rows.slice(0, filter.limit).map(itemOf);
  const { unread } = await addressedTo(db, reader)
    .select((eb) => eb.fn.countAll<number>().as("unread"))
    .where(notSeenBy(reader.ref))
    .executeTakeFirstOrThrow();
  return { items, unread, next: rows.length > filter.limit ? (items.at(-1)?.id ?? null) : null };
}

/** Marks what a person has read: the ones named, or all that is addressed to them. What is not addressed to them is left alone. Gives how many that were unread. */
export async function markRead(tx: Tx, clock: Clock, reader: Reader, which: readonly string[] | "all"): Promise<number> {
  let query = addressedTo(tx, reader).select("told.id").where(notSeenBy(reader.ref)).orderBy("told.id");
  if (which !== "all") query = query.where("told.id", "in", [...which, ""]);
  const ids = (await query.execute()).map(({ id }) => id);
  if (ids.length === 0) return 0;
  await tx
    .insertInto("notification_read")
    .values(ids.map((notification) => ({ notification, person: reader.ref, at: clock.now() })))
    .onConflict((oc) => oc.columns(["notification", "person"]).doNothing())
    .execute();
  await record(tx, clock, { type: "notifications.read", about: reader.ref, actor: reader.ref, data: { notifications: ids } });
  return ids.length;
}

function addressedTo(db: Sql, { ref, groups, administrator }: Reader) {
  const names = [ref, ...groups, ...(administrator ? [ADMINISTRATORS] : [])];
  return db
    .selectFrom("notification as told")
    .where(sql<boolean>`told.audience && ${names}::text[]`)
    .where(sql<boolean>`not (${ref} = any (told.excepted))`);
}

const notSeenBy = (ref: string) =>
  sql<boolean>`not exists (select from notification_read where notification = told.id and person = ${ref})`;

const itemOf = ({
  key: _key,
  excepted: _excepted,
  read_at,
  ...row
}: Selectable<NotificationTable> & { read_at: Date | null }): InboxItem => ({
  ...row,
  readAt: read_at,
});
