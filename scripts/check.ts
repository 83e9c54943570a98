import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name: string) => join(root, "node_modules", ".bin", name);

/** What `npm run check` demands, cheapest to mend first. Each runs to its end, so that one look shows everything. */
const CHECKS: [string, string, string[]][] = [
  ["types", bin("tsc"), ["-p", "."]],
  ["types of the portal", bin("tsc"), ["-p", "portal"]],
  ["lint", bin("oxlint"), ["--deny-warnings"]],
  ["format", bin("oxfmt"), ["--check"]],
  ["import order", bin("node"), ["scripts/check-map.ts"]],
  ["API document", bin("node"), ["scripts/generate-api.ts", "--check"]],
  ["reference", bin("node"), ["scripts/generate-reference.ts", "--check"]],
  ["dead code", bin("knip"), ["--no-progress"]],
];

const outcomes = await Promise.all(CHECKS.map(([what, program, args]) => check(what, program, args)));
process.exitCode = outcomes.every(Boolean) ? 0 : 1;

function check(what: string, program: string, args: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env: { ...process.env, FORCE_COLOR: "0" } });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.once("error", (error) => (output += String(error)));
    child.once("close", (code) => {
      console.log(`${code === 0 ? "ok    " : "FAILED"} ${what}${code === 0 ? "" : `\n${output}`}`);
      resolve(code === 0);
    });
  });
}
