import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const filters = process.argv.slice(2);

/** Everything, or with arguments the files whose path holds one of them: `npm test -- catalog`. The whole platform is tested last, one file at a time: each starts a platform of its own. */
const folder = await mkdtemp(join(tmpdir(), "cairn-results-"));
let passed = 0;
let failed = 0;
try {
  await vitest("parts", ["--project", "pure", "--project", "platform", ...filters]);
  await vitest("whole", ["--project", "whole", "--no-file-parallelism", ...filters]);
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
if (passed + failed === 0) console.error(`No test's path holds ${filters.join(" or ")}`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

async function vitest(name: string, args: string[]): Promise<void> {
  const results = join(folder, `${name}.json`);
  const command = [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--passWithNoTests",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${results}`,
    ...args,
  ];
  const code = await new Promise<number | null>((resolve) =>
    spawn(process.execPath, command, { cwd: root, stdio: "inherit" }).once("close", resolve),
  );
  const report = JSON.parse(await readFile(results, "utf8").catch(() => "{}")) as { numPassedTests?: number; numFailedTests?: number };
  passed += report.numPassedTests ?? 0;
  // A run that failed without a failed test (a file that does not load, an error outside a test) has failed all the same.
  failed += report.numFailedTests || (code === 0 ? 0 : 1);
}
