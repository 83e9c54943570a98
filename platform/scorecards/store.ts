import { sql, type Expression, type SqlBool } from "kysely";
import type { Tier } from "../catalog/model.ts";
import { groupRef } from "../identity/access.ts";
import { transact, type Db, type Sql } from "../kernel/sql.ts";
import type { DeploymentFact } from "./dora.ts";
import type { KeptPoint, KeptScore, PointState, Scorecard } from "./model.ts";
import { sinceWhen } from "./score.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    scorecard: {
      ref: string;
      owner: string;
      /** Reference of the group that the owner is. */
      team: string;
      tier: Tier;
      met: number;
      required: number;
      unknown: number;
      /** Of the points that its tier asks for, by id. */
      states: Record<string, PointState>;
      points: KeptPoint[];
      /** Digest of the rules that it was made by. */
      rules: string;
      /** The last line of the ledger that it knows. */
      seq: number;
      /** The last line that may bear on it: where that is a later one, it is to be made anew. */
      told_seq: number;
      made_at: Date;
    };
  }
}

const PREFIX = "component:default/";

/**
 * Keeps a service's scorecard in the place of the one before, unless that is newer. Tells those who listen where a point's state is another than before. Of a service that has left the
 * catalog nothing is kept.
 */
export async function keepScore(db: Db, card: Scorecard, { owner, seq }: { owner: string; seq: number }): Promise<void> {
  const ref = `${PREFIX}${card.service}`;
  const asked = card.points.filter((point) => point.required);
  const states = Object.fromEntries(asked.map(({ id, state }) => [id, state]));
  await transact(db, async (tx) => {
    const before = await tx.selectFrom("scorecard").select(["states", "points"]).where("ref", "=", ref).forUpdate().executeTakeFirst();
    const row = {
      owner,
      team: groupRef(owner),
      tier: card.tier as Tier,
      met: card.met,
      required: card.required,
      unknown: asked.filter(({ state }) => state === "unknown").length,
      states: JSON.stringify(states) as never,
      points: JSON.stringify(sinceWhen(card, before?.points ?? [])) as never,
      rules: card.rules,
      seq,
      made_at: card.at,
    };
    await tx
      .insertInto("scorecard")
      .values({ ref, told_seq: 0, ...row })
      .onConflict((oc) => oc.column("ref").doUpdateSet(row).where("scorecard.seq", "<=", seq).where("scorecard.made_at", "<=", card.at))
      .execute();
    const ids = new Set([...Object.keys(before?.states ?? {}), ...Object.keys(states)]);
    if (before && [...ids].some((id) => before.states[id] !== states[id]))
      await sql`select pg_notify('cairn_scores', ${card.service})`.execute(tx);
  }).catch((error: unknown) => {
    if ((error as { code?: string }).code !== FOREIGN_KEY_VIOLATION) throw error;
  });
}

const FOREIGN_KEY_VIOLATION = "23503";

interface ScoreFilter {
  team?: string | undefined;
  tier?: Tier | undefined;
  /** Those of whom this point is asked and who are in the state; without a state, who do not meet it. */
  point?: string | undefined;
  /** Without a point: those with any point in this state. */
  state?: PointState | undefined;
}

/** Scorecards as they were kept, the worst first, a page of them, with the number of all that the filter lets through. */
export async function keptScores(
  db: Sql,
  filter: ScoreFilter,
  { limit, offset }: { limit: number; offset: number },
): Promise<{ items: KeptScore[]; total: number }> {
  const { total } = await matching(db, filter)
    .select((eb) => eb.fn.countAll<number>().as("total"))
    .executeTakeFirstOrThrow();
  const page = matching(db, filter)
    .select("ref")
    .orderBy(sql`case when required = 0 then 1 else met::real / required end`)
    .orderBy(sql`required - met`, "desc")
    .orderBy("tier")
    .orderBy("ref")
    .limit(limit)
    .offset(offset);
  // What is sorted is narrow: points are read of those alone that are shown.
  const refs = (await page.execute()).map(({ ref }) => ref);
  const rows = refs.length === 0 ? [] : await db.selectFrom("scorecard").selectAll().where("ref", "in", refs).execute();
  const found = new Map(rows.map((row) => [row.ref, row]));
  return {
    total,
    items: refs.flatMap((ref) => {
      const row = found.get(ref);
      if (!row) return [];
      const { owner, tier, met, required, unknown, made_at: at } = row;
      return { service: ref.slice(PREFIX.length), owner, tier, met, required, unknown, lacks: lacksOf(row.points), at };
    }),
  };
}

/** How the services of a team and a tier stand: how many there are of each pattern of states, of which there are few. */
export const countStates = (
  db: Sql,
  filter: Pick<ScoreFilter, "team" | "tier">,
): Promise<{ states: Record<string, PointState>; services: number }[]> =>
  matching(db, filter)
    .select("states")
    .select((eb) => eb.fn.countAll<number>().as("services"))
    .groupBy("states")
    .execute();

function matching(db: Sql, { team, tier, point, state }: ScoreFilter) {
  let query = db.selectFrom("scorecard");
  if (team !== undefined) query = query.where("team", "=", groupRef(team));
  if (tier !== undefined) query = query.where("tier", "=", tier);
  if (point !== undefined)
    query = query.where(state === undefined ? sql<boolean>`states ->> ${point} <> 'met'` : sql<boolean>`states ->> ${point} = ${state}`);
  else if (state !== undefined) query = query.where(anyPoint[state]);
  return query;
}

const anyPoint: Record<PointState, Expression<SqlBool>> = {
  met: sql<boolean>`met > 0`,
  missed: sql<boolean>`required > met + unknown`,
  unknown: sql<boolean>`unknown > 0`,
};

const lacksOf = (points: readonly KeptPoint[]): KeptPoint[] =>
  (["missed", "unknown"] as const).flatMap((state) =>
    points.filter((point) => point.required && point.state === state).map((point) => ({ ...point, since: new Date(point.since) })),
  );

/** Releases to these environments that shifted traffic and ended in [from, to), as the ledger tells of them: nothing is kept twice. `services` undefined: of all. */
export async function deployments(
  db: Sql,
  { environments, services, from, to }: { environments: readonly string[]; services?: readonly string[] | undefined; from: Date; to: Date },
): Promise<DeploymentFact[]> {
  if (environments.length === 0 || services?.length === 0) return [];
  const abouts = services?.map((service) => `component:default/${service}`);
  const { rows } = await sql<DeploymentFact>`
    with ended as (
      select seq, at, type, about, data ->> 'release' as release, data ->> 'environment' as environment, data ->> 'commit' as commit, data ->> 'because' as because
      from ledger_event
      where type in ('releases.promoted', 'releases.rolled_back', 'releases.failed') and at >= ${from} and at < ${to}
        and data ->> 'environment' = any(${[...environments]}::text[])
        ${abouts ? sql`and about = any(${abouts}::text[])` : sql``}
    ), started as (
      select data ->> 'release' as release, max(at) as at from ledger_event
      where type = 'releases.started' and data ->> 'release' in (select release from ended) group by 1
    ), merged as (
      select distinct on (1) data ->> 'commit' as commit, seq, about, data ->> 'number' as number from ledger_event
      where type = 'forge.change_merged' and data ->> 'commit' in (select commit from ended) order by 1, seq
    ), opened as (
      -- The last before the merge: a repository that was deleted may have had a change of that number too.
      select distinct on (1) merged.commit, event.at from merged
        join ledger_event event on event.about = merged.about and event.type = 'forge.change_opened'
          and event.data ->> 'number' = merged.number and event.seq < merged.seq
      order by 1, event.seq desc
    ), taken_back as (
      select distinct on (1) data ->> 'from' as release, seq, at, about, data ->> 'environment' as environment from ledger_event
      where type = 'releases.going_back' and data ->> 'from' in (select release from ended) order by 1, seq
    ), back as (
      select distinct on (1) taken_back.release, event.at from taken_back
        join ledger_event event on event.about = taken_back.about and event.type = 'releases.promoted'
          and event.data ->> 'environment' = taken_back.environment and event.seq > taken_back.seq
      order by 1, event.seq
    )
    select ended.release, substr(ended.about, length('component:default/') + 1) as service, ended.environment, ended.commit, ended.because,
           merged.number::integer as change, replace(ended.type, 'releases.', '') as outcome, started.at as "startedAt", ended.at as "endedAt", opened.at as "openedAt",
           taken_back.at as "takenBackAt", back.at as "backAt"
    from ended
      join started using (release)
      left join merged using (commit)
      left join opened using (commit)
      left join taken_back using (release)
      left join back using (release)
    order by ended.seq`.execute(db);
  return rows;
}
