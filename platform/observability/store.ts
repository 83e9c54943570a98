import { sql } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { transact, type Db, type Sql, type Tx } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import { LATENCY_BOUNDS_SECONDS, type Observation, type Target } from "../runtime/contract.ts";
import { foldCalls } from "./calls.ts";
import { nextTransition, type Finding, type OpenAlert, type Transition } from "./alerts.ts";
import type { WindowCounts } from "./burn-rate.ts";
import { countsOf, deltasOf, minuteOf, type Counts, type Delta } from "./counters.ts";

interface CountedRow {
  service: string;
  environment: string;
  revision: string;
  requests: number;
  errors: number;
  within: number[];
  resets: number;
  at: Date;
}

declare module "../kernel/sql.ts" {
  interface Tables {
    /** What was counted from `at` on, for a minute; only minutes in which something was. */
    traffic_minute: CountedRow;
    /** The same by hour: kept for long, and what long windows are summed from. */
    traffic_hour: CountedRow;
    /** What was counted between two looks that lay too far apart to tell the minute; also where nothing was. */
    traffic_gap: CountedRow & { until: Date };
    traffic_cursor: Omit<CountedRow, "resets"> & { epoch: string };
    traffic_target: { service: string; environment: string; first_at: Date; seen_at: Date; serving: Serving[] };
    slo_alert: AlertRow;
  }
}

/** A revision that had traffic at the last look. */
export interface Serving {
  revision: string;
  artifactDigest: string;
  weightPercent: number;
}

interface AlertRow {
  service: string;
  environment: string;
  slo: string;
  rule: string;
  severity: "page" | "ticket";
  state: "pending" | "firing";
  because: string;
  pending_at: Date;
  firing_at: Date | null;
}

/** Minutes are kept for the longest window that needs them, and a day more to look at; hours and gaps for more than a year. */
const KEEP_MINUTES_DAYS = 4;
const KEEP_HOURS_DAYS = 400;

/** Those who fold take turns: so that two servers on one database count nothing twice. */
const FOLDING = 7_146_017;

/**
 * Adds what was counted since the last look. The same observation twice, or an older one after a newer, changes nothing. Counters are facts about the world, as a
 * reading of a thermometer is: they are no change that the ledger records.
 */
export async function fold(db: Db, observations: readonly Observation[]): Promise<void> {
  if (observations.length === 0) return;
  await transact(db, async (tx) => {
    await sql`select pg_advisory_xact_lock(${FOLDING})`.execute(tx);
    const services = [...new Set(observations.map(({ target }) => target.service))];
    const rows = await tx.selectFrom("traffic_cursor").selectAll().where("service", "in", services).execute();
    const cursors = rows.map((row) => ({ ...row, within: row.within.map(Number) })); // bigint[] comes as text
    const seen = await tx.selectFrom("traffic_target").selectAll().where("service", "in", services).execute();
    const deltas = observations.flatMap((observation) => {
      const same = (row: Target) => row.service === observation.target.service && row.environment === observation.target.environment;
      const last = seen.find(same);
      return deltasOf(observation, cursors.filter(same), last && { ...last, seenAt: last.seen_at });
    });
    await addGaps(
      tx,
      deltas.filter(({ isGap }) => isGap),
    );
    await addMinutes(
      tx,
      deltas.filter(({ isGap }) => !isGap),
    );
    await moveCursors(tx, observations);
    await foldCalls(tx, observations);
  });
}

async function addMinutes(tx: Tx, deltas: readonly Delta[]): Promise<void> {
  if (deltas.length === 0) return;
  const rows = deltas.map(({ from, isGap: _isGap, until: _until, ...counted }) => ({ ...counted, at: minuteOf(from).toISOString() }));
  for (const [table, unit] of [
    ["traffic_minute", "minute"],
    ["traffic_hour", "hour"],
  ] as const)
    await sql`
      insert into ${sql.table(table)} as t (service, environment, revision, at, requests, errors, within, resets)
      select service, environment, revision, date_trunc(${sql.lit(unit)}, at, 'UTC'), requests, errors, within, resets
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as r(service text, environment text, revision text, at timestamptz, requests bigint, errors bigint, within bigint[], resets integer)
      on conflict (service, environment, at, revision) do update set
        requests = t.requests + excluded.requests,
        errors = t.errors + excluded.errors,
        within = array(select a + b from unnest(t.within, excluded.within) with ordinality as u(a, b, n) order by n),
        resets = t.resets + excluded.resets`.execute(tx);
}

async function addGaps(tx: Tx, deltas: readonly Delta[]): Promise<void> {
  if (deltas.length === 0) return;
  const rows = deltas.map(({ from, isGap: _isGap, ...counted }) => ({ ...counted, at: from }));
  await sql`
    insert into traffic_gap (service, environment, revision, at, until, requests, errors, within, resets)
    select service, environment, revision, at, until, requests, errors, within, resets
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(
      service text, environment text, revision text, at timestamptz, until timestamptz, requests bigint, errors bigint, within bigint[], resets integer)
    on conflict do nothing`.execute(tx);
}

/** Remembers how the counters stand. Revisions that are gone are forgotten. */
async function moveCursors(tx: Tx, observations: readonly Observation[]): Promise<void> {
  const cursors = observations.flatMap(({ target, at, readings }) =>
    readings.map((reading) => ({ ...target, revision: reading.revision, epoch: reading.epoch, at, ...countsOf(reading) })),
  );
  const targets = observations.map(({ target, at, readings }) => ({
    ...target,
    at,
    serving: readings
      .filter(({ weightPercent }) => weightPercent > 0)
      .map(({ revision, artifactDigest, weightPercent }) => ({ revision, artifactDigest, weightPercent })),
  }));
  await sql`
    with seen as (select * from jsonb_to_recordset(${JSON.stringify(targets)}::jsonb) as r(service text, environment text, at timestamptz, serving jsonb)),
      now as (select * from jsonb_to_recordset(${JSON.stringify(cursors)}::jsonb)
        as r(service text, environment text, revision text, epoch text, at timestamptz, requests bigint, errors bigint, within bigint[])),
      gone as (
        delete from traffic_cursor c using seen
        where c.service = seen.service and c.environment = seen.environment and c.at < seen.at
          and not exists (select from now where now.service = c.service and now.environment = c.environment and now.revision = c.revision)
      ),
      moved as (
        insert into traffic_cursor as c (service, environment, revision, epoch, at, requests, errors, within)
        select service, environment, revision, epoch, at, requests, errors, within from now
        on conflict (service, environment, revision) do update set
          epoch = excluded.epoch, at = excluded.at, requests = excluded.requests, errors = excluded.errors, within = excluded.within
        where c.at < excluded.at
      )
    insert into traffic_target as t (service, environment, first_at, seen_at, serving)
    select service, environment, at, at, serving from seen
    on conflict (service, environment) do update set seen_at = excluded.seen_at, serving = excluded.serving
    where t.seen_at < excluded.seen_at`.execute(tx);
}

/** Forgets targets that the runtime no longer has: of them no counters are missing. What was counted of them stays. */
export async function forgetTargets(db: Db, existing: readonly Target[]): Promise<void> {
  await sql`
    with existing as (select * from jsonb_to_recordset(${JSON.stringify(existing)}::jsonb) as r(service text, environment text)),
      cursors as (
        delete from traffic_cursor c
        where not exists (select from existing e where e.service = c.service and e.environment = c.environment)
      )
    delete from traffic_target t
    where not exists (select from existing e where e.service = t.service and e.environment = t.environment)`.execute(db);
}

/** Removes what is older than it is kept. */
export async function forgetOldTraffic(db: Db, now: Date): Promise<void> {
  const before = (days: number) => new Date(now.getTime() - days * 86_400_000);
  await db.deleteFrom("traffic_minute").where("at", "<", before(KEEP_MINUTES_DAYS)).execute();
  await db.deleteFrom("traffic_hour").where("at", "<", before(KEEP_HOURS_DAYS)).execute();
  await db.deleteFrom("traffic_gap").where("until", "<", before(KEEP_HOURS_DAYS)).execute();
}

export interface SeenTarget extends Target {
  firstAt: Date;
  seenAt: Date;
  serving: Serving[];
}

/** What has been looked at, of one service or of all. */
export async function seenTargets(db: Sql, service?: string): Promise<SeenTarget[]> {
  let query = db.selectFrom("traffic_target").selectAll().orderBy("service").orderBy("environment");
  if (service !== undefined) query = query.where("service", "=", service);
  return (await query.execute()).map(({ first_at, seen_at, ...row }) => ({ ...row, firstAt: first_at, seenAt: seen_at }));
}

/**
 * What the windows that end at `to` (a full minute) hold, by target and window length. Whole hours come from the hours, the ends from the minutes. A gap
 * counts where it lies in a window whole; where it lies across a window's edge, its part of the window is not known, and neither is the time between `seenAt` and `to`.
 */
export async function windowCounts(
  db: Sql,
  targets: readonly (Target & { seenAt: Date | null })[],
  windowsSeconds: readonly number[],
  to: Date,
): Promise<(target: Target, windowSeconds: number) => WindowCounts> {
  const found = new Map<string, WindowCounts>();
  const keyOf = (target: Target, seconds: number) => `${target.service}/${target.environment}/${seconds}`;
  if (targets.length > 0) {
    const { rows } = await windowQuery(targets, windowsSeconds, to).execute(db);
    for (const { service, environment, seconds, requests, errors, within } of rows)
      found.set(keyOf({ service, environment }, seconds), { requests, errors, within: within.map(Number), unknownSeconds: 0 });
    const longest = Math.max(...windowsSeconds);
    const gaps = await gapsOf(db, targets, new Date(to.getTime() - longest * 1000), to);
    for (const target of targets)
      for (const seconds of windowsSeconds) {
        const own = gaps.filter(({ service, environment }) => service === target.service && environment === target.environment);
        const counted = withGaps(found.get(keyOf(target, seconds)) ?? none(), own, new Date(to.getTime() - seconds * 1000), to);
        const unseen = target.seenAt ? Math.max(0, (to.getTime() - target.seenAt.getTime()) / 1000) : 0;
        found.set(keyOf(target, seconds), { ...counted, unknownSeconds: Math.min(seconds, counted.unknownSeconds + unseen) });
      }
  }
  return (target, seconds) => found.get(keyOf(target, seconds)) ?? none();
}

/** The statement behind `windowCounts`: each target and window reads its own few stretches of the two tables. */
export function windowQuery(targets: readonly Target[], windowsSeconds: readonly number[], to: Date) {
  const names = JSON.stringify(targets.map(({ service, environment }) => ({ service, environment })));
  const segments = JSON.stringify(windowsSeconds.flatMap((seconds) => segmentsOf(seconds, to)));
  const sums = sql.join(LATENCY_BOUNDS_SECONDS.map((_bound, n) => sql`sum(c.within[${sql.lit(n + 1)}])::bigint`));
  return sql<Counts & Target & { seconds: number }>`
    with target as (select * from jsonb_to_recordset(${names}::jsonb) as r(service text, environment text)),
      segment as (select * from jsonb_to_recordset(${segments}::jsonb) as r(seconds bigint, unit text, "from" timestamptz, "to" timestamptz))
    select target.service, target.environment, segment.seconds,
      sum(c.requests)::bigint as requests, sum(c.errors)::bigint as errors, array[${sums}] as within
    from target cross join segment cross join lateral (
      select requests, errors, within from traffic_minute t
      where segment.unit = 'minute' and t.service = target.service and t.environment = target.environment and t.at >= segment."from" and t.at < segment."to"
      union all
      select requests, errors, within from traffic_hour t
      where segment.unit = 'hour' and t.service = target.service and t.environment = target.environment and t.at >= segment."from" and t.at < segment."to"
    ) c
    group by 1, 2, 3`;
}

export interface Gap extends Counts {
  from: Date;
  until: Date;
  resets: number;
}

/** Intervals of which only the sum is known, that touch a range; of all revisions together. */
export async function gapsOf(db: Sql, targets: readonly Target[], from: Date, to: Date): Promise<(Gap & Target)[]> {
  const names = JSON.stringify(targets.map(({ service, environment }) => ({ service, environment })));
  const { rows } = await sql<Gap & Target>`
    select g.service, g.environment, g.at as "from", g.until, g.requests, g.errors, g.within, g.resets
    from jsonb_to_recordset(${names}::jsonb) as r(service text, environment text)
      join traffic_gap g on g.service = r.service and g.environment = r.environment
    where g.until > ${from} and g.at < ${to}
    order by g.at`.execute(db);
  return rows.map((row) => ({ ...row, within: row.within.map(Number) }));
}

function withGaps(counts: WindowCounts, gaps: readonly Gap[], from: Date, to: Date): WindowCounts {
  let { requests, errors, unknownSeconds } = counts;
  const within = [...counts.within];
  const torn = new Map<string, number>();
  for (const gap of gaps) {
    if (gap.until <= from || gap.from >= to) continue;
    if (gap.from >= from && gap.until <= to) {
      requests += gap.requests;
      errors += gap.errors;
      for (const [n, count] of gap.within.entries()) within[n] = (within[n] ?? 0) + count;
    } else if (gap.requests > 0 || gap.resets > 0) {
      // Of several revisions' gaps over the same time the time counts once. One in which nothing was counted is known: nothing.
      const part = Math.min(gap.until.getTime(), to.getTime()) - Math.max(gap.from.getTime(), from.getTime());
      const key = gap.from.getTime() < from.getTime() ? "begin" : "end";
      torn.set(key, Math.max(torn.get(key) ?? 0, part / 1000));
    }
  }
  for (const seconds of torn.values()) unknownSeconds += seconds;
  return { requests, errors, within, unknownSeconds };
}

const HOUR_MS = 3_600_000;

/** Of what a window is summed: whole hours, and minutes at its ends. */
function segmentsOf(seconds: number, to: Date) {
  const [start, end] = [to.getTime() - seconds * 1000, to.getTime()];
  const [firstHour, lastHour] = [Math.ceil(start / HOUR_MS) * HOUR_MS, Math.floor(end / HOUR_MS) * HOUR_MS];
  const minutes = (from: number, until: number) => ({ seconds, unit: "minute", from: new Date(from), to: new Date(until) });
  if (firstHour >= lastHour) return [minutes(start, end)];
  // Minutes are not kept for as long as the longest windows reach back: those begin at a whole hour.
  const hours = (from: number) => ({ seconds, unit: "hour", from: new Date(from), to: new Date(lastHour) });
  if (seconds >= KEEP_MINUTES_DAYS * 86_400) return [hours(firstHour), minutes(lastHour, end)];
  return [minutes(start, firstHour), hours(firstHour), minutes(lastHour, end)];
}

const none = (): WindowCounts => ({ requests: 0, errors: 0, within: LATENCY_BOUNDS_SECONDS.map(() => 0), unknownSeconds: 0 });

/** Counts by step, oldest first, and by revision if asked; steps without requests are left out. Steps of whole hours are summed from the hours. */
export async function trafficSteps(
  db: Sql,
  target: Target,
  range: { from: Date; to: Date; stepSeconds: number },
): Promise<(Counts & { at: Date; revision: string; resets: number })[]> {
  const table = range.stepSeconds % 3600 === 0 ? sql.table("traffic_hour") : sql.table("traffic_minute");
  const sums = sql.join(LATENCY_BOUNDS_SECONDS.map((_bound, n) => sql`sum(within[${sql.lit(n + 1)}])::bigint`));
  const { rows } = await sql<Counts & { at: Date; revision: string; resets: number }>`
    select date_bin(make_interval(secs => ${range.stepSeconds}), at, ${range.from}) as at, revision,
      sum(requests)::bigint as requests, sum(errors)::bigint as errors, array[${sums}] as within, sum(resets)::int as resets
    from ${table}
    where service = ${target.service} and environment = ${target.environment} and at >= ${range.from} and at < ${range.to}
    group by 1, 2 order by 1, 2`.execute(db);
  return rows.map((row) => ({ ...row, within: row.within.map(Number) }));
}

export interface Alert extends Target {
  slo: string;
  rule: string;
  severity: "page" | "ticket";
  state: "pending" | "firing";
  because: string;
  pendingAt: Date;
  firingAt: Date | null;
}

/** Alerts that are not over, those that fire first. */
export async function openAlerts(db: Sql, filter: { service?: string | undefined } = {}): Promise<Alert[]> {
  let query = db.selectFrom("slo_alert").selectAll().orderBy("state").orderBy("severity").orderBy("pending_at");
  if (filter.service !== undefined) query = query.where("service", "=", filter.service);
  return (await query.execute()).map(alertOf);
}

/** A condition as it is found now. */
export interface Found extends Target {
  slo: string;
  rule: string;
  severity: "page" | "ticket";
  forSeconds: number;
  finding: Finding;
  because: string;
  /** What the ledger should know besides, for who acts on it. */
  facts: Record<string, unknown>;
}

/** Moves an alert as its condition asks, and records the move: `observability.alert_pending`, `alert_firing`, `alert_resolved`. Gives the move, if any. */
export async function noteAlert(db: Db, clock: Clock, found: Found): Promise<Transition | null> {
  return transact(db, async (tx) => {
    const { service, environment, slo, rule, severity, because } = found;
    await sql`select pg_advisory_xact_lock(${FOLDING}, hashtext(${`${service}/${environment}/${slo}/${rule}`}))`.execute(tx);
    const own = tx.selectFrom("slo_alert").selectAll();
    const row = await own
      .where("service", "=", service)
      .where("environment", "=", environment)
      .where("slo", "=", slo)
      .where("rule", "=", rule)
      .executeTakeFirst();
    const open: OpenAlert | null = row ? { state: row.state, pendingAt: row.pending_at } : null;
    const now = clock.now();
    const transition = nextTransition(open, found.finding, found.forSeconds, now);
    if (transition === null) return null;
    const key = { service, environment, slo, rule };
    if (transition === "pending")
      await tx
        .insertInto("slo_alert")
        .values({ ...key, severity, state: "pending", because, pending_at: now, firing_at: null })
        .execute();
    const mine = sql<boolean>`(service, environment, slo, rule) = (${service}, ${environment}, ${slo}, ${rule})`;
    if (transition === "firing") await tx.updateTable("slo_alert").set({ state: "firing", because, firing_at: now }).where(mine).execute();
    if (transition === "resolved") await tx.deleteFrom("slo_alert").where(mine).execute();
    await record(tx, clock, {
      type: `observability.alert_${transition}`,
      about: `component:default/${service}`,
      actor: "system:observability",
      data: {
        ...found.facts,
        ...key,
        severity,
        because,
        pendingAt: (row?.pending_at ?? now).toISOString(),
        fired: transition === "firing" || row?.state === "firing",
      },
    });
    return transition;
  });
}

const alertOf = ({ pending_at, firing_at, ...row }: AlertRow): Alert => ({ ...row, pendingAt: pending_at, firingAt: firing_at });
