import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/**
 * `npm run test:crash [-- --only WORKFLOW/STEP] [--victims server,agent,postgres] [--seed N]`: kill -9 in every step of every workflow (`--only workflows`), the database away for a
 * minute (`--only "database away"`), and the demo killed in each of its stages (`--only demo`).
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { only: { type: "string" }, victims: { type: "string" }, seed: { type: "string" } } });
const env = {
  ...process.env,
  ...(values.only !== undefined && values.only !== "workflows" && { CAIRN_CRASH_ONLY: values.only }),
  ...(values.victims !== undefined && { CAIRN_CRASH_VICTIMS: values.victims }),
  ...(values.seed !== undefined && { CAIRN_CRASH_SEED: values.seed }),
};
// Each walk is a file of e2e/ and has its name; any other is of the walk through the workflows.
const walks = (await readdir(join(root, "e2e"))).filter((name) => name.endsWith(".walk.ts"));
const own = walks.find((name) => name === `${values.only?.replaceAll(" ", "-")}.walk.ts`);
const files = values.only === undefined ? [] : [`e2e/${own ?? "crash.walk.ts"}`];
const options = ["--project", "crash", "--disable-console-intercept", "--no-file-parallelism"];
const command = [join(root, "node_modules/vitest/vitest.mjs"), "run", ...options, ...files];
spawn(process.execPath, command, { cwd: root, env, stdio: "inherit" }).once("close", (code) => (process.exitCode = code ?? 1));
