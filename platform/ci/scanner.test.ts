import { accessSync, constants } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { readSarif, Sarif } from "./sarif.ts";
import type { CycloneDx } from "./sbom.ts";
import { scan } from "./scanner.ts";

const NOW = new Date("2026-03-01T12:00:00.000Z");
const SBOM: CycloneDx = { bomFormat: "CycloneDX", specVersion: "1.6", components: [{ type: "library", name: "left" }] };

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

test("scan() tells osv-scanner that nothing in it is no failure, and that it asks nobody where its databases are on the machine", async () => {
  const { folder, env } = await aProgram("osv-scanner", `echo "$@" >&2; exit 127`);
  const said = async (sbom: CycloneDx, more: NodeJS.ProcessEnv = {}) => {
    const scanned = await scan(sbom, join(folder, "work"), { ...env, ...more }, () => NOW);
    return "because" in scanned ? scanned.because : "";
  };
  expect(await said(SBOM)).toMatch(/^osv-scanner failed: --format sarif --output \S+ --sbom=\S+bom\.cdx\.json$/);
  expect(await said({ ...SBOM, components: [] })).toMatch(/ --allow-no-lockfiles$/);
  expect(await said(SBOM, { OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY: "/var/lib/osv" })).toMatch(/ --offline-vulnerabilities$/);
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

/** Where a real one is installed, it is asked too: a release changes its flags and its words now and then. */
const installed = (program: string): string | undefined =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

/** A home and a PATH with one real scanner, and no other. */
async function aReal(path: string) {
  const folder = await mkdtemp(join(tmpdir(), "cairn-scanner-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "bin"));
  await symlink(path, join(folder, "bin", path.slice(dirname(path).length + 1)));
  return { folder, env: { HOME: folder, PATH: `${join(folder, "bin")}:/usr/bin:/bin` } };
}

const npm = (name: string, version: string) => ({ type: "library", name, version, purl: `pkg:npm/${name}@${version}` });

const osv = installed("osv-scanner");
test.skipIf(!osv)(
  "scan() by the real osv-scanner (where it is installed) finds what its database knows, and without one knows nothing",
  async () => {
    const { folder, env } = await aReal(osv!);
    const databases = join(folder, "databases");
    const local = { ...env, OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY: databases };
    const found = async (...components: NonNullable<CycloneDx["components"]>) => {
      const scanned = await scan({ ...SBOM, components }, join(folder, "work"), local, () => NOW);
      return "sarif" in scanned ? readSarif(scanned.sarif) : scanned;
    };
    expect(await found(npm("left", "1.0.0"))).toEqual({ because: expect.stringMatching(/^osv-scanner failed: .*database/) });
    await mkdir(join(databases, "osv-scanner", "npm"), { recursive: true });
    await writeFile(join(databases, "osv-scanner", "npm", "all.zip"), zipped("GHSA-2222-3333-4444.json", JSON.stringify(ADVISORY)));
    expect(await found(npm("left", "1.0.0"), npm("right", "1.0.0"))).toMatchObject({
      result: "failed",
      summary: { scanner: "osv-scanner", findings: 1, critical: 1 },
      endedAt: NOW,
    });
    expect(await found(npm("left", "1.0.1"), npm("right", "1.0.0"))).toMatchObject({ result: "passed", summary: { findings: 0 } });
    expect(await found()).toMatchObject({ result: "passed", summary: { findings: 0 } });
  },
);

const grype = installed("grype");
test.skipIf(!grype)("scan() by the real grype (where it is installed) without a database knows nothing, and says why", async () => {
  const { folder, env } = await aReal(grype!);
  const alone = { ...env, GRYPE_DB_AUTO_UPDATE: "false", GRYPE_CHECK_FOR_APP_UPDATE: "false" };
  expect(await scan({ ...SBOM, components: [npm("left", "1.0.0")] }, join(folder, "work"), alone, () => NOW)).toEqual({
    because: expect.stringMatching(/^grype failed: .*vulnerability db: database does not exist/),
  });
});

const ADVISORY = {
  schema_version: "1.4.0",
  id: "GHSA-2222-3333-4444",
  modified: "2026-01-01T00:00:00Z",
  summary: "Whoever asks gets everything",
  severity: [{ type: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }],
  affected: [
    {
      package: { ecosystem: "npm", name: "left", purl: "pkg:npm/left" },
      ranges: [{ type: "SEMVER", events: [{ introduced: "0" }, { fixed: "1.0.1" }] }],
    },
  ],
};

/** A ZIP file with one entry, stored as it is. Source: PKWARE, APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16. */
function zipped(name: string, text: string): Buffer {
  const [path, content] = [Buffer.from(name), Buffer.from(text)];
  const about = Buffer.alloc(26);
  about.writeUInt16LE(20, 0);
  about.writeUInt32LE(crc32(content), 10);
  about.writeUInt32LE(content.length, 14);
  about.writeUInt32LE(content.length, 18);
  about.writeUInt16LE(path.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), about, path, content]);
  const central = Buffer.concat([Buffer.from("PK\x01\x02"), Buffer.from([20, 0]), about, Buffer.alloc(14), path]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, central, Buffer.from("PK\x05\x06"), end]);
}
