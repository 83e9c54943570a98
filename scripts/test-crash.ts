import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** `npm run test:crash [-- --only WORKFLOW/STEP] [--victims server,agent,postgres] [--seed N]`: kill -9 in every step of every workflow. */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { only: { type: "string" }, victims: { type: "string" }, seed: { type: "string" } } });
const env = {
  ...process.env,
  ...(values.only !== undefined && { CAIRN_CRASH_ONLY: values.only }),
  ...(values.victims !== undefined && { CAIRN_CRASH_VICTIMS: values.victims }),
  ...(values.seed !== undefined && { CAIRN_CRASH_SEED: values.seed }),
};
const command = [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", "crash", "--disable-console-intercept"];
spawn(process.execPath, command, { cwd: root, env, stdio: "inherit" }).once("close", (code) => (process.exitCode = code ?? 1));
