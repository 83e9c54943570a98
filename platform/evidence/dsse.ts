import { createHash, createPublicKey, sign as signBytes, verify as verifyBytes, type KeyObject } from "node:crypto";
import { Envelope } from "./model.ts";

export const IN_TOTO = "application/vnd.in-toto+json";

/** What is signed: the type and the body with their lengths in bytes. Source: DSSE v1, protocol.md, "PAE". */
export function pae(payloadType: string, body: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, "utf8");
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${body.length} `), body]);
}

/** The id of a public key: sha-256 over its SubjectPublicKeyInfo (DER), in hex. */
export const keyIdOf = (key: KeyObject): string =>
  createHash("sha256")
    .update((key.type === "private" ? createPublicKey(key) : key).export({ type: "spki", format: "der" }))
    .digest("hex");

/** Signs bytes with an Ed25519 private key. */
export const signEnvelope = (payloadType: string, body: Uint8Array, privateKey: KeyObject): Envelope => ({
  payloadType,
  payload: Buffer.from(body).toString("base64"),
  signatures: [{ keyid: keyIdOf(privateKey), sig: signBytes(null, pae(payloadType, body), privateKey).toString("base64") }],
});

/** The body and the first of the keys that signed it; undefined when none did. The key id in the envelope is a hint and not believed. */
export function openEnvelope<K extends { publicKey: KeyObject }>(
  envelope: Envelope,
  keys: readonly K[],
): { body: Buffer; key: K } | undefined {
  const body = fromBase64(envelope.payload);
  if (!body) return undefined;
  const signed = pae(envelope.payloadType, body);
  for (const signature of envelope.signatures) {
    const sig = fromBase64(signature.sig);
    const key = sig && keys.find((one) => isSignedBy(one.publicKey, signed, sig));
    if (key) return { body, key };
  }
  return undefined;
}

/** The in-toto statement in an envelope that this key signed; undefined for anything else. */
export function statementIn(given: unknown, key: { publicKey: KeyObject }): unknown {
  const envelope = Envelope.safeParse(given);
  const opened = envelope.success && envelope.data.payloadType === IN_TOTO ? openEnvelope(envelope.data, [key]) : undefined;
  try {
    return opened && (JSON.parse(opened.body.toString("utf8")) as unknown);
  } catch {
    return undefined;
  }
}

/** Ed25519, or ECDSA with SHA-256 in either of the encodings that signers use. */
const isSignedBy = (publicKey: KeyObject, signed: Buffer, sig: Buffer): boolean =>
  publicKey.asymmetricKeyType === "ec"
    ? verifyBytes("sha256", signed, { key: publicKey, dsaEncoding: sig.length === 64 ? "ieee-p1363" : "der" }, sig)
    : verifyBytes(null, signed, publicKey, sig);

/** Standard or URL-safe base64, as DSSE allows; undefined for anything else, so that one text has one meaning. */
function fromBase64(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) && !/^[A-Za-z0-9_-]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64");
}
