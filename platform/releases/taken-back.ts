import { sql } from "kysely";
import type { Sql } from "../kernel/sql.ts";

/** That a person took something back: who, when, why, and which release had brought it. */
export interface TakenBack {
  release: string;
  by: string;
  at: string;
  because: string;
}

/**
 * Whether a person took back in an environment what a release would bring, and nobody has brought it there since; null where not. Of a release that gave way to another artifact it is the artifact
 * that was taken back, else this very revision of it. To undo a way back, by going to what was merged later, takes nothing back.
 */
export async function takenBack(
  db: Sql,
  { service, environment, artifactDigest, revision }: { service: string; environment: string; artifactDigest: string; revision: string },
): Promise<TakenBack | null> {
  const merged = (release: string) => sql`(
    select max(seq) from ledger_event
    where about = ${`repository:${service}`} and type = 'forge.change_merged' and data ->> 'commit' = ${sql.ref(`${release}.commit`)}
  )`;
  const same = (release: string) => sql`
    ${sql.ref(`${release}.artifact_digest`)} = ${artifactDigest}
    and (bad.artifact_digest is distinct from good.artifact_digest or ${sql.ref(`${release}.revision`)} = ${revision})`;
  const { rows } = await sql<Omit<TakenBack, "at"> & { at: Date }>`
    with said as (
      select at, actor as by, data ->> 'because' as because, data ->> 'from' as bad, data ->> 'to' as good, true as served
      from ledger_event
      where about = ${`component:default/${service}`} and type = 'releases.going_back' and data ->> 'environment' = ${environment}
      union all
      select answer.at, answer.by, answer.because, release.id, release.previous, false
      from release_answer answer join release on release.id = answer.release
      where answer.action = 'roll_back' and release.state = 'rolled_back'
        and release.service = ${service} and release.environment = ${environment}
    )
    select bad.id as release, said.by, said.at, said.because
    from said join release bad on bad.id = said.bad left join release good on good.id = said.good
    where ${same("bad")}
      and (not said.served or exists (
        select from release back where back.previous = bad.id and back.state = 'promoted' and back.ended_at >= said.at))
      and ${merged("bad")} >= coalesce(${merged("good")}, 0)
      and not exists (
        select from release again
        where again.service = ${service} and again.environment = ${environment} and again.state = 'promoted'
          and again.ended_at > said.at and ${same("again")})
    order by said.at desc limit 1`.execute(db);
  const [found] = rows;
  return found ? { ...found, at: found.at.toISOString() } : null;
}
