import { sql, type Generated } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { canonicalJson, sha256, type Digest } from "../kernel/digest.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import { firstBreak, hashOf, type ChainFault } from "./chain.ts";
import { documentMissing } from "./faults.ts";
import type { Event, RecordedEvent } from "./model.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    ledger_event: {
      seq: number;
      at: Date;
      type: string;
      about: string;
      actor: string;
      data: Record<string, unknown>;
      previous_hash: Digest | "";
      hash: Digest;
    };
    ledger_document: { digest: Digest; media_type: string; body: string; created_at: Generated<Date> };
    ledger_cursor: { consumer: string; seq: number };
  }
}

/**
 * Writes an event in the transaction of the change that it records. Writers take turns from here to their commit: so the order of `seq` is the order
 * of commits, and a reader that has seen `seq` has seen all before it. Call it last in the transaction.
 */
export async function record(tx: Tx, clock: Clock, event: Event): Promise<RecordedEvent> {
  await sql`select pg_advisory_xact_lock(7146001)`.execute(tx);
  const last = await tx.selectFrom("ledger_event").select(["seq", "hash"]).orderBy("seq", "desc").limit(1).executeTakeFirst();
  // Through JSON once, so that what is hashed is what a reader gets back.
  const data = JSON.parse(canonicalJson(event.data ?? {})) as Record<string, unknown>;
  const line = {
    seq: (last?.seq ?? 0) + 1,
    at: clock.now(),
    type: event.type,
    about: event.about,
    actor: event.actor,
    data,
    previousHash: last?.hash ?? ("" as const),
  };
  const recorded: RecordedEvent = { ...line, hash: hashOf(line) };
  await tx
    .insertInto("ledger_event")
    .values({
      seq: recorded.seq,
      at: recorded.at,
      type: recorded.type,
      about: recorded.about,
      actor: recorded.actor,
      data: JSON.stringify(recorded.data) as never,
      previous_hash: recorded.previousHash,
      hash: recorded.hash,
    })
    .execute();
  await sql`select pg_notify('cairn_ledger', ${String(recorded.seq)})`.execute(tx);
  return recorded;
}

export interface EventFilter {
  afterSeq?: number;
  beforeSeq?: number;
  about?: string;
  actor?: string;
  types?: readonly string[];
  limit?: number;
  newestFirst?: boolean;
}

/** Events in order, at most `limit` (default 100). */
export async function events(db: Sql, filter: EventFilter = {}): Promise<RecordedEvent[]> {
  let query = db
    .selectFrom("ledger_event")
    .selectAll()
    .limit(filter.limit ?? 100);
  query = query.orderBy("seq", filter.newestFirst ? "desc" : "asc");
  if (filter.afterSeq !== undefined) query = query.where("seq", ">", filter.afterSeq);
  if (filter.beforeSeq !== undefined) query = query.where("seq", "<", filter.beforeSeq);
  if (filter.about !== undefined) query = query.where("about", "=", filter.about);
  if (filter.actor !== undefined) query = query.where("actor", "=", filter.actor);
  if (filter.types !== undefined) query = query.where("type", "in", [...filter.types]);
  return (await query.execute()).map(({ previous_hash, ...row }) => ({ ...row, previousHash: previous_hash }));
}

/** Keeps a JSON document under its digest. The same document twice is one row. */
export async function keep(tx: Sql, document: unknown, mediaType: string): Promise<Digest> {
  const body = canonicalJson(document);
  const digest = sha256(body);
  await tx
    .insertInto("ledger_document")
    .values({ digest, media_type: mediaType, body })
    .onConflict((oc) => oc.column("digest").doNothing())
    .execute();
  return digest;
}

/** The document under a digest. Throws `ledger.document_missing`. */
export async function read<T = unknown>(db: Sql, digest: Digest): Promise<T> {
  const row = await db.selectFrom("ledger_document").select("body").where("digest", "=", digest).executeTakeFirst();
  if (!row) throw documentMissing(digest);
  return JSON.parse(row.body) as T;
}

/** All lines after one, in pages, to the end. */
export async function* linesAfter(db: Sql, seq: number, pageSize = 1000): AsyncGenerator<RecordedEvent[]> {
  for (let after = seq; ;) {
    const page = await events(db, { afterSeq: after, limit: pageSize });
    const last = page.at(-1);
    if (!last) return;
    yield page;
    after = last.seq;
  }
}

/** Walks the whole chain in pages; gives the first line that does not fit, or undefined. */
export async function verify(db: Sql, pageSize = 1000): Promise<ChainFault | undefined> {
  let previous: { seq: number; hash: Digest | "" } = { seq: 0, hash: "" };
  for await (const page of linesAfter(db, 0, pageSize)) {
    const broken = firstBreak(page, previous);
    if (broken) return broken;
    previous = page.at(-1) ?? previous;
  }
  return undefined;
}

/**
 * Hands events of the given types to `handle`, each at least once and in order, and remembers how far this consumer came. One process at a time
 * does it for a consumer; another gets 0. `handle` must be idempotent: its effect and the cursor are not one transaction. Gives how many it handled.
 */
export async function consume(
  db: Sql,
  consumer: string,
  types: readonly string[],
  handle: (event: RecordedEvent) => Promise<void>,
): Promise<number> {
  const cursor = await db.selectFrom("ledger_cursor").select("seq").where("consumer", "=", consumer).executeTakeFirst();
  const page = await events(db, { afterSeq: cursor?.seq ?? 0, types, limit: 50 });
  for (const event of page) {
    await handle(event);
    await db
      .insertInto("ledger_cursor")
      .values({ consumer, seq: event.seq })
      .onConflict((oc) => oc.column("consumer").doUpdateSet({ seq: event.seq }))
      .execute();
  }
  return page.length;
}
