import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What the agent is made of: its own folder, and what it imports of the platform. */
const FOLDERS = ["agent", "platform/kernel", "platform/secrets", "platform/runtime", "platform/evidence"];

/**
 * The digest of the code that an agent runs, or would run if it were started now, with the Node that runs it. Two that differ are two versions, whatever their
 * number says: whoever starts the platform has the running one replaced.
 */
export function codeDigest(): string {
  const hash = createHash("sha256").update(process.version);
  for (const folder of FOLDERS)
    for (const path of filesBelow(join(root, folder)).sort()) hash.update(`${relative(root, path)}\0`).update(readFileSync(path));
  return hash.digest("hex");
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" || entry.name === "testing" ? [] : filesBelow(path);
    return /\.(ts|sh|json)$/.test(entry.name) && !entry.name.endsWith(".test.ts") ? [path] : [];
  });
}
