import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { cairnCheck, cairnCi } from "@cairn/platform/offline.ts";
import { tell } from "../answer.ts";
import { status } from "../print.ts";

/** What needs no server: the same code as the platform's own runner. */
export function ciCommands(program: Command): void {
  program
    .command("ci")
    .description("build, test and pack what cairn.yaml declares, as the platform's CI does")
    .option("--out <folder>", "where artifact, reports and result go", ".cairn-ci")
    .argument("[folder]", "the checkout", ".")
    .action(async (folder: string, options: { out: string }, command: Command) => {
      const out = resolve(options.out);
      await mkdir(out, { recursive: true });
      const result = await cairnCi({ folder: resolve(folder), out, onEvent: (event) => console.error(JSON.stringify(event)) });
      tell(command, result, (ended) => `${status(ended.state)}  ${ended.because ?? ""}`);
      if (result.state !== "passed") process.exitCode = 1;
    });
  program
    .command("check")
    .description("check descriptor, intent, contract and objectives of a checkout, without a server")
    .argument("[folder]", "the checkout", ".")
    .action(async (folder: string, _options, command: Command) => {
      const result = await cairnCheck(resolve(folder));
      tell(command, result, ({ problems }) => (problems.length === 0 ? `${status("passed")}  everything holds` : problems.map((problem) => `${status("failed")}  ${problem}`).join("\n")));
      if (result.problems.length > 0) process.exitCode = 1;
    });
}
