import type { Clock } from "../kernel/clock.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { record } from "../ledger/store.ts";
import { notQuarantined } from "./faults.ts";
import type { QuarantineEntry } from "./model.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    release_quarantine: {
      service: string;
      artifact_digest: string;
      /** The release that was worse; null where a person barred it. */
      release: string | null;
      because: string;
      by: string;
      created_at: Date;
      lifted_at: Date | null;
      lifted_by: string | null;
      lifted_because: string | null;
    };
  }
}

/** Bars an artifact of a service from ever being released or started again. Twice is once; one that was lifted is barred anew. */
export async function quarantine(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  barred: { service: string; artifactDigest: string; release: string | null; because: string },
): Promise<QuarantineEntry> {
  const { service, artifactDigest, release, because } = barred;
  const fresh = { release, because, by: actor, created_at: clock.now(), lifted_at: null, lifted_by: null, lifted_because: null };
  const row = await tx
    .insertInto("release_quarantine")
    .values({ service, artifact_digest: artifactDigest, ...fresh })
    .onConflict((oc) => oc.columns(["service", "artifact_digest"]).doUpdateSet(fresh).where("release_quarantine.lifted_at", "is not", null))
    .returning("service")
    .executeTakeFirst();
  if (row)
    await record(tx, clock, {
      type: "releases.quarantined",
      about: `component:default/${service}`,
      actor,
      data: { artifactDigest, release, because },
    });
  return { service, artifactDigest, release, because, by: actor, createdAt: clock.now() };
}

/** Lets an artifact be released again, of every service that it was barred for. Throws `releases.not_quarantined`. */
export async function lift(tx: Tx, clock: Clock, actor: Actor, artifactDigest: string, because: string): Promise<QuarantineEntry[]> {
  const entries = (await quarantineList(tx)).filter((entry) => entry.artifactDigest === artifactDigest);
  if (entries.length === 0) throw notQuarantined(artifactDigest);
  await tx
    .updateTable("release_quarantine")
    .set({ lifted_at: clock.now(), lifted_by: actor, lifted_because: because })
    .where("artifact_digest", "=", artifactDigest)
    .where("lifted_at", "is", null)
    .execute();
  for (const { service, release } of entries)
    await record(tx, clock, {
      type: "releases.quarantine_lifted",
      about: `component:default/${service}`,
      actor,
      data: { artifactDigest, release, because },
    });
  return entries;
}

/** Why an artifact of a service may not be released, and who or which release barred it; undefined where it may. */
export async function quarantined(
  db: Sql,
  service: string,
  artifactDigest: string,
): Promise<{ release: string | null; because: string; by: string } | undefined> {
  return db
    .selectFrom("release_quarantine")
    .select(["release", "because", "by"])
    .where("service", "=", service)
    .where("artifact_digest", "=", artifactDigest)
    .where("lifted_at", "is", null)
    .executeTakeFirst();
}

/** All that is barred, the newest first. */
export async function quarantineList(db: Sql): Promise<QuarantineEntry[]> {
  const rows = await db
    .selectFrom("release_quarantine")
    .select(["service", "artifact_digest as artifactDigest", "release", "because", "by", "created_at as createdAt"])
    .where("lifted_at", "is", null)
    .orderBy("created_at", "desc")
    .orderBy("service")
    .execute();
  return rows;
}

/** Who lifted the quarantine of a digest last, and why; undefined where nobody did, or it is barred again. */
export async function lastLift(db: Sql, artifactDigest: string): Promise<{ by: string; because: string } | undefined> {
  const rows = await db
    .selectFrom("release_quarantine")
    .select(["lifted_at", "lifted_by", "lifted_because"])
    .where("artifact_digest", "=", artifactDigest)
    .orderBy("lifted_at", "desc")
    .execute();
  const [last] = rows;
  if (!last || rows.some(({ lifted_at }) => lifted_at === null)) return undefined;
  return { by: last.lifted_by ?? "", because: last.lifted_because ?? "" };
}
