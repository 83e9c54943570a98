import type { Cell } from "../cell.ts";
import type { BuildResult } from "../run-contract.ts";
import { SARIF } from "../sarif.ts";

const BUILD_TYPE = "https://cairn.dev/build-types/contract/v1";
/** The builder that the embedded runner is. Whoever trusts its key trusts it for this name. */
export const LOCAL_BUILDER = "https://cairn.dev/builders/local/v1";

export interface Built {
  run: string;
  repository: string;
  commit: string;
  /** git's id of the tree of files that the commit stands for. */
  tree: string;
  /** Where the repository can be cloned from. */
  cloneUrl: string;
  artifact: { digest: string };
  tests: NonNullable<BuildResult["tests"]>;
  testCommand: string;
  sbom: Record<string, unknown>;
  /** What a scanner found in it; null where none looked. */
  scan: Record<string, unknown> | null;
  startedAt: Date;
  finishedAt: Date;
  /** What kept the build away from the platform's files and the key that signs this. */
  isolation: Cell["kind"];
}

/**
 * What the runner states about an artifact that it built: SLSA provenance v1, test-result v0.1, the CycloneDX SBOM and what a scanner found, each an in-toto Statement v1.
 * Where the build was not isolated from the runner the provenance says so.
 */
export function statementsOf(built: Built): Record<string, unknown>[] {
  const source = { uri: `git+${built.cloneUrl}`, digest: { gitCommit: built.commit, gitTree: built.tree } };
  const statement = (predicateType: string, predicate: Record<string, unknown>) => ({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: `${built.repository}.tar.gz`, digest: { sha256: built.artifact.digest.replace(/^sha256:/, "") } }],
    predicateType,
    predicate,
  });
  const { total, failed, skipped, suites } = built.tests;
  return [
    statement("https://slsa.dev/provenance/v1", {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { repository: built.repository, commit: built.commit },
        internalParameters: { isolated: built.isolation !== "none", isolation: built.isolation },
        resolvedDependencies: [source],
      },
      runDetails: {
        builder: { id: LOCAL_BUILDER },
        metadata: { invocationId: built.run, startedOn: built.startedAt.toISOString(), finishedOn: built.finishedAt.toISOString() },
      },
    }),
    statement("https://in-toto.io/attestation/test-result/v0.1", {
      result: failed > 0 ? "FAILED" : "PASSED",
      configuration: [{ ...source, name: "cairn.yaml", annotations: { command: built.testCommand } }],
      passedTests: suites,
      totals: { total, failed, skipped },
    }),
    statement("https://cyclonedx.org/bom", built.sbom),
    ...(built.scan ? [statement(SARIF, built.scan)] : []),
  ];
}
