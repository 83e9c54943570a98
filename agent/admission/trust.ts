import { createPublicKey, type KeyObject } from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { places } from "@cairn/platform/kernel/config.ts";
import { agentPlaces } from "../places.ts";

/**
 * The platform's public key, as this agent knows it: taken from keys/admission.pub the first time it is needed, then kept in the agent's own folder and never
 * taken from there again. Whoever lays another key there gains nothing. Undefined as long as the platform has not made one.
 */
export function trustedKey(home: string): () => KeyObject | undefined {
  const kept = agentPlaces(home).trustedKey;
  const offered = join(places(home).keys, "admission.pub");
  let key: KeyObject | undefined;
  return () => (key ??= read(kept) ?? take(offered, kept));
}

function take(offered: string, kept: string): KeyObject | undefined {
  const found = read(offered);
  if (!found) return undefined;
  const draft = `${kept}.new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, found.export({ type: "spki", format: "pem" }), { mode: 0o600, flush: true });
  linkSync(draft, kept);
  rmSync(draft);
  return found;
}

function read(path: string): KeyObject | undefined {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return createPublicKey(pem);
}
