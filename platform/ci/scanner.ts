import { access, constants, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { Sarif } from "./sarif.ts";
import { componentsOf, type CycloneDx } from "./sbom.ts";
import { run } from "../kernel/processes.ts";

interface Look {
  sbom: string;
  out: string;
  /** It lists no component: what is made of nothing else has no vulnerable parts, which is no failure to find any. */
  isEmpty: boolean;
  env: NodeJS.ProcessEnv;
}

/** A vulnerability scanner that reads a CycloneDX file and writes SARIF; `quiet` are exit statuses that are no failure. */
interface Scanner {
  program: string;
  args(look: Look): string[];
  quiet: readonly number[];
}

/** The first that is there is used. Sources: osv-scanner 1 and 2 ("Output formats", "Return codes", "Offline mode"), trivy sbom, grype. */
const SCANNERS: readonly Scanner[] = [
  {
    program: "osv-scanner",
    args: ({ sbom, out, isEmpty, env }) => [
      "--format",
      "sarif",
      "--output",
      out,
      `--sbom=${sbom}`,
      ...(isEmpty ? ["--allow-no-lockfiles"] : []),
      // Whoever keeps its databases on the machine has it ask nobody. It has no variable of its own for that.
      ...(env.OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY ? ["--offline-vulnerabilities"] : []),
    ],
    quiet: [0, 1],
  },
  { program: "trivy", args: ({ sbom, out }) => ["sbom", "--quiet", "--format", "sarif", "--output", out, sbom], quiet: [0] },
  // Not --quiet: it would not say why it failed.
  { program: "grype", args: ({ sbom, out }) => [`sbom:${sbom}`, "--output", `sarif=${out}`], quiet: [0] },
];

const LIMIT_SECONDS = 300;
const MAX_BYTES = 8 * 1024 * 1024;

/** A scan, or why there is none: then nothing is known. */
export type Scanned = { sarif: Sarif } | { because: string };

/**
 * Lets a scanner of this machine look through what an artifact is made of. It runs outside the build, in an empty folder, so that nothing of the repository tells it what to leave out.
 * Without a scanner, or where it fails, the answer is why: never that all is well.
 */
export async function scan(sbom: CycloneDx, folder: string, env: NodeJS.ProcessEnv, endedAt: () => Date): Promise<Scanned> {
  const found = await firstOnPath(env.PATH ?? "");
  if (!found) return { because: `there is no ${SCANNERS.map(({ program }) => program).join(", ")} on this machine` };
  const { scanner, path } = found;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const [input, out] = [join(folder, "bom.cdx.json"), join(folder, "scan.sarif")];
    await writeFile(input, JSON.stringify(sbom));
    const look = { sbom: input, out, isEmpty: componentsOf(sbom) === 0, env };
    const ended = await run(path, scanner.args(look), {
      cwd: folder,
      env: { ...env, NO_COLOR: "1" },
      timeoutSeconds: LIMIT_SECONDS,
      maxBytes: 64 * 1024,
    });
    if (ended.timedOut) return { because: `${scanner.program} did not end within ${LIMIT_SECONDS} s` };
    if (ended.code === null || !scanner.quiet.includes(ended.code))
      return { because: `${scanner.program} failed: ${lastLine(ended.stderr) || `status ${ended.code}`}` };
    const text = await readFile(out);
    if (text.length > MAX_BYTES) return { because: `${scanner.program} found more than ${MAX_BYTES} bytes to say` };
    const sarif = Sarif.parse(JSON.parse(text.toString("utf8")));
    return { sarif: dated(sarif, endedAt()) };
  } catch (error) {
    return { because: `what ${scanner.program} wrote can't be read: ${(error as Error).message.split("\n")[0]}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Its last words, without what colours them. */
const lastLine = (stderr: Buffer): string => stripVTControlCharacters(stderr.toString()).trim().split("\n").at(-1) ?? "";

/** Every run says when it ended: the age of a scan counts from there. */
const dated = (sarif: Sarif, at: Date): Sarif => ({
  ...sarif,
  runs: sarif.runs.map((run) => ({
    ...run,
    invocations: (run.invocations?.length ? run.invocations : [{ executionSuccessful: true }]).map((one) => ({
      ...one,
      endTimeUtc: one.endTimeUtc ?? at.toISOString(),
    })),
  })),
});

async function firstOnPath(path: string): Promise<{ scanner: Scanner; path: string } | undefined> {
  for (const scanner of SCANNERS)
    for (const folder of path.split(delimiter).filter((one) => one.startsWith("/"))) {
      const file = join(folder, scanner.program);
      if (await access(file, constants.X_OK).then(() => true, () => false)) return { scanner, path: file }; // prettier-ignore
    }
  return undefined;
}
