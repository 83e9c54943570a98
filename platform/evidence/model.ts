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
  /** When its bytes were removed, long after anybody could need them. */
  forgottenAt: z.coerce.date().nullable(),
});
export type Artifact = z.infer<typeof Artifact>;

/** A decision that rests on a piece of evidence. Re-opened: the evidence was revoked after it. */
export const Citation = z.object({ decision: z.string(), citedAt: z.coerce.date(), reopenedAt: z.coerce.date().nullable() });
export type Citation = z.infer<typeof Citation>;

/** A release that serves or is on its way, by a decision that cites the evidence. */
export const CarriedRelease = z.object({
  id: z.string(),
  service: z.string(),
  environment: z.string(),
  state: z.string(),
  decision: z.string(),
});
export type CarriedRelease = z.infer<typeof CarriedRelease>;
