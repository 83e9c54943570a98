import { sql, type Selectable } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { newId } from "../kernel/ids.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { record } from "../ledger/store.ts";
import { artifactQuarantined, illegalTransition, notHeld, notUnderWay, releaseMissing, releaseUnderWay } from "./faults.ts";
import { Round, type Release, type ReleaseState } from "./model.ts";
import type { Answer, Move } from "./next-move.ts";
import { quarantine, quarantined } from "./quarantine.ts";
import type { RolloutRules } from "./rollout.ts";

interface ReleaseTable {
  id: string;
  service: string;
  environment: string;
  commit: string;
  artifact_digest: string;
  revision: string;
  plan: string;
  decision: string | null;
  state: ReleaseState;
  because: string;
  percent: number;
  steps_percent: number[];
  rules: RolloutRules | null;
  previous: string | null;
  started_by: string;
  created_at: Date;
  ended_at: Date | null;
}

declare module "../kernel/sql.ts" {
  interface Tables {
    release: ReleaseTable;
    release_round: { release: string; number: number; at: Date; body: unknown };
    release_answer: Answer & { release: string; number: number; at: Date };
  }
}

/** Which states may follow which. What has ended stays as it ended. */
const LEGAL: Record<ReleaseState, readonly ReleaseState[]> = {
  planned: ["refused", "rolling_out", "superseded", "failed"],
  rolling_out: ["held", "promoted", "rolled_back", "failed", "superseded"],
  held: ["rolling_out", "promoted", "rolled_back", "failed", "superseded"],
  refused: [],
  promoted: [],
  rolled_back: [],
  failed: [],
  superseded: [],
};

const EVENTS = {
  refused: "refused",
  promoted: "promoted",
  rolled_back: "rolled_back",
  failed: "failed",
  superseded: "superseded",
} as const;

export type PlannedRelease = Pick<
  Release,
  "service" | "environment" | "commit" | "artifactDigest" | "revision" | "plan" | "stepsPercent"
> & {
  /** From the workflow that plans it, so that doing it twice plans one release. */
  id?: string;
  decision?: string | null;
  because?: string;
};

/** Writes down a release that is to be. Twice with one id gives the same one. */
export async function planRelease(tx: Tx, clock: Clock, actor: Actor, planned: PlannedRelease): Promise<Release> {
  const { id = newId("rel", clock), decision = null, because = "planned", artifactDigest, stepsPercent, ...same } = planned;
  const row = await tx
    .insertInto("release")
    .values({
      ...same,
      id,
      decision,
      because,
      artifact_digest: artifactDigest,
      steps_percent: json(stepsPercent),
      state: "planned",
      percent: 0,
      started_by: actor,
      created_at: clock.now(),
    })
    .onConflict((oc) => oc.column("id").doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) return find(tx, id);
  const release = releaseOf(row);
  await note(tx, clock, actor, "planned", release, { plan: release.plan });
  return release;
}

/** Ends a planned release that a decision denied. */
export const refuseRelease = (
  tx: Tx,
  clock: Clock,
  actor: Actor,
  id: string,
  refused: { decision: string; because: string },
): Promise<Release> => transition(tx, clock, actor, id, "refused", refused);

/**
 * Begins to roll out a planned release under the rules that it will be judged by. The database lets one release at a time through per service and environment.
 * Throws `releases.under_way`, and `releases.quarantined` where this artifact was rolled back before. Twice gives the same.
 */
export async function beginRelease(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  id: string,
  begun: { decision: string; rules: RolloutRules; because?: string },
): Promise<Release> {
  const release = await find(tx, id, "lock");
  if (release.state === "rolling_out" || release.state === "held") return release;
  if (!LEGAL[release.state].includes("rolling_out")) throw illegalTransition(release, "rolling_out");
  // Whoever begins a release of this service here waits for the one before it to be committed.
  await sql`select pg_advisory_xact_lock(7146015, hashtext(${`${release.service}/${release.environment}`}))`.execute(tx);
  const barred = await quarantined(tx, release.service, release.artifactDigest);
  if (barred) throw artifactQuarantined(release.service, release.artifactDigest, barred);
  const other = await underWay(tx, release.service, release.environment);
  if (other) throw releaseUnderWay(release.service, release.environment, other.id);
  const previous = await currentRelease(tx, release.service, release.environment);
  const because = begun.because ?? (previous ? `rolling out in place of ${previous.id}` : "rolling out; nothing served before");
  const row = await tx
    .updateTable("release")
    .set({
      state: "rolling_out",
      decision: begun.decision,
      rules: json(begun.rules),
      steps_percent: json(begun.rules.stepsPercent),
      previous: previous?.id ?? null,
      because,
    })
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const started = releaseOf(row);
  await note(tx, clock, actor, "started", started, {
    decision: begun.decision,
    judgedBy: begun.rules.judgedBy,
    previousArtifactDigest: previous?.artifactDigest ?? null,
  });
  return started;
}

/**
 * Keeps a round, and what its move changed: call it once the move was carried out. A round in which nothing changed since the last kept one is not kept.
 * Twice with one round changes nothing. Ends are noted by `endRelease`.
 */
export async function noteRound(tx: Tx, clock: Clock, actor: Actor, id: string, round: Round, move: Move): Promise<Release> {
  const release = await find(tx, id, "lock");
  const last = await lastRound(tx, id);
  if (last && last.number >= round.number) return release;
  if (release.state !== "rolling_out" && release.state !== "held") throw illegalTransition(release, "rolling_out");
  const state: ReleaseState = move.kind === "hold" ? "held" : move.kind === "shift" ? "rolling_out" : release.state;
  if (!last || state !== release.state || move.kind === "shift" || differs(last, round))
    await tx
      .insertInto("release_round")
      .values({ release: id, number: round.number, at: round.at, body: json(round) })
      .execute();
  if (state === release.state && move.kind !== "shift") return release;
  const row = await tx
    .updateTable("release")
    .set({ state, because: move.because, ...(move.kind === "shift" && { percent: move.toPercent }) })
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const moved = releaseOf(row);
  await note(tx, clock, actor, move.kind === "shift" ? "shifted" : "held", moved, {
    round: round.number,
    fromPercent: release.percent,
    toPercent: moved.percent,
  });
  return moved;
}

/**
 * Keeps what the owner says to a release; its rollout takes it up in its next round, and its gate at once where it `waitsForWord` there. Throws `releases.not_under_way`, and
 * `releases.not_held` for going on.
 */
export async function answerRelease(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  id: string,
  said: Pick<Answer, "action" | "because">,
  waitsForWord = false,
): Promise<Release> {
  const release = await find(tx, id, "lock");
  const atGate = waitsForWord && release.state === "planned" && said.action === "go_on";
  if (!atGate && release.state !== "rolling_out" && release.state !== "held") throw notUnderWay(release);
  if (!atGate && said.action === "go_on" && release.state !== "held") throw notHeld(release);
  const last = await tx
    .selectFrom("release_answer")
    .select("number")
    .where("release", "=", id)
    .orderBy("number", "desc")
    .limit(1)
    .executeTakeFirst();
  await tx
    .insertInto("release_answer")
    .values({ ...said, release: id, number: (last?.number ?? 0) + 1, by: actor, percent: release.percent, at: clock.now() })
    .execute();
  await note(tx, clock, actor, "answered", release, { ...said });
  return release;
}

/** What the owner said last, if anything. */
export async function lastAnswer(db: Sql, id: string): Promise<Answer | null> {
  const row = await db
    .selectFrom("release_answer")
    .select(["action", "because", "by", "percent"])
    .where("release", "=", id)
    .orderBy("number", "desc")
    .limit(1)
    .executeTakeFirst();
  return row ?? null;
}

export interface Ended {
  state: "promoted" | "rolled_back" | "failed" | "superseded";
  because: string;
  /** The canary was worse: this artifact of this service is not released again. */
  quarantine?: boolean;
}

/** Ends a release. Twice with one end gives the same; another end throws `releases.illegal_transition`. */
export async function endRelease(tx: Tx, clock: Clock, actor: Actor, id: string, ended: Ended): Promise<Release> {
  if (ended.quarantine) {
    const { service, artifactDigest } = await find(tx, id);
    await quarantine(tx, clock, actor, { service, artifactDigest, release: id, because: ended.because });
  }
  return transition(tx, clock, actor, id, ended.state, { because: ended.because }, { quarantined: ended.quarantine ?? false });
}

/** What serves: the release that was promoted last. */
export async function currentRelease(db: Sql, service: string, environment: string): Promise<Release | undefined> {
  const row = await db
    .selectFrom("release")
    .selectAll()
    .where("service", "=", service)
    .where("environment", "=", environment)
    .where("state", "=", "promoted")
    .orderBy("ended_at", "desc")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row && releaseOf(row);
}

/** The release that is being rolled out or held, if any. */
export async function underWay(db: Sql, service: string, environment: string): Promise<Release | undefined> {
  const row = await db
    .selectFrom("release")
    .selectAll()
    .where("service", "=", service)
    .where("environment", "=", environment)
    .where("state", "in", ["rolling_out", "held"])
    .executeTakeFirst();
  return row && releaseOf(row);
}

/** The releases by these decisions that serve, or that are on their way. */
export async function carriedBy(db: Sql, decisions: readonly string[]): Promise<(Release & { decision: string })[]> {
  if (decisions.length === 0) return [];
  const rows = await db
    .selectFrom("release")
    .selectAll()
    .where("decision", "in", decisions)
    .where("state", "in", ["planned", "rolling_out", "held", "promoted"])
    .orderBy("created_at", "desc")
    .orderBy("id")
    .execute();
  const found = rows.map(releaseOf);
  const serving = await Promise.all(
    found.map(async (one) => one.state !== "promoted" || (await currentRelease(db, one.service, one.environment))?.id === one.id),
  );
  return found.flatMap((one, at) => (serving[at] && one.decision !== null ? [{ ...one, decision: one.decision }] : []));
}

/** Whether another release of a service may rest on what there is in an environment: one that serves, served or is about to. */
export async function usedBy(db: Sql, service: string, environment: string, other: string): Promise<boolean> {
  const row = await db
    .selectFrom("release")
    .select("id")
    .where("service", "=", service)
    .where("environment", "=", environment)
    .where("id", "!=", other)
    .where("state", "not in", ["refused", "failed", "superseded"])
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export interface ReleaseFilter {
  /** One, or any of these. */
  service?: string | readonly string[];
  environment?: string;
  /** `active` are those that have not ended. */
  state?: ReleaseState | "active";
  /** Older than this one. */
  before?: string;
  limit?: number;
}

/** Newest first. */
export async function releases(db: Sql, filter: ReleaseFilter = {}): Promise<Release[]> {
  const { service, environment, state, before } = filter;
  let query = db
    .selectFrom("release")
    .selectAll()
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .limit(filter.limit ?? 50);
  if (service !== undefined) query = query.where(sql<boolean>`service = any(${[service].flat()})`);
  if (environment !== undefined) query = query.where("environment", "=", environment);
  if (state === "active") query = query.where("state", "in", ["planned", "rolling_out", "held"]);
  else if (state !== undefined) query = query.where("state", "=", state);
  if (before !== undefined)
    query = query.where(sql<boolean>`(created_at, id) < (select created_at, id from release as last where last.id = ${before})`);
  return (await query.execute()).map(releaseOf);
}

/** One release. Throws `releases.missing`. */
export async function find(db: Sql, id: string, lock?: "lock"): Promise<Release> {
  const query = db.selectFrom("release").selectAll().where("id", "=", id);
  const row = await (lock ? query.forUpdate() : query).executeTakeFirst();
  if (!row) throw releaseMissing(id);
  return releaseOf(row);
}

/** The rules that a release is judged by; null until it began. */
export async function rulesOf(db: Sql, id: string): Promise<RolloutRules | null> {
  return (await db.selectFrom("release").select("rules").where("id", "=", id).executeTakeFirst())?.rules ?? null;
}

/** The last rounds of a release, oldest first. */
export async function rounds(db: Sql, id: string, limit = 500): Promise<Round[]> {
  const rows = await db
    .selectFrom("release_round")
    .select("body")
    .where("release", "=", id)
    .orderBy("number", "desc")
    .limit(limit)
    .execute();
  return rows.reverse().map(({ body }) => Round.parse(body));
}

const lastRound = async (db: Sql, id: string): Promise<Round | undefined> => (await rounds(db, id, 1))[0];

async function transition(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  id: string,
  to: keyof typeof EVENTS,
  set: { because: string; decision?: string },
  facts: Record<string, unknown> = {},
): Promise<Release> {
  const release = await find(tx, id, "lock");
  if (release.state === to) return release;
  if (!LEGAL[release.state].includes(to)) throw illegalTransition(release, to);
  const row = await tx
    .updateTable("release")
    .set({
      ...set,
      state: to,
      ended_at: clock.now(),
      ...(to === "promoted" && { percent: 100 }),
      ...(to === "rolled_back" && { percent: 0 }),
    })
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const ended = releaseOf(row);
  await note(tx, clock, actor, EVENTS[to], ended, { decision: ended.decision, ...facts });
  return ended;
}

const note = (tx: Tx, clock: Clock, actor: Actor, what: string, release: Release, facts: Record<string, unknown>) =>
  record(tx, clock, {
    type: `releases.${what}`,
    about: `component:default/${release.service}`,
    actor,
    data: {
      release: release.id,
      environment: release.environment,
      commit: release.commit,
      artifactDigest: release.artifactDigest,
      previous: release.previous,
      because: release.because,
      ...facts,
    },
  });

/** Whether a round says anything that the one before it did not. */
function differs(before: Round, now: Round): boolean {
  const facts = (round: Round) =>
    JSON.stringify([round.percent, round.canary, round.baseline, round.verdict.kind, round.move.split(":")[0]]);
  return facts(before) !== facts(now);
}

const json = <T>(value: T): T => JSON.stringify(value) as never;

const releaseOf = (row: Selectable<ReleaseTable>): Release => ({
  id: row.id,
  service: row.service,
  environment: row.environment,
  commit: row.commit,
  artifactDigest: row.artifact_digest,
  revision: row.revision,
  plan: row.plan,
  decision: row.decision,
  state: row.state,
  because: row.because,
  percent: row.percent,
  stepsPercent: row.steps_percent,
  previous: row.previous,
  startedBy: row.started_by,
  createdAt: row.created_at,
  endedAt: row.ended_at,
});
