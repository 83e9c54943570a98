import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import { tell, wantsJson } from "../answer.ts";
import { dim, status } from "../print.ts";
import type { BuildEvent } from "@cairn/platform/offline.ts";

const offline = () => import("@cairn/platform/offline.ts");

/** What needs no server: the same code as the platform's own runner. */
export function ciCommands(program: Command): void {
  program
    .command("ci")
    .description("build, test and pack what cairn.yaml declares, as the platform's CI does")
    .option("--out <folder>", "where artifact, reports and result go", ".cairn-ci")
    .argument("[folder]", "the checkout", ".")
    .action(async (folder: string, options: { out: string }, command: Command) => {
      const { cairnCi } = await offline();
      const out = resolve(options.out);
      await mkdir(out, { recursive: true });
      // Commands of a build have process groups of their own: a Ctrl-C reaches them only through here.
      const interrupted = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => interrupted.abort());
      const result = await cairnCi({
        folder: resolve(folder),
        out,
        onEvent: (event) => {
          if (wantsJson(command)) console.error(JSON.stringify(event));
          else if (event.type !== "ended") console.error(eventText(event));
        },
        signal: interrupted.signal,
      });
      tell(command, result, (ended) => `${status(ended.state)}  ${ended.because ?? ""}`);
      if (result.state !== "passed") process.exitCode = 1;
    });
  program
    .command("check")
    .description("check descriptor, intent, contract and objectives of a checkout, without a server")
    .argument("[folder]", "the checkout", ".")
    .action(async (folder: string, _options, command: Command) => {
      const { cairnCheck } = await offline();
      const result = await cairnCheck(resolve(folder));
      tell(command, result, ({ problems }) =>
        problems.length === 0
          ? `${status("passed")}  everything holds`
          : problems.map((problem) => `${status("failed")}  ${problem}`).join("\n"),
      );
      if (result.problems.length > 0) process.exitCode = 1;
    });
}

const eventText = (event: Exclude<BuildEvent, { type: "ended" }>): string =>
  event.type === "line" ? `${dim(event.stage)}  ${event.text}` : `${status(event.stage.state)}  ${event.stage.name}`;
