import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";

const ITERATIONS = 4096;

/**
 * What PostgreSQL keeps instead of a password: so the password itself stands in no statement, log or statistics view. For ASCII passwords.
 * Source: RFC 5803 and PostgreSQL's "Password Authentication" (SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>).
 */
export async function scramVerifier(password: string, salt: Buffer = randomBytes(16)): Promise<string> {
  const salted = await promisify(pbkdf2)(password, salt, ITERATIONS, 32, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${storedKey}:${hmac(salted, "Server Key").toString("base64")}`;
}

const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
