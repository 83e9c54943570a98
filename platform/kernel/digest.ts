import { createHash } from "node:crypto";

/** A content address: `sha256:` and 64 hex digits. */
export type Digest = `sha256:${string}`;

/** The sha-256 of bytes or UTF-8 text. */
export const sha256 = (content: string | Uint8Array): Digest => `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** The digest of a JSON value: of its canonical text, so that equal values have equal digests. */
export const digestOf = (value: unknown): Digest => sha256(canonicalJson(value));

/**
 * JSON with keys sorted by UTF-16 code units, no white space, and ECMAScript number and string forms (RFC 8785).
 * Members that are undefined are left out, as JSON.stringify does; a number that JSON can't hold throws a TypeError.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`JSON can't hold ${value}`);
    return JSON.stringify(value);
  }
  if (value instanceof Date) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item === undefined ? null : item)).join(",")}]`;
  if (typeof value === "object") {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(",")}}`;
  }
  throw new TypeError(`JSON can't hold a ${typeof value}`);
}
