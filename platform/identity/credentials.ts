import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { newSecret } from "../kernel/ids.ts";

/** How a Cairn token begins, so that people and secret scanners know it. */
export const TOKEN_PREFIX = "cairn_";
export const SESSION_COOKIE = "cairn_session";

export const newToken = (): string => TOKEN_PREFIX + newSecret();

/** What the database keeps of a secret of 256 random bits: enough to recognise it, nothing to use. */
export const hashOfSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** Compares secrets in a time that tells nothing of where, or by how much, they differ. */
export function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** A session's token against forged requests: derived from the session's secret, so that nothing more is kept. */
export const csrfTokenOf = (sessionSecret: string): string =>
  createHmac("sha256", sessionSecret).update("cairn csrf token").digest("base64url");

/** The token of an Authorization header: of Bearer, or of Basic the password (git sends it so), or its user name where the password is empty. */
export function tokenOfHeader(authorization: string): string | undefined {
  const [scheme, rest] = split(authorization.trim(), " ");
  if (scheme.toLowerCase() === "bearer") return rest.trim() || undefined;
  if (scheme.toLowerCase() !== "basic") return undefined;
  const [user, password] = split(Buffer.from(rest.trim(), "base64").toString("utf8"), ":");
  return password || user || undefined;
}

function split(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
