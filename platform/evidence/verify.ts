import type { KeyObject } from "node:crypto";
import type { z } from "zod";
import { readSarif, Sarif, SARIF } from "../ci/sarif.ts";
import { canonicalJson, sha256, type Digest } from "../kernel/digest.ts";
import { IN_TOTO, openEnvelope } from "./dsse.ts";
import { envelopeInvalid, notNow, otherArtifact, otherBuilder, otherSource, predicateUnknown, signatureInvalid } from "./faults.ts";
import { Envelope, type Evidence } from "./model.ts";
import { CYCLONEDX, PROVENANCE, Provenance, Sbom, Statement, TEST_RESULT, TestResult } from "./statement.ts";

export interface BuilderKey {
  publicKey: KeyObject;
  keyId: string;
  /** The builder whose key it is: provenance signed with it names this one. */
  builder: string;
}

/** What evidence must speak of, and whose word counts. */
export interface Trust {
  keys: readonly BuilderKey[];
  artifactDigest: string;
  repository: string;
  commit: string;
}

/** Evidence as verified. Where it does not itself say where the artifact came from, `source` is null: then the provenance places it. */
export type Verified = Omit<Evidence, "isolated" | "revokedBecause"> & { isolated: boolean | null };

/** Clocks of builders may differ by this much. */
const SKEW_SECONDS = 300;
/** Evidence is filed when it was made. What comes later than this may be an old truth that somebody kept; how old it may grow once it is here is the rules' to say. */
const FRESH_SECONDS = 7 * 86_400;

/**
 * Verifies an envelope: signature by a trusted builder's key, subject digest, predicate type, repository and commit, times. Pure. Throws the fault that says what does not fit.
 */
export function verifyEvidence(given: unknown, trust: Trust, now: Date): { evidence: Verified; envelope: Envelope } {
  const envelope = parse(Envelope, given, "the envelope");
  if (envelope.payloadType !== IN_TOTO) throw envelopeInvalid(`its payload is ${envelope.payloadType}`);
  const opened = openEnvelope(envelope, trust.keys);
  if (!opened)
    throw signatureInvalid(`no trusted key fits (it names ${envelope.signatures.map((one) => one.keyid.slice(0, 12)).join(", ")})`);
  const statement = parse(Statement, json(opened.body), "the statement");
  const subjects = statement.subject.map((one) => `sha256:${one.digest.sha256 ?? ""}`);
  // One artifact, and just that: a statement about many proves nothing about which of them was meant.
  if (subjects.length !== 1 || subjects[0] !== trust.artifactDigest) throw otherArtifact(trust.artifactDigest, subjects.join(", "));
  const base = {
    digest: digestOfEnvelope(envelope),
    artifactDigest: trust.artifactDigest,
    signedBy: opened.key.keyId,
    builder: opened.key.builder,
    repository: trust.repository,
    commit: trust.commit,
  };
  return { evidence: { ...base, ...read(statement, opened.key, trust, now) }, envelope };
}

const digestOfEnvelope = (envelope: Envelope): Digest => sha256(canonicalJson(envelope));

type Said = Pick<Verified, "kind" | "result" | "summary" | "observedAt" | "isolated">;

function read(statement: Statement, key: BuilderKey, trust: Trust, now: Date): Said {
  switch (statement.predicateType) {
    case PROVENANCE:
      return readProvenance(statement.predicate, key, trust, now);
    case TEST_RESULT: {
      const tests = parse(TestResult, statement.predicate, "the test result");
      for (const source of tests.configuration)
        if (source.digest?.gitCommit !== undefined && source.digest.gitCommit !== trust.commit)
          throw otherSource(trust.commit, source.digest.gitCommit);
      const total =
        tests.totals?.total ?? (tests.passedTests?.length ?? 0) + (tests.warnedTests?.length ?? 0) + (tests.failedTests?.length ?? 0);
      const failed = tests.totals?.failed ?? tests.failedTests?.length ?? 0;
      const result = ({ PASSED: "passed", WARNED: "warned", FAILED: "failed" } as const)[tests.result];
      return {
        kind: "test-result",
        result,
        summary: { total, failed, skipped: tests.totals?.skipped ?? 0 },
        observedAt: now,
        isolated: null,
      };
    }
    case CYCLONEDX: {
      const sbom = parse(Sbom, statement.predicate, "the SBOM");
      const unknown = sbom.compositions?.some((one) => one.aggregate === "unknown") ?? false;
      const components = unknown ? null : (sbom.components ?? []).filter((one) => one.type !== "file").length;
      const files = (sbom.components ?? []).filter((one) => one.type === "file").length;
      return {
        kind: "sbom",
        result: components === null ? "unknown" : "passed",
        summary: { components, files },
        observedAt: now,
        isolated: null,
      };
    }
    case SARIF: {
      const { result, summary, endedAt } = readSarif(parse(Sarif, statement.predicate, "the scan"));
      if (endedAt === null) throw notNow("the scan does not say when it ended");
      requireFresh("scan", endedAt, now);
      return { kind: "scan", result, summary, observedAt: endedAt, isolated: null };
    }
    default:
      throw predicateUnknown(statement.predicateType);
  }
}

function readProvenance(predicate: unknown, key: BuilderKey, trust: Trust, now: Date): Said {
  const { buildDefinition, runDetails } = parse(Provenance, predicate, "the provenance");
  if (runDetails.builder.id !== key.builder) throw otherBuilder(key.builder, runDetails.builder.id);
  const { repository, commit } = buildDefinition.externalParameters;
  if (repository !== trust.repository || commit !== trust.commit)
    throw otherSource(`${trust.repository}@${trust.commit}`, `${repository}@${commit}`);
  const sources = buildDefinition.resolvedDependencies.flatMap((one) => one.digest?.gitCommit ?? []);
  if (!sources.includes(commit)) throw otherSource(commit, sources.join(", "));
  const startedOn = runDetails.metadata?.startedOn;
  const finishedOn = runDetails.metadata?.finishedOn;
  if (finishedOn === undefined) throw notNow("it does not say when the build ended");
  if (startedOn !== undefined && Date.parse(startedOn) > Date.parse(finishedOn))
    throw notNow(`the build ended at ${finishedOn}, before it began at ${startedOn}`);
  requireFresh("build", new Date(finishedOn), now);
  return {
    kind: "provenance",
    result: "passed",
    summary: {
      buildType: buildDefinition.buildType,
      invocation: runDetails.metadata?.invocationId ?? null,
      isolation: buildDefinition.internalParameters?.isolation ?? null,
    },
    observedAt: new Date(finishedOn),
    isolated: buildDefinition.internalParameters?.isolated === true,
  };
}

function requireFresh(what: string, endedAt: Date, now: Date): void {
  const ageSeconds = (now.getTime() - endedAt.getTime()) / 1000;
  if (ageSeconds < -SKEW_SECONDS) throw notNow(`the ${what} ended at ${endedAt.toISOString()}, and it is ${now.toISOString()}`);
  if (ageSeconds > FRESH_SECONDS)
    throw notNow(`the ${what} ended at ${endedAt.toISOString()}, more than ${FRESH_SECONDS / 86_400} days ago`);
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw envelopeInvalid(`${what}: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
}

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw envelopeInvalid("its payload is not JSON");
  }
}
