import type { Clock } from "../kernel/clock.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Citation, Evidence } from "./model.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    evidence_citation: { decision: string; evidence: string; cited_at: Date; reopened_at: Date | null; reopened_because: string | null };
  }
}

/**
 * Keeps which evidence a decision rests on, in the transaction that keeps the decision. What was revoked after it was read for the decision re-opens it at once: a revocation
 * and a decision under way meet at the evidence's row, so that neither misses the other.
 */
export async function cite(tx: Tx, clock: Clock, decision: string, evidence: readonly Evidence[]): Promise<void> {
  if (evidence.length === 0) return;
  const asRead = new Map(evidence.map((one) => [one.digest, one.revokedBecause]));
  const rows = await tx
    .selectFrom("evidence")
    .select(["digest", "revoked_because"])
    .where("digest", "in", [...asRead.keys()])
    .orderBy("digest")
    .forShare()
    .execute();
  await tx
    .insertInto("evidence_citation")
    .values(
      rows.map(({ digest, revoked_because }) => {
        const revokedSince = revoked_because !== null && asRead.get(digest) === null;
        return {
          decision,
          evidence: digest,
          cited_at: clock.now(),
          reopened_at: revokedSince ? clock.now() : null,
          reopened_because: revokedSince ? revoked_because : null,
        };
      }),
    )
    .onConflict((oc) => oc.columns(["decision", "evidence"]).doNothing())
    .execute();
}

/** Re-opens the decisions that rest on a piece of evidence, and gives them. */
export async function reopen(tx: Tx, clock: Clock, evidence: string, because: string): Promise<string[]> {
  const rows = await tx
    .updateTable("evidence_citation")
    .set({ reopened_at: clock.now(), reopened_because: because })
    .where("evidence", "=", evidence)
    .where("reopened_at", "is", null)
    .returning("decision")
    .execute();
  return rows.map(({ decision }) => decision).toSorted();
}

/** The decisions that cite a piece of evidence, the newest first. */
export async function citationsOf(db: Sql, evidence: string): Promise<Citation[]> {
  const rows = await db
    .selectFrom("evidence_citation")
    .selectAll()
    .where("evidence", "=", evidence)
    .orderBy("cited_at", "desc")
    .orderBy("decision")
    .execute();
  return rows.map((row) => ({ decision: row.decision, citedAt: row.cited_at, reopenedAt: row.reopened_at }));
}

/** Why a decision can't be relied on any more: evidence that it cites was revoked since. Undefined where it stands. */
export async function reopenedBecause(db: Sql, decision: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("evidence_citation as citation")
    .innerJoin("evidence", "evidence.digest", "citation.evidence")
    .select(["evidence.kind", "citation.reopened_because"])
    .where("citation.decision", "=", decision)
    .where("citation.reopened_at", "is not", null)
    .orderBy("citation.reopened_at")
    .executeTakeFirst();
  return row && `the ${row.kind} that it cites was revoked: ${row.reopened_because}`;
}

/** The digests of the evidence that a decision cites. */
export async function citedBy(db: Sql, decision: string): Promise<string[]> {
  const rows = await db.selectFrom("evidence_citation").select("evidence").where("decision", "=", decision).orderBy("evidence").execute();
  return rows.map(({ evidence }) => evidence);
}
