import type { KeyObject } from "node:crypto";
import { openEnvelope } from "../evidence/dsse.ts";
import type { Envelope } from "../evidence/model.ts";
import { digestOf, type Digest } from "../kernel/digest.ts";

export type { Envelope };

/** Of the envelopes below: a signature over one kind of statement can't be taken for one over another. */
export const ADMISSION = "application/vnd.cairn.admission.v1+json";
export const QUARANTINE_LIFT = "application/vnd.cairn.quarantine-lift.v1+json";

/** What the platform says of one revision: that a decision let exactly these bytes with exactly this configuration run there. */
export interface Admission {
  target: { service: string; environment: string };
  /** The revision's id, and the digest that it is made of. */
  revision: string;
  configuration: string;
  artifact: string;
  release: string;
  decision: { id: string; outcome: "allow" | "warn" };
  issuedAt: string;
}

/** What the platform says when a digest may start again. */
export interface QuarantineLift {
  artifact: string;
  because: string;
  by: string;
  issuedAt: string;
}

/** What a revision runs, without where and for which release. */
export interface Configuration {
  artifact: { digest: string };
  start: string;
  manifests: readonly Record<string, unknown>[];
}

export const configurationDigest = ({ artifact, start, manifests }: Configuration): Digest =>
  digestOf({ artifact: artifact.digest, start, manifests });

/** The id of a revision: 12 hex digits of its configuration's digest. */
export const revisionId = (configuration: Digest): string => configuration.slice("sha256:".length, "sha256:".length + 12);

/** Signs a statement in the name of the platform. */
export type SignAdmission = (payloadType: string, statement: Admission | QuarantineLift) => Envelope;

export interface Admitted {
  target: { service: string; environment: string };
  id: string;
  artifact: { digest: string };
  start: string;
  manifests: readonly Record<string, unknown>[];
  release: string;
}

/** The admission of a revision under a decision that let it go on. */
export const admissionOf = (
  { target, id, release, ...configuration }: Admitted,
  decision: Admission["decision"],
  issuedAt: Date,
): Admission => ({
  target: { service: target.service, environment: target.environment },
  revision: id,
  configuration: configurationDigest(configuration),
  artifact: configuration.artifact.digest,
  release,
  decision,
  issuedAt: issuedAt.toISOString(),
});

/** Why an envelope does not admit this revision; its admission where it does. Nothing that the request says is believed: the id is made anew from what is to run. Pure. */
export function readAdmission(envelope: unknown, revision: Admitted, publicKey: KeyObject): { admission: Admission } | { because: string } {
  if (envelope === undefined || envelope === null) return { because: "it bears no admission" };
  const opened = open<Admission>(envelope, ADMISSION, publicKey);
  if ("because" in opened) return opened;
  const admission = opened.statement;
  const { decision, target } = admission;
  if (decision?.outcome !== "allow" && decision?.outcome !== "warn")
    return { because: `the decision ${String(decision?.id)} did not let it go on` };
  const configuration = configurationDigest(revision);
  const wanted = {
    target: `${revision.target.service} in ${revision.target.environment}`,
    artifact: revision.artifact.digest,
    configuration,
    revision: revision.id,
    release: revision.release,
  };
  const found = { ...admission, target: `${target?.service} in ${target?.environment}` };
  for (const [what, value] of Object.entries(wanted) as [keyof typeof wanted, string][])
    if (found[what] !== value) return { because: `its admission is for the ${what} ${String(found[what])}, and this is ${value}` };
  const id = revisionId(configuration);
  if (revision.id !== id) return { because: `its id ${revision.id} is not that of its configuration, ${id}` };
  if (Number.isNaN(Date.parse(admission.issuedAt))) return { because: "its admission does not say when it was issued" };
  return { admission };
}

/** What a lift says; why it is none where it isn't signed by the platform. Pure. */
export function readLift(envelope: unknown, publicKey: KeyObject): { lift: QuarantineLift } | { because: string } {
  const opened = open<QuarantineLift>(envelope, QUARANTINE_LIFT, publicKey);
  return "because" in opened ? opened : { lift: opened.statement };
}

function open<T>(envelope: unknown, payloadType: string, publicKey: KeyObject): { statement: T } | { because: string } {
  if (!isEnvelope(envelope)) return { because: "what it bears is not a DSSE envelope" };
  if (envelope.payloadType !== payloadType)
    return { because: `its envelope holds ${JSON.stringify(envelope.payloadType)}, not ${payloadType}` };
  const opened = openEnvelope(envelope, [{ publicKey }]);
  if (!opened) return { because: "it is not signed by this platform's key" };
  return { statement: JSON.parse(opened.body.toString("utf8")) as T };
}

function isEnvelope(value: unknown): value is Envelope {
  const envelope = value as Envelope | undefined;
  return (
    typeof envelope?.payloadType === "string" &&
    typeof envelope.payload === "string" &&
    Array.isArray(envelope.signatures) &&
    envelope.signatures.every((one) => typeof one?.sig === "string")
  );
}
