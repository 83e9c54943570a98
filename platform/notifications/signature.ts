import { createHmac, randomBytes } from "node:crypto";

/** A new signing secret: `whsec_` and 256 bits in base64. Source: standard-webhooks specification, "Signature scheme". */
export const newSigningSecret = (): string => `whsec_${randomBytes(32).toString("base64")}`;

/** Headers of one attempt: the signature is over id, time and body, by HMAC-SHA256. Source: standard-webhooks specification, "Signing". */
export function signedHeaders(secret: string, message: { id: string; body: string }, now: Date): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signature = createHmac("sha256", key).update(`${message.id}.${timestamp}.${message.body}`).digest("base64");
  return { "webhook-id": message.id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}
