import { z } from "zod";

/** DSSE envelope: https://github.com/secure-systems-lab/dsse/blob/master/envelope.md */
export const Envelope = z.object({
  payloadType: z.string(),
  payload: z.string(),
  signatures: z.array(z.object({ keyid: z.string(), sig: z.string() })).min(1),
});
export type Envelope = z.infer<typeof Envelope>;

const EvidenceKind = z.enum(["provenance", "test-result", "sbom", "scan"]);

/** Evidence that was verified on the way in, as decisions see it. */
export const Evidence = z.object({
  digest: z.string(),
  kind: EvidenceKind,
  /** Of the artifact that it speaks of. */
  artifactDigest: z.string(),
  signedBy: z.string(),
  builder: z.string(),
  /** Whether the build could not have reached the signing key or the platform's files. */
  isolated: z.boolean(),
  repository: z.string(),
  commit: z.string(),
  /** passed, failed, warned or unknown. */
  result: z.enum(["passed", "failed", "warned", "unknown"]),
  summary: z.record(z.string(), z.unknown()),
  observedAt: z.coerce.date(),
  revokedBecause: z.string().nullable(),
});
export type Evidence = z.infer<typeof Evidence>;

/** What a build made: a tar.gz that lies at `path` on this machine. */
export const Artifact = z.object({
  digest: z.string(),
  sizeBytes: z.number(),
  repository: z.string(),
  commit: z.string(),
  ciRun: z.string(),
  path: z.string(),
  createdAt: z.coerce.date(),
});
export type Artifact = z.infer<typeof Artifact>;
