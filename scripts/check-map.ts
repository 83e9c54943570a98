import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The subjects of platform/ in the order of the path: a subject imports only from those before it. */
const ORDER = [
  "kernel", "ledger", "orchestrator", "identity", "plans", "notifications", "catalog", "golden-paths", "forge", "ci", "evidence", "secrets", "infra", "policy",
  "runtime", "observability", "releases", "incidents", "scorecards", "workflows", "server",
]; // prettier-ignore
const WHOLE = new Set(["kernel", "ledger"]);
const COMPOSERS = new Set(["workflows", "server"]);
/** Files of a subject that hold its state or its surface: nobody but the composers may import them. */
const PRIVATE = /(^|\/)(store|routes|migrations)\.ts$/;
/** What each package may import of others. */
const PACKAGES: Record<string, (to: string) => boolean> = {
  platform: (to) =>
    to.startsWith("platform/") || to === "cel/index.ts" || (to.startsWith("agent/") && /agent\/(client|model)\.ts$/.test(to)),
  agent: (to) =>
    to.startsWith("agent/") || /^platform\/(kernel|secrets)\//.test(to) || /^platform\/runtime\/(contract|admission)\.ts$/.test(to),
  cel: (to) => to.startsWith("cel/"),
  api: (to) => to.startsWith("api/"),
  portal: (to) => to.startsWith("portal/") || to.startsWith("api/"),
  cli: (to) => /^(cli|api)\//.test(to) || to === "platform/offline.ts" || to === "platform/host.ts" || to.startsWith("platform/kernel/"),
};

/** Every import that goes against the map, one line each. */
export function breaches(from: string, to: string): string | undefined {
  const [fromPackage, fromSubject] = from.split("/") as [string, string];
  const [toPackage, toSubject] = to.split("/") as [string, string];
  const allowed = PACKAGES[fromPackage];
  if (allowed && !allowed(to)) return `${from} imports ${to}: ${fromPackage}/ may not import that`;
  if (fromPackage !== "platform" || toPackage !== "platform") return undefined;
  if (
    fromSubject === toSubject ||
    fromSubject === "testing" ||
    fromSubject.endsWith(".ts") ||
    fromSubject === "offline" ||
    fromSubject === "host"
  )
    return undefined;
  if (toSubject === "testing") return `${from} imports ${to}: only tests may import testing/`;
  const [fromPlace, toPlace] = [ORDER.indexOf(fromSubject), ORDER.indexOf(toSubject)];
  if (toPlace === -1) return `${from} imports ${to}, which is not on the map`;
  if (toPlace > fromPlace) return `${from} imports ${to}: imports run ${ORDER[toPlace]} <- ${ORDER[fromPlace]}, not the other way`;
  if (!WHOLE.has(toSubject) && !COMPOSERS.has(fromSubject) && PRIVATE.test(to))
    return `${from} imports ${to}: another subject's store and routes are its own`;
  return undefined;
}

/** The paths (from the root) that a source text imports from inside the repository. */
export function importsOf(path: string, text: string): string[] {
  const specifiers = [...text.matchAll(/^\s*(?:import|export)\b[^;]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? "",
  );
  return specifiers.flatMap((specifier) => {
    if (specifier.startsWith(".")) return [normalize(join(dirname(path), specifier))];
    const own = /^@cairn\/([a-z]+)(?:\/(.*))?$/.exec(specifier);
    return own ? [`${own[1]}/${own[2] ?? "index.ts"}`] : [];
  });
}

async function main(): Promise<void> {
  const files: string[] = [];
  for (const name of Object.keys(PACKAGES))
    for (const entry of await readdir(join(root, name), { recursive: true, withFileTypes: true })) {
      const path = relative(root, join(entry.parentPath, entry.name));
      if (
        entry.isFile() &&
        /\.tsx?$/.test(path) &&
        !/node_modules|dist\/|\.test\.ts$|contract-suite|rehearse|\/testing\/|\/simulation\/|fixture/.test(path)
      )
        files.push(path);
    }
  const found: string[] = [];
  let imports = 0;
  for (const path of files)
    for (const to of importsOf(path, await readFile(join(root, path), "utf8"))) {
      imports++;
      const breach = breaches(path, to === "api/index.ts" ? "api/client.ts" : to);
      if (breach) found.push(breach);
    }
  // A check that read nothing has checked nothing.
  if (files.length < 60 || imports < 150)
    found.push(`only ${files.length} files with ${imports} imports were read: the check itself is broken`);
  for (const line of found) console.error(line);
  console.log(`${files.length} files, ${imports} imports, ${found.length} against the map`);
  process.exitCode = found.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
