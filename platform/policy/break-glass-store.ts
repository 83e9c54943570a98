import { sql, type Selectable } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { newId } from "../kernel/ids.ts";
import { transact, type Db, type Sql, type Tx } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import {
  breakGlassMissing,
  breakGlassNotOpen,
  breakGlassOwnReview,
  breakGlassReviewed,
  breakGlassStillOpen,
} from "./break-glass-faults.ts";
import { holdsAt, stateAt, type BreakGlass, type BreakGlassState } from "./break-glass.ts";

interface BreakGlassTable {
  id: string;
  service: string;
  environment: string | null;
  rules: string[];
  because: string;
  opened_by: string;
  opened_at: Date;
  until: Date;
  witnesses: string[];
  closed_by: string | null;
  closed_at: Date | null;
  closed_because: string | null;
  follow_up_since: Date | null;
  reviewed_by: string | null;
  reviewed_at: Date | null;
  review: string | null;
}

declare module "../kernel/sql.ts" {
  interface Tables {
    policy_break_glass: BreakGlassTable;
  }
}

export type NewBreakGlass = Pick<BreakGlass, "service" | "environment" | "rules" | "because" | "openedBy" | "witnesses"> & {
  seconds: number;
};

/** Opens a break-glass, from now on. `within` runs in the same transaction, before the ledger is written. */
export async function openBreakGlass(
  tx: Tx,
  clock: Clock,
  opened: NewBreakGlass,
  within: (glass: BreakGlass) => Promise<unknown> = async () => {},
): Promise<BreakGlass> {
  const now = clock.now();
  const { service, environment, because } = opened;
  const row = await tx
    .insertInto("policy_break_glass")
    .values({
      id: newId("bg", clock),
      service,
      environment,
      because,
      rules: json(opened.rules),
      opened_by: opened.openedBy,
      opened_at: now,
      until: new Date(now.getTime() + opened.seconds * 1000),
      witnesses: json(opened.witnesses),
    } as never)
    .returningAll()
    .executeTakeFirstOrThrow();
  const glass = glassOf(row);
  await within(glass);
  const { id, rules, until, witnesses } = glass;
  const facts = { service, environment, rules, because, until, witnesses, alone: witnesses.length === 0 };
  await note(tx, clock, opened.openedBy, "opened", glass, { ...facts, breakGlass: id });
  return glass;
}

/** Ends one before its time; its follow-up is open from then on. Throws `policy.break_glass_missing`, `policy.break_glass_not_open`. */
export async function closeBreakGlass(tx: Tx, clock: Clock, by: string, id: string, because: string): Promise<BreakGlass> {
  const glass = await findBreakGlass(tx, id, "lock");
  const now = clock.now();
  if (!holdsAt(glass, now)) throw breakGlassNotOpen(id, glass.closed?.at ?? glass.until);
  const closed = { closed_by: by, closed_at: now, closed_because: because, follow_up_since: now };
  const row = await tx.updateTable("policy_break_glass").set(closed).where("id", "=", id).returningAll().executeTakeFirstOrThrow();
  await note(tx, clock, by, "closed", glassOf(row), { because });
  return glassOf(row);
}

/** Notes that one is over, and opens its follow-up; where that was done before, nothing. Before its time it throws `policy.break_glass_still_open`. */
export async function endBreakGlass(tx: Tx, clock: Clock, actor: string, id: string): Promise<void> {
  const glass = await findBreakGlass(tx, id, "lock");
  if (glass.followUpSince) return;
  if (holdsAt(glass, clock.now())) throw breakGlassStillOpen(id, glass.until);
  await tx.updateTable("policy_break_glass").set({ follow_up_since: clock.now() }).where("id", "=", id).execute();
  await note(tx, clock, actor, "expired", glass, { until: glass.until });
}

/**
 * Closes the follow-up by the word of somebody else. Throws `policy.break_glass_own_review` (and records the attempt), `policy.break_glass_still_open`,
 * `policy.break_glass_reviewed`. `within` runs in the same transaction.
 */
export async function reviewBreakGlass(
  db: Db,
  clock: Clock,
  { ref: by, tokenBy }: { ref: string; tokenBy?: string | undefined },
  id: string,
  because: string,
  within: (tx: Tx) => Promise<unknown> = async () => {},
): Promise<BreakGlass> {
  const reviewed = await transact(db, async (tx) => {
    const glass = await findBreakGlass(tx, id, "lock");
    // A token that the opener made for somebody else speaks for the opener.
    if (glass.openedBy === by || glass.openedBy === tokenBy) {
      await note(tx, clock, by, "review_refused", glass, { because: "it was opened by who would review it", tokenBy: tokenBy ?? null });
      return undefined;
    }
    if (glass.review) throw breakGlassReviewed(id, glass.review.by);
    const now = clock.now();
    if (holdsAt(glass, now)) throw breakGlassStillOpen(id, glass.until);
    const review = { reviewed_by: by, reviewed_at: now, review: because, follow_up_since: glass.followUpSince ?? now };
    const row = await tx.updateTable("policy_break_glass").set(review).where("id", "=", id).returningAll().executeTakeFirstOrThrow();
    await within(tx);
    await note(tx, clock, by, "reviewed", glass, { because, openedBy: glass.openedBy });
    return glassOf(row);
  });
  if (!reviewed) throw breakGlassOwnReview(id);
  return reviewed;
}

/** Throws `policy.break_glass_missing`. */
export async function findBreakGlass(db: Sql, id: string, lock?: "lock"): Promise<BreakGlass> {
  const query = db.selectFrom("policy_break_glass").selectAll().where("id", "=", id);
  const row = await (lock ? query.forUpdate() : query).executeTakeFirst();
  if (!row) throw breakGlassMissing(id);
  return glassOf(row);
}

/** The newest first. */
export async function breakGlasses(
  db: Sql,
  now: Date,
  filter: { service?: string | undefined; state?: BreakGlassState | undefined; limit?: number } = {},
): Promise<BreakGlass[]> {
  let query = db.selectFrom("policy_break_glass").selectAll().orderBy("opened_at", "desc").orderBy("id", "desc");
  if (filter.service !== undefined) query = query.where("service", "=", filter.service);
  if (filter.state === "reviewed") query = query.where("reviewed_at", "is not", null);
  if (filter.state === "open" || filter.state === "to_review") query = query.where("reviewed_at", "is", null);
  const glasses = (await query.limit(filter.limit ?? 100).execute()).map(glassOf);
  return filter.state === undefined ? glasses : glasses.filter((glass) => stateAt(glass, now) === filter.state);
}

/** Those of a service that hold now, the oldest first. */
export async function openBreakGlasses(db: Sql, service: string | undefined, now: Date): Promise<BreakGlass[]> {
  const rows = await db
    .selectFrom("policy_break_glass")
    .selectAll()
    .$if(service !== undefined, (query) => query.where("service", "=", service ?? ""))
    .where("until", ">", now)
    .orderBy(sql`id collate "C"`)
    .execute();
  return rows.map(glassOf).filter((glass) => holdsAt(glass, now));
}

/** What was done by virtue of it, as the ledger says: decisions that it relieved, what rests on them, gates that it passed. Oldest first. */
export async function usesOf(db: Sql, glass: BreakGlass): Promise<BreakGlassUse[]> {
  const { rows } = await sql<BreakGlassUse>`
    with events as (
      select seq, at, type, actor, data from ledger_event
      where about = ${serviceRef(glass.service)} and at >= ${glass.openedAt} and type not like 'policy.break_glass_%' and type not like 'notifications.%'
    ), relieved as (
      select data ->> 'decision' as decision from events
      where type = 'policy.decided' and exists (select from jsonb_each_text(data -> 'relieved') where value = ${glass.id})
    )
    select seq, at, type, actor, data from events
    where data ->> 'decision' in (select decision from relieved) or data::text like ${`%${glass.id}%`} order by seq limit 500`.execute(db);
  return rows;
}

export interface BreakGlassUse {
  seq: number;
  at: Date;
  type: string;
  actor: string;
  data: Record<string, unknown>;
}

const serviceRef = (service: string) => `component:default/${service}`;

const note = (tx: Tx, clock: Clock, actor: string, what: string, glass: BreakGlass, data: Record<string, unknown>) =>
  record(tx, clock, {
    type: `policy.break_glass_${what}`,
    about: serviceRef(glass.service),
    actor,
    data: { breakGlass: glass.id, environment: glass.environment, ...data },
  });

// pg would send an array as a PostgreSQL array, not as JSON.
const json = <T>(value: T): T => JSON.stringify(value) as never;

const said = (by: string | null, at: Date | null, because: string | null) => (by && at ? { by, at, because: because ?? "" } : null);

const glassOf = (row: Selectable<BreakGlassTable>): BreakGlass => ({
  id: row.id,
  service: row.service,
  environment: row.environment,
  rules: row.rules,
  because: row.because,
  openedBy: row.opened_by,
  openedAt: row.opened_at,
  until: row.until,
  witnesses: row.witnesses,
  closed: said(row.closed_by, row.closed_at, row.closed_because),
  followUpSince: row.follow_up_since,
  review: said(row.reviewed_by, row.reviewed_at, row.review),
});
