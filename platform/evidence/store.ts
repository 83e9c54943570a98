import type { Clock } from "../kernel/clock.ts";
import { messageOf, isFault } from "../kernel/faults.ts";
import { transact, type Db, type Sql, type Tables, type Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { keep, read, record } from "../ledger/store.ts";
import { reopen } from "./citations.ts";
import { evidenceMissing, noProvenance } from "./faults.ts";
import type { Artifact, Envelope, Evidence } from "./model.ts";
import { verifyEvidence, type BuilderKey, type Trust } from "./verify.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    artifact: {
      digest: string;
      size_bytes: number;
      repository: string;
      commit: string;
      ci_run: string;
      path: string;
      created_at: Date;
      last_built_at: Date;
      forgotten_at: Date | null;
    };
    evidence: {
      digest: string;
      kind: Evidence["kind"];
      artifact_digest: string;
      signed_by: string;
      builder: string;
      isolated: boolean;
      repository: string;
      commit: string;
      result: Evidence["result"];
      summary: Record<string, unknown>;
      observed_at: Date;
      filed_at: Date;
      revoked_because: string | null;
    };
  }
}

const MEDIA_TYPE = "application/vnd.dsse.envelope+json";

/** An artifact and what is said about it, as a builder hands both in. */
export interface Filing {
  artifact: Omit<Artifact, "createdAt" | "forgottenAt">;
  envelopes: readonly unknown[];
  actor: Actor;
}

/**
 * Takes an artifact in with its evidence, all or nothing: the envelopes are verified first, and one that does not fit refuses the filing; that attempt is recorded. `within` runs in the
 * same transaction, before the ledger is written, and gets the digests of the evidence. Throws the faults of `verifyEvidence` and `evidence.no_provenance`.
 */
export async function file(
  db: Db,
  clock: Clock,
  keys: readonly BuilderKey[],
  filing: Filing,
  within: (tx: Tx, digests: string[]) => Promise<void> = async () => {},
): Promise<Evidence[]> {
  const { artifact } = filing;
  const now = clock.now();
  // The same bytes, built again: they lie there again, had they been removed.
  const built = async (tx: Tx) =>
    void (await tx
      .insertInto("artifact")
      .values({
        digest: artifact.digest,
        size_bytes: artifact.sizeBytes,
        repository: artifact.repository,
        commit: artifact.commit,
        ci_run: artifact.ciRun,
        path: artifact.path,
        created_at: now,
        last_built_at: now,
        forgotten_at: null,
      })
      .onConflict((oc) => oc.column("digest").doUpdateSet({ last_built_at: now, forgotten_at: null }))
      .execute());
  return takeIn(db, clock, keys, filing, built, within);
}

async function takeIn(
  db: Db,
  clock: Clock,
  keys: readonly BuilderKey[],
  filing: Filing,
  first: (tx: Tx) => Promise<void>,
  within: (tx: Tx, digests: string[]) => Promise<void>,
): Promise<Evidence[]> {
  const { artifact } = filing;
  const trust: Trust = { keys, artifactDigest: artifact.digest, repository: artifact.repository, commit: artifact.commit };
  try {
    return await transact(db, async (tx) => {
      await first(tx);
      const admitted: Evidence[] = [];
      // Provenance first: it places what comes after it.
      const verified = filing.envelopes
        .map((envelope) => verifyEvidence(envelope, trust, clock.now()))
        .toSorted((a, b) => Number(b.evidence.kind === "provenance") - Number(a.evidence.kind === "provenance"));
      for (const one of verified) admitted.push(await insert(tx, clock, one.evidence, one.envelope));
      const digests = admitted.map((one) => one.digest);
      await within(tx, digests);
      await record(tx, clock, {
        type: "evidence.admitted",
        about: `repository:${artifact.repository}`,
        actor: filing.actor,
        data: {
          artifact: artifact.digest,
          commit: artifact.commit,
          run: artifact.ciRun,
          evidence: admitted.map(({ digest, kind, result, signedBy, isolated }) => ({ digest, kind, result, signedBy, isolated })),
        },
      });
      return admitted;
    });
  } catch (error) {
    if (isFault(error)) await recordRefusal(db, clock, filing.actor, trust, error.code, messageOf(error));
    throw error;
  }
}

/**
 * Takes in evidence about an artifact that is known, all or nothing. Throws what `file` throws, after recording the attempt. The same envelope again is no error.
 */
export async function admit(db: Db, clock: Clock, envelopes: readonly unknown[], trust: Trust, actor: Actor): Promise<Evidence[]> {
  const artifact = await artifactOf(db, trust.artifactDigest);
  if (!artifact) {
    const fault = noProvenance(trust.artifactDigest);
    await recordRefusal(db, clock, actor, trust, fault.code, fault.message);
    throw fault;
  }
  const filing = { artifact: { ...artifact, repository: trust.repository, commit: trust.commit }, envelopes, actor };
  const nothing = async () => {};
  return takeIn(db, clock, trust.keys, filing, nothing, nothing);
}

/** All evidence about an artifact, the newest first, revoked included. */
export async function evidenceFor(db: Sql, artifactDigest: string): Promise<Evidence[]> {
  const rows = await db
    .selectFrom("evidence")
    .selectAll()
    .where("artifact_digest", "=", artifactDigest)
    .orderBy("observed_at", "desc")
    .orderBy("digest")
    .execute();
  return rows.map(evidenceOf);
}

/** Evidence with its envelope as it was signed. Throws `evidence.missing`. */
export async function find(db: Sql, digest: string): Promise<{ evidence: Evidence; envelope: Envelope }> {
  const row = await db.selectFrom("evidence").selectAll().where("digest", "=", digest).executeTakeFirst();
  if (!row) throw evidenceMissing(digest);
  return { evidence: evidenceOf(row), envelope: await read<Envelope>(db, row.digest as `sha256:${string}`) };
}

export async function artifactOf(db: Sql, digest: string): Promise<Artifact | undefined> {
  const row = await db.selectFrom("artifact").selectAll().where("digest", "=", digest).executeTakeFirst();
  return (
    row && {
      digest: row.digest,
      sizeBytes: row.size_bytes,
      repository: row.repository,
      commit: row.commit,
      ciRun: row.ci_run,
      path: row.path,
      createdAt: row.created_at,
      forgottenAt: row.forgotten_at,
    }
  );
}

/** Takes evidence back, with the reason; it stays visible as revoked, and the decisions that cite it are re-opened. The first reason stands. Throws `evidence.missing`. */
export async function revoke(tx: Tx, clock: Clock, actor: Actor, digest: string, because: string): Promise<void> {
  const row = await tx
    .updateTable("evidence")
    .set({ revoked_because: because })
    .where("digest", "=", digest)
    .where("revoked_because", "is", null)
    .returningAll()
    .executeTakeFirst();
  if (!row) {
    await find(tx, digest);
    return;
  }
  const decisions = await reopen(tx, clock, digest, because);
  await record(tx, clock, {
    type: "evidence.revoked",
    about: `repository:${row.repository}`,
    actor,
    data: { evidence: digest, artifact: row.artifact_digest, kind: row.kind, because, decisions },
  });
}

async function insert(
  tx: Tx,
  clock: Clock,
  verified: ReturnType<typeof verifyEvidence>["evidence"],
  envelope: Envelope,
): Promise<Evidence> {
  // Tests and components are the builder's own word about its build. A scan may be anybody's who is trusted: it looks at the artifact.
  const placing = tx
    .selectFrom("evidence")
    .select("isolated")
    .where("artifact_digest", "=", verified.artifactDigest)
    .where("repository", "=", verified.repository)
    .where("commit", "=", verified.commit)
    .where("kind", "=", "provenance")
    .orderBy("filed_at", "desc");
  const provenance = await (verified.kind === "scan" ? placing : placing.where("signed_by", "=", verified.signedBy)).executeTakeFirst();
  if (verified.kind !== "provenance" && !provenance) throw noProvenance(verified.artifactDigest);
  await keep(tx, envelope, MEDIA_TYPE);
  await tx
    .insertInto("evidence")
    .values({
      digest: verified.digest,
      kind: verified.kind,
      artifact_digest: verified.artifactDigest,
      signed_by: verified.signedBy,
      builder: verified.builder,
      isolated: verified.isolated ?? provenance?.isolated ?? false,
      repository: verified.repository,
      commit: verified.commit,
      result: verified.result,
      summary: JSON.stringify(verified.summary) as never,
      observed_at: verified.observedAt,
      filed_at: clock.now(),
      revoked_because: null,
    })
    .onConflict((oc) => oc.column("digest").doNothing())
    .execute();
  return evidenceOf(await tx.selectFrom("evidence").selectAll().where("digest", "=", verified.digest).executeTakeFirstOrThrow());
}

const recordRefusal = (db: Db, clock: Clock, actor: Actor, trust: Trust, code: string, because: string) =>
  transact(db, (tx) =>
    record(tx, clock, {
      type: "evidence.refused",
      about: `repository:${trust.repository}`,
      actor,
      data: { artifact: trust.artifactDigest, commit: trust.commit, code, because },
    }),
  );

const evidenceOf = (row: Tables["evidence"]): Evidence => ({
  digest: row.digest,
  kind: row.kind,
  artifactDigest: row.artifact_digest,
  signedBy: row.signed_by,
  builder: row.builder,
  isolated: row.isolated,
  repository: row.repository,
  commit: row.commit,
  result: row.result,
  summary: row.summary,
  observedAt: row.observed_at,
  revokedBecause: row.revoked_because,
});
