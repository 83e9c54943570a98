import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { citedBy } from "../evidence/citations.ts";
import { Envelope, Evidence } from "../evidence/model.ts";
import { find as findEvidence } from "../evidence/store.ts";
import "../identity/request.ts";
import type { Forge } from "../forge/contract.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Digest } from "../kernel/digest.ts";
import { isFault } from "../kernel/faults.ts";
import type { Db } from "../kernel/sql.ts";
import { read } from "../ledger/store.ts";
import { DecisionBundle } from "../policy/portable.ts";
import { bundleOfDecision, find as findDecision } from "../policy/store.ts";
import { Release } from "../releases/model.ts";
import { find as findRelease } from "../releases/store.ts";
import type { Observation, Runtime } from "../runtime/contract.ts";
import { releaseNotDecided } from "./faults.ts";

/** All that shows how a release came about, for somebody who believes nothing but the keys. docs/verify-evidence.mjs checks it. */
export const EvidenceBundle = z
  .object({
    format: z.literal("cairn-evidence/1"),
    exportedAt: z.coerce.date(),
    release: Release,
    /** The commit as git hashes it, in base64; null where its repository is gone. */
    commit: z.string().nullable(),
    /** Public keys, PEM. Whoever checks takes them from elsewhere if he can. */
    keys: z.object({ builder: z.string(), platform: z.string() }),
    /** What the decision rests on, as it was signed. */
    evidence: z.array(Evidence.extend({ envelope: Envelope })),
    decision: DecisionBundle,
    plan: z.record(z.string(), z.unknown()),
    /** The platform's own word, signed: SLSA verification summary v1 of the decision, and what the runtime hashed and serves. */
    summary: Envelope,
    running: Envelope,
  })
  .meta({ id: "EvidenceBundle" });
export type EvidenceBundle = z.infer<typeof EvidenceBundle>;

export interface ExportParts {
  db: Db;
  clock: Clock;
  runtime: Runtime;
  forge: Pick<Forge, "commitObject">;
  /** PEM. */
  keys: EvidenceBundle["keys"];
  /** Signs a statement in the platform's name. */
  sign: (statement: unknown) => Envelope;
}

const VERIFIER = "https://cairn.dev/platform/v1";

/** Throws `releases.missing`, and `workflows.release_not_decided` for a release that no decision let on. */
export async function exportEvidence({ db, clock, runtime, forge, keys, sign }: ExportParts, id: string): Promise<EvidenceBundle> {
  const release = await findRelease(db, id);
  if (release.decision === null) throw releaseNotDecided(id);
  const decision = await bundleOfDecision(db, await findDecision(db, release.decision));
  const cited = await Promise.all((await citedBy(db, release.decision)).map((digest) => findEvidence(db, digest)));
  const now = clock.now();
  const statement = (predicateType: string, predicate: Record<string, unknown>) =>
    sign({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: `${release.service}.tar.gz`, digest: { sha256: release.artifactDigest.slice("sha256:".length) } }],
      predicateType,
      predicate,
    });
  const known = (await runtime.targets()).some((at) => at.service === release.service && at.environment === release.environment);
  const observed = known ? await runtime.observe({ service: release.service, environment: release.environment }) : undefined;
  const isolated = cited.some(({ evidence }) => evidence.kind === "provenance" && evidence.isolated);
  return {
    format: "cairn-evidence/1",
    exportedAt: now,
    release,
    commit: await commitOf(forge, cited[0]?.evidence.repository, release.commit),
    keys,
    evidence: cited.map(({ evidence, envelope }) => ({ ...evidence, envelope })),
    decision,
    plan: await read<Record<string, unknown>>(db, release.plan as Digest),
    summary: statement("https://slsa.dev/verification_summary/v1", {
      verifier: { id: VERIFIER },
      timeVerified: decision.decision.decidedAt,
      resourceUri: `${release.service}/${release.environment}`,
      policy: { uri: `cairn:policies/${decision.decision.bundle}`, digest: { sha256: decision.decision.bundle.slice("sha256:".length) } },
      inputAttestations: cited.map(({ evidence }) => ({
        uri: `cairn:evidence/${evidence.digest}`,
        digest: { sha256: evidence.digest.slice("sha256:".length) },
      })),
      verificationResult: decision.decision.outcome === "deny" ? "FAILED" : "PASSED",
      verifiedLevels: [isolated ? "SLSA_BUILD_LEVEL_2" : "SLSA_BUILD_LEVEL_1"],
      decision: release.decision,
      plan: release.plan,
      release: release.id,
      state: release.state,
    }),
    running: statement("https://cairn.dev/observation/v1", runningOf(release.revision, observed, now)),
  };
}

/** What was deleted since is no reason to show nothing. */
async function commitOf(forge: ExportParts["forge"], repository: string | undefined, commit: string): Promise<string | null> {
  try {
    return repository === undefined ? null : (await forge.commitObject(repository, commit)).toString("base64");
  } catch (error) {
    if (isFault(error) && error.kind === "not_found") return null;
    throw error;
  }
}

/** What the runtime says of a revision now: it hashed what it unpacked, and counts what of it serves. */
function runningOf(revision: string, observed: Observation | undefined, now: Date): Record<string, unknown> {
  const reading = observed?.readings.find((one) => one.revision === revision);
  return {
    at: observed?.at ?? now,
    url: observed?.url ?? null,
    revision,
    artifactDigest: reading?.artifactDigest ?? null,
    weightPercent: reading?.weightPercent ?? 0,
    health: reading?.health ?? "stopped",
    findings: (observed?.findings ?? []).filter((finding) => finding.revision === revision).map(({ kind, detail }) => `${kind}: ${detail}`),
  };
}

export const exportRoutes =
  (parts: ExportParts): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/releases/:id/evidence",
      {
        schema: {
          operationId: "exportEvidence",
          tags: ["releases"],
          summary: "All that shows how a release came about, from commit to running bytes, to be checked elsewhere",
          params: z.object({ id: z.string() }),
          response: { 200: EvidenceBundle },
        },
      },
      async (request) => {
        const { service } = await findRelease(parts.db, request.params.id);
        await request.can("read", { name: service });
        return exportEvidence(parts, request.params.id);
      },
    );
  };
