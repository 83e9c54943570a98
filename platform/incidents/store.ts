import { sql, type Selectable } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { newId } from "../kernel/ids.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Actor, RecordedEvent } from "../ledger/model.ts";
import { events, record } from "../ledger/store.ts";
import type { Page } from "./escalation.ts";
import { alreadyAcknowledged, alreadyResolved, incidentMissing, notResolved, reviewDone } from "./faults.ts";
import type { Incident, IncidentState, Severity } from "./model.ts";
import { CHANGING_EVENTS, LOOK_BACK_HOURS, SLACK_SECONDS } from "./suspects.ts";
import { BESIDE_EVENTS } from "./timeline.ts";

interface IncidentTable {
  id: string;
  key: string;
  title: string;
  service: string | null;
  environment: string | null;
  alert: string | null;
  source: Incident["source"];
  severity: Severity;
  state: IncidentState;
  because: string;
  began_at: Date;
  opened_at: Date;
  opened_by: string;
  acknowledged_by: string | null;
  acknowledged_at: Date | null;
  resolved_by: string | null;
  resolved_at: Date | null;
  resolved_because: string | null;
  round: number;
  level: number;
  told: string[];
  next_at: Date | null;
  review: "none" | "drafted" | "done";
  review_change: string | null;
  link: string | null;
}

declare module "../kernel/sql.ts" {
  interface Tables {
    incident: IncidentTable;
    incident_alert: { incident: string; fingerprint: string; name: string; severity: Severity; starts_at: Date; ended_at: Date | null };
  }
}

/** An alert that is back within so long of the end opens the same incident again. */
export const REOPENS_WITHIN_MINUTES = 30;

/** Who ends what its alerts ended. */
export const BY_ITSELF = "system:incidents";

/** An alert as it fires. */
export interface FiringAlert {
  source: "slo" | "alertmanager";
  /** Null where no label names a service of the catalog. */
  service: string | null;
  environment: string | null;
  /** What it is about: the SLO, or Alertmanager's alert. Alerts of one service and environment are one incident. */
  alert: string;
  /** The same for each firing of the same alert; with `startsAt` it names one firing. */
  fingerprint: string;
  startsAt: Date;
  /** Its rule, for the timeline. */
  name: string;
  severity: Severity;
  title: string;
  because: string;
  link: string | null;
  /** Where no service is known: what else tells its incidents apart. */
  label?: string;
}

/** What a firing did. `raised`: what was a ticket is a page now, so that whoever is on call is told anew. */
export type Fired = "opened" | "reopened" | "raised" | "joined" | "known";

/** Runs in the transaction of what it follows from, before the ledger is written. */
type Within = (incident: Incident, what: Fired) => Promise<unknown>;

/**
 * Takes in a firing alert: opens an incident, joins the one that is open, or opens the last one again where it ended a short while ago. The same firing twice
 * changes nothing. One whose condition began before a person resolved the incident does not open it again, and no ticket opens a page again that was its own.
 */
export async function fire(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  alert: FiringAlert,
  within: Within = async () => {},
): Promise<{ incident: Incident; what: Fired }> {
  const key = keyOf(alert);
  await sql`select pg_advisory_xact_lock(7146018, hashtext(${key}))`.execute(tx);
  const now = clock.now();
  const known = await tx
    .selectFrom("incident_alert")
    .innerJoin("incident", "incident.id", "incident_alert.incident")
    .select("incident.id")
    .where("incident.key", "=", key)
    .where("fingerprint", "=", alert.fingerprint)
    .where("starts_at", "=", alert.startsAt)
    .executeTakeFirst();
  if (known) return { incident: await findIncident(tx, known.id), what: "known" };
  const last = await tx
    .selectFrom("incident")
    .selectAll()
    .where("key", "=", key)
    .orderBy(sql`resolved_at desc nulls first`)
    .limit(1)
    .forUpdate()
    .executeTakeFirst();
  const what = last ? whatBecomesOf(last, alert, now) : "opened";
  const id = what === "opened" ? newId("inc", clock) : last!.id;
  const anew = nextRound(last?.round ?? 0);
  if (what === "opened") {
    const { title, service, environment, source, severity, because, link } = alert;
    await tx
      .insertInto("incident")
      .values({
        id,
        key,
        title,
        service,
        environment,
        source,
        severity,
        because,
        link,
        alert: alert.alert,
        state: "open",
        began_at: alert.startsAt,
        opened_at: now,
        opened_by: actor,
        round: 1,
        level: 0,
        told: json([]),
        review: "none",
      })
      .execute();
  } else if (what === "reopened") {
    const severity = worse(last!.severity, alert.severity);
    await tx
      .updateTable("incident")
      .set({ ...NOBODY_HAS_IT, ...anew, severity, because: alert.because })
      .where("id", "=", id)
      .execute();
  } else if (what === "raised") {
    await tx
      .updateTable("incident")
      .set({ ...anew, severity: "page", because: alert.because, title: alert.title })
      .where("id", "=", id)
      .execute();
  }
  await tx
    .insertInto("incident_alert")
    .values({
      incident: id,
      fingerprint: alert.fingerprint,
      name: alert.name,
      severity: alert.severity,
      starts_at: alert.startsAt,
      ended_at: null,
    })
    .execute();
  const incident = await findIncident(tx, id);
  await within(incident, what);
  const type = what === "opened" ? "opened" : what === "reopened" ? "reopened" : "alert_fired";
  await note(tx, clock, actor, type, incident, {
    alert: alert.name,
    because: alert.because,
    severity: alert.severity,
    raised: what === "raised",
  });
  return { incident, what };
}

/** What an incident that is opened again is set to. */
const NOBODY_HAS_IT = {
  state: "open" as const,
  acknowledged_by: null,
  acknowledged_at: null,
  resolved_by: null,
  resolved_at: null,
  resolved_because: null,
};

/** Telling people begins anew. */
const nextRound = (round: number) => ({ round: round + 1, level: 0, told: json([]), next_at: null });

function whatBecomesOf(last: Selectable<IncidentTable>, alert: FiringAlert, now: Date): Fired {
  if (!last.resolved_at) return last.state === "open" && last.severity === "ticket" && alert.severity === "page" ? "raised" : "joined";
  if (now.getTime() - last.resolved_at.getTime() > REOPENS_WITHIN_MINUTES * 60_000) return "opened";
  const byPerson = last.resolved_by !== BY_ITSELF;
  // After an outage the slow rules fire for hours: of what is over already they say nothing new.
  const isEcho = last.severity === "page" && alert.severity === "ticket";
  return alert.startsAt <= last.resolved_at && (byPerson || isEcho) ? "joined" : "reopened";
}

/**
 * Takes in the end of an alert; where none of its incident's severity fires any more, that is over. `startsAt` undefined: whichever firing of it is open. An end of what
 * nobody knows changes nothing.
 */
export async function endAlert(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  ended: { key: string; fingerprint: string; startsAt?: Date | undefined },
  within: (incident: Incident) => Promise<unknown> = async () => {},
): Promise<Incident | undefined> {
  await sql`select pg_advisory_xact_lock(7146018, hashtext(${ended.key}))`.execute(tx);
  let query = tx
    .selectFrom("incident_alert")
    .innerJoin("incident", "incident.id", "incident_alert.incident")
    .select(["incident.id", "incident_alert.starts_at", "incident_alert.name"])
    .where("incident.key", "=", ended.key)
    .where("fingerprint", "=", ended.fingerprint)
    .where("ended_at", "is", null);
  if (ended.startsAt !== undefined) query = query.where("starts_at", "=", ended.startsAt);
  const row = await query.orderBy("starts_at").executeTakeFirst();
  if (!row) return undefined;
  await tx
    .updateTable("incident_alert")
    .set({ ended_at: clock.now() })
    .where("incident", "=", row.id)
    .where("fingerprint", "=", ended.fingerprint)
    .where("starts_at", "=", row.starts_at)
    .execute();
  const incident = await findIncident(tx, row.id, "lock");
  const over = incident.state !== "resolved" && incident.firing === 0 && incident.source !== "person";
  const because = "its alerts ended";
  if (over) await end(tx, clock, BY_ITSELF, incident.id, because);
  const now = await findIncident(tx, row.id);
  if (over) await within(now);
  await note(tx, clock, actor, "alert_ended", now, { alert: row.name });
  if (over) await note(tx, clock, BY_ITSELF, "resolved", now, { because });
  return now;
}

export interface NewIncident {
  title: string;
  service: string;
  environment: string | null;
  severity: Severity;
  because: string;
  beganAt?: Date | undefined;
}

/** Opens one that a person reports; each is its own. */
export async function openIncident(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  opened: NewIncident,
  within: Within = async () => {},
): Promise<Incident> {
  const id = newId("inc", clock);
  const { title, service, environment, severity, because, beganAt } = opened;
  const now = clock.now();
  await tx
    .insertInto("incident")
    .values({
      id,
      key: id,
      title,
      service,
      environment,
      severity,
      because,
      source: "person",
      state: "open",
      began_at: beganAt ?? now,
      opened_at: now,
      opened_by: actor,
      round: 1,
      level: 0,
      told: json([]),
      review: "none",
    })
    .execute();
  const incident = await findIncident(tx, id);
  await within(incident, "opened");
  await note(tx, clock, actor, "opened", incident, { because, severity });
  return incident;
}

/** Somebody takes it: nobody else is told from then on. Throws `incidents.missing`, `incidents.resolved`, `incidents.acknowledged`. */
export async function acknowledge(
  tx: Tx,
  clock: Clock,
  by: Actor,
  id: string,
  within: (incident: Incident) => Promise<unknown> = async () => {},
): Promise<Incident> {
  const before = await findIncident(tx, id, "lock");
  if (before.resolved) throw alreadyResolved(id, before.resolved.by, before.resolved.at);
  if (before.acknowledged) throw alreadyAcknowledged(id, before.acknowledged.by);
  const set = { state: "acknowledged" as const, acknowledged_by: by, acknowledged_at: clock.now(), next_at: null };
  await tx.updateTable("incident").set(set).where("id", "=", id).execute();
  const incident = await findIncident(tx, id);
  await within(incident);
  await note(tx, clock, by, "acknowledged", incident, {});
  return incident;
}

/** Somebody says that it is over, and what ended it. Throws `incidents.missing`, `incidents.resolved`. */
export async function resolve(
  tx: Tx,
  clock: Clock,
  by: Actor,
  id: string,
  because: string,
  within: (incident: Incident) => Promise<unknown> = async () => {},
): Promise<Incident> {
  const before = await findIncident(tx, id, "lock");
  if (before.resolved) throw alreadyResolved(id, before.resolved.by, before.resolved.at);
  await end(tx, clock, by, id, because);
  const incident = await findIncident(tx, id);
  await within(incident);
  await note(tx, clock, by, "resolved", incident, { because, firing: incident.firing });
  return incident;
}

const end = (tx: Tx, clock: Clock, by: Actor, id: string, because: string) =>
  tx
    .updateTable("incident")
    .set({ state: "resolved", resolved_by: by, resolved_at: clock.now(), resolved_because: because, next_at: null })
    .where("id", "=", id)
    .execute();

/** Opens it again because what reported it still does; where it is not over, or nothing fires, nothing. */
export async function reopen(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  id: string,
  because: string,
  within: Within = async () => {},
): Promise<Incident | undefined> {
  const before = await findIncident(tx, id, "lock");
  if (before.state !== "resolved" || before.firing === 0) return undefined;
  const taken = await tx
    .selectFrom("incident")
    .select("id")
    .where("key", "=", await keyIn(tx, id))
    .where("state", "<>", "resolved")
    .executeTakeFirst();
  if (taken) return undefined;
  await tx
    .updateTable("incident")
    .set({ ...NOBODY_HAS_IT, ...nextRound(before.round) })
    .where("id", "=", id)
    .execute();
  const incident = await findIncident(tx, id);
  await within(incident, "reopened");
  await note(tx, clock, actor, "reopened", incident, { because });
  return incident;
}

const keyIn = async (db: Sql, id: string) =>
  (await db.selectFrom("incident").select("key").where("id", "=", id).executeTakeFirstOrThrow()).key;

/** Adds a sentence to the timeline. Throws `incidents.missing`. */
export async function addNote(tx: Tx, clock: Clock, by: Actor, id: string, text: string): Promise<Incident> {
  const incident = await findIncident(tx, id, "lock");
  await note(tx, clock, by, "noted", incident, { text });
  return incident;
}

/** Notes who is told now, and until when they have. Only of the round that it was worked out for, while nobody has acknowledged: else false. */
export async function notePage(tx: Tx, clock: Clock, id: string, round: number, page: Page): Promise<boolean> {
  const incident = await findIncident(tx, id, "lock");
  if (incident.state !== "open" || incident.round !== round) return false;
  const nextAt = page.seconds === null ? null : new Date(clock.now().getTime() + page.seconds * 1000);
  const told = [...new Set([...incident.escalation.told, ...page.audience])];
  await tx
    .updateTable("incident")
    .set({ level: page.level, told: json(told), next_at: nextAt })
    .where("id", "=", id)
    .execute();
  const { level, audience, because } = page;
  await note(tx, clock, BY_ITSELF, "paged", incident, {
    level,
    audience,
    because,
    nextAt: nextAt?.toISOString() ?? null,
    severity: incident.severity,
  });
  return true;
}

/** Notes the change request that holds the draft of its review. Throws `incidents.missing`, `incidents.not_resolved`, `incidents.review_done`. */
export async function noteReview(tx: Tx, clock: Clock, by: Actor, id: string, change: string): Promise<Incident> {
  const before = await findIncident(tx, id, "lock");
  reviewable(before);
  if (before.review.change === change) return before;
  await tx.updateTable("incident").set({ review: "drafted", review_change: change }).where("id", "=", id).execute();
  const incident = await findIncident(tx, id);
  await note(tx, clock, by, "review_drafted", incident, { change });
  return incident;
}

/** Throws `incidents.not_resolved` and `incidents.review_done` where no draft can be written. */
export function reviewable(incident: Incident): void {
  if (incident.state !== "resolved") throw notResolved(incident.id);
  if (incident.review.state === "done") throw reviewDone(incident.id, incident.review.change ?? "");
}

/** Notes what became of a draft: merged it is the review, closed there is none. A change request that is no draft changes nothing. */
export async function noteReviewChange(tx: Tx, clock: Clock, actor: Actor, change: string, became: "merged" | "closed"): Promise<void> {
  const row = await tx
    .selectFrom("incident")
    .select("id")
    .where("review_change", "=", change)
    .where("review", "=", "drafted")
    .forUpdate()
    .executeTakeFirst();
  if (!row) return;
  const set = became === "merged" ? { review: "done" as const } : { review: "none" as const, review_change: null };
  await tx.updateTable("incident").set(set).where("id", "=", row.id).execute();
  await note(tx, clock, actor, became === "merged" ? "reviewed" : "review_closed", await findIncident(tx, row.id), { change });
}

/** Throws `incidents.missing`. */
export async function findIncident(db: Sql, id: string, lock?: "lock"): Promise<Incident> {
  if (lock) await db.selectFrom("incident").select("id").where("id", "=", id).forUpdate().execute();
  const row = await rows(db).where("incident.id", "=", id).executeTakeFirst();
  if (!row) throw incidentMissing(id);
  return incidentOf(row);
}

export interface IncidentFilter {
  services?: readonly string[] | undefined;
  /** `active`: not resolved. */
  state?: IncidentState | "active" | undefined;
  since?: Date | undefined;
  /** The id after which to go on: `next` of the page before. */
  before?: string | undefined;
  limit?: number | undefined;
}

/** The newest first, a page of them. */
export async function incidents(db: Sql, filter: IncidentFilter = {}): Promise<{ items: Incident[]; next: string | null }> {
  const limit = filter.limit ?? 50;
  let query = rows(db)
    .orderBy("incident.id", "desc")
    .limit(limit + 1);
  const [one, ...more] = filter.services ?? [];
  // One alone is read in the order of its index.
  if (one !== undefined && more.length === 0) query = query.where("incident.service", "=", one);
  else if (filter.services) query = query.where("incident.service", "in", [...filter.services, ""]);
  if (filter.state === "active") query = query.where("incident.state", "<>", "resolved");
  else if (filter.state) query = query.where("incident.state", "=", filter.state);
  if (filter.since) query = query.where("incident.opened_at", ">=", filter.since);
  if (filter.before !== undefined) query = query.where("incident.id", "<", filter.before);
  const found = await query.execute();
  const items = found.slice(0, limit).map(incidentOf);
  return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null };
}

/** What happened in it, oldest first. */
export const eventsOf = (db: Sql, id: string): Promise<RecordedEvent[]> => events(db, { about: incidentRef(id), limit: 1000 });

/** The changes in the time in which an incident's cause is looked for, newest first: of these entities, and those of the whole platform. */
export async function changesBefore(db: Sql, abouts: readonly string[], beganAt: Date): Promise<RecordedEvent[]> {
  const from = new Date(beganAt.getTime() - LOOK_BACK_HOURS * 3_600_000);
  const until = new Date(beganAt.getTime() + SLACK_SECONDS * 1000);
  return eventsBetween(db, [...abouts, "organisation", "platform"], CHANGING_EVENTS, from, until);
}

/** What happened to a service while its incident lasts, newest first. */
export const eventsBeside = (db: Sql, about: string, from: Date, until: Date): Promise<RecordedEvent[]> =>
  eventsBetween(db, [about], BESIDE_EVENTS, from, until);

async function eventsBetween(
  db: Sql,
  abouts: readonly string[],
  types: readonly string[],
  from: Date,
  until: Date,
): Promise<RecordedEvent[]> {
  const rows = await db
    .selectFrom("ledger_event")
    .selectAll()
    .where("about", "in", [...abouts])
    .where("type", "in", [...types])
    .where("at", ">=", from)
    .where("at", "<=", until)
    .orderBy("seq", "desc")
    .limit(500)
    .execute();
  return rows.map(({ previous_hash, ...row }) => ({ ...row, previousHash: previous_hash }));
}

export const incidentRef = (id: string): string => `incident:${id}`;

/**
 * What alerts of one incident share: the service and the environment. Whatever is wrong with it there, one person looks. Where no service is known, what the
 * alert names in its place and the alert itself.
 */
export const keyOf = ({
  service,
  environment,
  alert,
  label = "",
}: Pick<FiringAlert, "service" | "environment" | "alert" | "label">): string =>
  service === null ? ["?", label, environment ?? "", alert].join("/") : [service, environment ?? ""].join("/");

function rows(db: Sql) {
  return db
    .selectFrom("incident")
    .selectAll("incident")
    .select((eb) => [
      eb
        .selectFrom("incident_alert")
        .select(eb.fn.countAll<number>().as("count"))
        .whereRef("incident_alert.incident", "=", "incident.id")
        .whereRef("incident_alert.severity", "=", "incident.severity")
        .where("ended_at", "is", null)
        .as("firing"),
      eb
        .selectFrom("incident_alert")
        .select(eb.fn.countAll<number>().as("count"))
        .whereRef("incident_alert.incident", "=", "incident.id")
        .as("fired"),
    ]);
}

const worse = (a: Severity, b: Severity): Severity => (a === "page" || b === "page" ? "page" : "ticket");

const note = (tx: Tx, clock: Clock, actor: Actor, what: string, incident: Incident, data: Record<string, unknown>) => {
  const { id, service, environment, title, round } = incident;
  return record(tx, clock, {
    type: `incidents.${what}`,
    about: incidentRef(id),
    actor,
    data: { incident: id, service, environment, title, round, ...data },
  });
};

// pg would send an array as a PostgreSQL array, not as JSON.
const json = <T>(value: T): T => JSON.stringify(value) as never;

const incidentOf = (row: Selectable<IncidentTable> & { firing: number | null; fired: number | null }): Incident => ({
  id: row.id,
  title: row.title,
  service: row.service,
  environment: row.environment,
  alert: row.alert,
  source: row.source,
  severity: row.severity,
  state: row.state,
  because: row.because,
  beganAt: row.began_at,
  openedAt: row.opened_at,
  openedBy: row.opened_by,
  acknowledged: row.acknowledged_by && row.acknowledged_at ? { by: row.acknowledged_by, at: row.acknowledged_at } : null,
  resolved: row.resolved_by && row.resolved_at ? { by: row.resolved_by, at: row.resolved_at, because: row.resolved_because ?? "" } : null,
  firing: row.firing ?? 0,
  fired: row.fired ?? 0,
  round: row.round,
  escalation: { level: row.level, told: row.told, nextAt: row.next_at },
  review: { state: row.review, change: row.review_change },
  link: row.link,
});
