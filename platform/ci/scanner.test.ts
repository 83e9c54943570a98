import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readSarif, Sarif } from "./sarif.ts";
import { scan } from "./scanner.ts";

const NOW = new Date("2026-03-01T12:00:00.000Z");
const SBOM = { bomFormat: "CycloneDX", specVersion: "1.6", components: [{ type: "library", name: "left" }] };

/** What trivy, grype and osv-scanner write: a rule for each vulnerability with its score, a result for each place. */
const aSarif = (scores: readonly (string | undefined)[], over: object = {}) => ({
  version: "2.1.0",
  runs: [
    {
      tool: {
        driver: {
          name: "Scanner",
          version: "1.2.3",
          rules: scores.map((score, at) => ({
            id: `CVE-${at}`,
            ...(score !== undefined && { properties: { "security-severity": score } }),
          })),
        },
      },
      results: scores.map((_, at) => ({
        ruleId: `CVE-${at}`,
        message: { text: "found" },
        ...(scores[at] === undefined && { level: "error" }),
      })),
      ...over,
    },
  ],
});

const read = (document: unknown) => readSarif(Sarif.parse(document));

test("readSarif() counts by score: nothing passes, something warns, something critical fails; an error without a score is critical", () => {
  expect(read(aSarif([]))).toMatchObject({
    result: "passed",
    summary: { scanner: "Scanner", version: "1.2.3", findings: 0 },
    endedAt: null,
  });
  expect(read(aSarif(["8.9", "3.1"]))).toMatchObject({ result: "warned", summary: { findings: 2, critical: 0, high: 1 } });
  expect(read(aSarif(["9.0", "3.1"]))).toMatchObject({ result: "failed", summary: { findings: 2, critical: 1 } });
  expect(read(aSarif([undefined]))).toMatchObject({ result: "failed", summary: { critical: 1 } });
});

test("readSarif() of a run that failed or did not look is unknown, and never passes; what it found counts all the same", () => {
  const failed = { invocations: [{ executionSuccessful: false }] };
  expect(read(aSarif([], failed)).result).toBe("unknown");
  expect(read(aSarif([], { results: undefined })).result).toBe("unknown");
  expect(read(aSarif(["9.8"], failed)).result).toBe("failed");
});

/** A folder for PATH with one program in it, which stands for a scanner of that name. */
async function aProgram(name: string, script: string) {
  const folder = await mkdtemp(join(tmpdir(), "cairn-scanner-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "bin"));
  await writeFile(join(folder, "bin", name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, "bin", name), 0o755);
  return { folder, env: { PATH: `${join(folder, "bin")}:/usr/bin:/bin` } };
}

const writes = (document: object) =>
  `for last; do :; done; test -s bom.cdx.json && cat >scan.sarif <<'END'\n${JSON.stringify(document)}\nEND`;

for (const [name, status] of [
  ["osv-scanner", 1],
  ["trivy", 0],
  ["grype", 0],
] as const)
  test(`scan() takes ${name} where it is there, and says when the scan ended`, async () => {
    const { folder, env } = await aProgram(name, `${writes(aSarif(["9.8"]))}\nexit ${status}`);
    const scanned = await scan(SBOM, join(folder, "work"), env, () => NOW);
    expect("sarif" in scanned && readSarif(scanned.sarif)).toMatchObject({ result: "failed", summary: { critical: 1 }, endedAt: NOW });
    expect(await readdir(folder)).toEqual(["bin"]);
  });

test("scan() without a scanner, with one that fails, and with one that writes nonsense knows nothing, and says why", async () => {
  const empty = await aProgram("other", "exit 0");
  const none = { PATH: join(empty.folder, "bin") };
  expect(await scan(SBOM, join(empty.folder, "work"), none, () => NOW)).toEqual({
    because: expect.stringContaining("no osv-scanner, trivy, grype"),
  });
  const failing = await aProgram("trivy", "echo no database >&2; exit 1");
  expect(await scan(SBOM, join(failing.folder, "work"), failing.env, () => NOW)).toEqual({ because: "trivy failed: no database" });
  const silent = await aProgram("trivy", "exit 0");
  expect(await scan(SBOM, join(silent.folder, "work"), silent.env, () => NOW)).toEqual({
    because: expect.stringContaining("can't be read"),
  });
  const odd = await aProgram("grype", "echo '{}' >scan.sarif");
  expect(await scan(SBOM, join(odd.folder, "work"), odd.env, () => NOW)).toEqual({ because: expect.stringContaining("can't be read") });
});
