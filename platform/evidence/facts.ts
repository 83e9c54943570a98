import type { Evidence } from "./model.ts";

type Source = { repository: string; commit: string };

/** The `evidence` member of what rules judge. Null: nothing of the kind was filed. */
export interface EvidenceFacts {
  provenance: { repository: string; commit: string; builder: string; isolated: boolean; ageSeconds: number; revoked: boolean } | null;
  tests: { result: string; total: number; failed: number; ageSeconds: number; revoked: boolean } | null;
  sbom: { components: number | null; revoked: boolean } | null;
  scan: { result: string; critical: number; ageSeconds: number; revoked: boolean } | null;
}

/**
 * The facts of one artifact for rules: of each kind the newest that stands, else the newest revoked one, shown as revoked. The same bytes may be built from several commits:
 * with `source` evidence of that commit goes before all other.
 */
export function evidenceFacts(evidence: readonly Evidence[], now: Date, source?: Source): EvidenceFacts {
  const newest = (kind: Evidence["kind"]) => newestOf(evidence, kind, source);
  const common = (one: Evidence) => ({
    ageSeconds: Math.max(0, (now.getTime() - one.observedAt.getTime()) / 1000),
    revoked: one.revokedBecause !== null,
  });
  const provenance = newest("provenance");
  const tests = newest("test-result");
  const sbom = newest("sbom");
  const scan = newest("scan");
  return {
    provenance: provenance
      ? {
          repository: provenance.repository,
          commit: provenance.commit,
          builder: provenance.builder,
          isolated: provenance.isolated,
          ...common(provenance),
        }
      : null,
    tests: tests
      ? { result: tests.result, total: count(tests.summary.total), failed: count(tests.summary.failed), ...common(tests) }
      : null,
    sbom: sbom
      ? { components: typeof sbom.summary.components === "number" ? sbom.summary.components : null, revoked: sbom.revokedBecause !== null }
      : null,
    scan: scan ? { result: scan.result, critical: count(scan.summary.critical), ...common(scan) } : null,
  };
}

/** The evidence that `evidenceFacts` speaks of: what a decision on these facts cites. */
export const citedEvidence = (evidence: readonly Evidence[], source?: Source): Evidence[] =>
  (["provenance", "test-result", "sbom", "scan"] as const).flatMap((kind) => newestOf(evidence, kind, source) ?? []);

function newestOf(evidence: readonly Evidence[], kind: Evidence["kind"], source?: Source): Evidence | undefined {
  const rank = (one: Evidence) =>
    (source && one.repository === source.repository && one.commit === source.commit ? 2 : 0) + (one.revokedBecause === null ? 1 : 0);
  return evidence
    .filter((one) => one.kind === kind)
    .toSorted((a, b) => rank(b) - rank(a) || b.observedAt.getTime() - a.observedAt.getTime() || (a.digest < b.digest ? -1 : 1))[0];
}

const count = (value: unknown): number => (typeof value === "number" ? value : 0);
