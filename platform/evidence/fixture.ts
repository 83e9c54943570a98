import { generateKeyPairSync } from "node:crypto";
import { SARIF } from "../ci/sarif.ts";
import { sha256 } from "../kernel/digest.ts";
import { signerOf } from "./signer.ts";
import { CYCLONEDX, PROVENANCE, TEST_RESULT } from "./statement.ts";

export const ARTIFACT = sha256("an artifact");
export const COMMIT = "c".repeat(40);
export const BUILDER = "https://builders.example/one";

/** A builder with a key of its own, and the trust in it for one artifact. */
export function aBuilder() {
  const signer = signerOf(generateKeyPairSync("ed25519").privateKey);
  const key = { publicKey: signer.publicKey, keyId: signer.keyId, builder: BUILDER };
  return { signer, key, trust: { keys: [key], artifactDigest: ARTIFACT as string, repository: "orders", commit: COMMIT } };
}

export const aStatement = (predicateType: string, predicate: Record<string, unknown>, artifact: string = ARTIFACT) => ({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: "orders.tar.gz", digest: { sha256: artifact.slice("sha256:".length) } }],
  predicateType,
  predicate,
});

interface ProvenanceParts {
  repository?: string;
  commit?: string;
  resolved?: string;
  builder?: string;
  startedOn?: string;
  finishedOn?: string;
  isolated?: boolean;
  artifact?: string;
  tree?: string;
}

export const aProvenance = (parts: ProvenanceParts = {}) =>
  aStatement(
    PROVENANCE,
    {
      buildDefinition: {
        buildType: "https://builders.example/types/contract",
        externalParameters: { repository: parts.repository ?? "orders", commit: parts.commit ?? COMMIT },
        internalParameters: { isolated: parts.isolated ?? false },
        resolvedDependencies: [
          {
            uri: "git+http://forge.example/orders.git",
            digest: { gitCommit: parts.resolved ?? parts.commit ?? COMMIT, ...(parts.tree && { gitTree: parts.tree }) },
          },
        ],
      },
      runDetails: {
        builder: { id: parts.builder ?? BUILDER },
        metadata: {
          invocationId: "run-1",
          startedOn: parts.startedOn ?? "2026-03-01T11:50:00.000Z",
          finishedOn: parts.finishedOn ?? "2026-03-01T11:55:00.000Z",
        },
      },
    },
    parts.artifact,
  );

export const aTestResult = (result: "PASSED" | "WARNED" | "FAILED" = "PASSED", commit = COMMIT) =>
  aStatement(TEST_RESULT, {
    result,
    configuration: [{ name: "cairn.yaml", digest: { gitCommit: commit } }],
    totals: { total: 3, failed: result === "FAILED" ? 1 : 0, skipped: 0 },
  });

export const anSbom = (aggregate = "complete") =>
  aStatement(CYCLONEDX, {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    components: [
      { type: "library", name: "left" },
      { type: "file", name: "serve.sh" },
    ],
    compositions: [{ aggregate }],
  });

/** A scan with one finding for each score. */
export const aScan = (scores: readonly number[] = [], endTimeUtc: string | undefined = "2026-03-01T11:58:00.000Z") =>
  aStatement(SARIF, {
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "Scanner", version: "1.0.0" } },
        invocations: [{ executionSuccessful: true, ...(endTimeUtc !== undefined && { endTimeUtc }) }],
        results: scores.map((score) => ({ ruleId: `CVE-${score}`, properties: { "security-severity": score } })),
      },
    ],
  });
