import { sql } from "kysely";
import type { Sql } from "../kernel/sql.ts";
import type { DeploymentFact } from "./dora.ts";

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
