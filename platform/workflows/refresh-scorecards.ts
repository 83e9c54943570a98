import { sql } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { isFault, messageOf } from "../kernel/faults.ts";
import type { Log } from "../kernel/log.ts";
import { transact, type Db, type Sql } from "../kernel/sql.ts";
import { isConnectionLoss } from "../orchestrator/durable.ts";
import type { ScoreFacts } from "../scorecards/model.ts";
import type { ScoreRules } from "../scorecards/rules.ts";
import { score } from "../scorecards/score.ts";
import { keepScore } from "../scorecards/store.ts";

/** A service that is new has its score within so long; and ten thousand have their turn within the hour. */
export const REFRESH_EVERY_MS = 5000;
const AT_MOST = 25;
/** Facts change without an event too: budgets are spent, scans age. */
const OLD_SECONDS = 3600;
const CURSOR = "scorecards";

interface RefreshParts {
  db: Db;
  clock: Clock;
  log: Log;
  rules: ScoreRules;
  /** What is known of a service now. Throws `catalog.service_not_found`. */
  factsOf: (service: string) => Promise<ScoreFacts>;
}

/**
 * Makes a batch of scorecards anew each time it is called, and gives the services': those that have none, then those that the ledger has told of since, then those
 * of other rules and those that are older than an hour; of each the oldest first, and one after another, which leaves database and git to others. Of several servers
 * one works at a time. A service that can't be scored is left for an hour.
 */
export function scorecardRefresher(parts: RefreshParts): () => Promise<string[]> {
  const failed = new Map<string, Date>();
  return () =>
    parts.db.connection().execute(async (one) => {
      const { rows } = await sql<{ got: boolean }>`select pg_try_advisory_lock(7146019) as got`.execute(one);
      if (!rows[0]?.got) return [];
      return refresh(parts, failed).finally(() => sql`select pg_advisory_unlock(7146019)`.execute(one));
    });
}

async function refresh({ db, clock, log, rules, factsOf }: RefreshParts, failed: Map<string, Date>): Promise<string[]> {
  const before = new Date(clock.now().getTime() - OLD_SECONDS * 1000);
  for (const [service, at] of failed) if (at < before) failed.delete(service);
  // Read before the facts: what is recorded meanwhile is a later line, and makes them be asked for again.
  const seq = await noteTold(db);
  const made: string[] = [];
  for (const service of await due(db, { rules: rules.digest, before, except: [...failed.keys()] }))
    try {
      const facts = await factsOf(service);
      await keepScore(db, score(facts, rules, clock.now()), { owner: facts.service.owner, seq });
      made.push(service);
    } catch (error) {
      if (isConnectionLoss(error) || (isFault(error) && error.kind === "unavailable")) throw error;
      if (isFault(error) && error.kind === "not_found") continue; // it was deleted meanwhile
      failed.set(service, clock.now());
      log.warn({ service, because: messageOf(error) }, "a service could not be scored");
    }
  return made;
}

/** Services whose scorecard is to be made, in the order in which that is done. */
async function due(db: Sql, { rules, before, except }: { rules: string; before: Date; except: string[] }): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select e.name
    from catalog_entity e left join scorecard s on s.ref = e.ref
    where e.kind = 'component' and e.name <> all(${except}::text[])
      and (s.ref is null or s.told_seq > s.seq or s.rules <> ${rules} or s.made_at <= ${before})
    order by s.ref is not null, s.told_seq <= s.seq, s.made_at, e.name
    limit ${AT_MOST}`.execute(db);
  return rows.map(({ name }) => name);
}

/**
 * Notes at each scorecard the last line of the ledger that may bear on it: about the service, its repository, an incident of it, its team or somebody in that. Gives
 * the line up to which it has read.
 */
async function noteTold(db: Db): Promise<number> {
  const { rows } = await sql<{ from: number; to: number }>`
    select coalesce((select seq from ledger_cursor where consumer = ${CURSOR}), 0) as from,
      coalesce((select max(seq) from ledger_event), 0) as to`.execute(db);
  const { from, to } = rows[0] ?? { from: 0, to: 0 };
  if (from >= to) return to;
  await transact(db, async (tx) => {
    await sql`
      with told as materialized (
        select about, data ->> 'service' as service, max(seq) as seq from ledger_event where seq > ${from} and seq <= ${to}
          and (about like any(array['component:%', 'repository:%', 'incident:%']) or type like 'catalog.organisation\_%')
        group by 1, 2
      ), bears as (
        select about as ref, seq from told where about like 'component:%'
        union all
        select e.ref, told.seq from told join catalog_entity e on e.kind = 'component' and e.repository = substr(about, length('repository:') + 1)
          where about like 'repository:%'
        union all
        select 'component:default/' || service, seq from told where about like 'incident:%'
        union all
        select s.ref, told.seq from told join scorecard s on s.team = about
        union all
        select s.ref, told.seq from told join catalog_relation r on r.source_ref = about and r.type = 'memberOf' join scorecard s on s.team = r.target_ref
      )
      update scorecard set told_seq = last.seq from (select ref, max(seq) as seq from bears group by ref) as last where scorecard.ref = last.ref`.execute(
      tx,
    );
    await tx
      .insertInto("ledger_cursor")
      .values({ consumer: CURSOR, seq: to })
      .onConflict((oc) => oc.column("consumer").doUpdateSet({ seq: to }))
      .execute();
  });
  return to;
}
