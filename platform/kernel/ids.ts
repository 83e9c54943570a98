import { randomBytes } from "node:crypto";
import type { Clock } from "./clock.ts";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * A new identifier such as `rel_01k9x…`: the kind, then a ULID in lower case (48 bits of time, 80 random bits), so that ids sort by birth.
 * Source: the ULID specification.
 */
export function newId(kind: string, clock: Clock): string {
  let bits = (BigInt(clock.now().getTime()) << 80n) | BigInt(`0x${randomBytes(10).toString("hex")}`);
  let text = "";
  for (let digit = 0; digit < 26; digit++) {
    text = ALPHABET[Number(bits & 31n)] + text;
    bits >>= 5n;
  }
  return `${kind}_${text}`;
}

/** An unguessable secret of 256 bits, in base64url: for tokens and links. Keep only its digest. */
export const newSecret = (): string => randomBytes(32).toString("base64url");
