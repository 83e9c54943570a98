import type { Command } from "commander";
import { readConfig } from "@cairn/platform/kernel/config.ts";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell } from "../answer.ts";
import { bold, dim, status } from "../print.ts";
import { dropBundles } from "../pulled.ts";
import { forget, httpUrl } from "../session.ts";

const host = () => import("@cairn/platform/host.ts");

/** Cairn as something installed on a machine: is it well, and how to be rid of it. */
export function machineCommands(program: Command): void {
  program
    .command("doctor")
    .description("look at all that the platform stands on here, and say what to do about what is not well")
    .addHelpText("after", "\nChanges nothing. Ends with 1 where something failed, also when the server is down.")
    .action(async (_options, command: Command) => {
      const { examineHost } = await host();
      const findings = await examineHost(readConfig(process.env), () => new Date());
      tell(command, findings, (all) => {
        const width = Math.max(...all.map(({ what }) => what.length));
        return all
          .map(({ what, state, detail, next }) => {
            const line = `${status(state === "well" ? "passed" : state)}  ${what.padEnd(width)}  ${detail}`;
            return next === "" ? line : `${line}\n${" ".repeat(10)}${dim(next)}`;
          })
          .join("\n");
      });
      if (findings.some(({ state }) => state === "failed")) process.exitCode = 1;
    });

  program
    .command("uninstall")
    .description("stop everything and remove all that Cairn keeps on this machine: services, their data, repositories, secrets")
    .option("--yes", "without asking")
    .addHelpText("after", "\nThe checkout itself stays: remove its folder afterwards. What was there can't be brought back.")
    .action(async (options: { yes?: boolean }, command: Command) => {
      const config = readConfig(process.env);
      const { platformStatus, removeTraces, stopPlatform, tracesOf } = await host();
      const found = await tracesOf(config, process.env);
      const { agent } = await platformStatus(config);
      const services = new Set(agent?.targets.map(({ target }) => target.service));
      if (!options.yes) {
        if (!process.stdin.isTTY)
          throw new Fault("invalid", "cli.not_confirmed", "Nobody is here to confirm", "Run it with --yes; nothing was removed.");
        console.error(`${bold("This removes")}\n${found.folders.map((folder) => `  ${folder}`).join("\n")}`);
        if (services.size > 0) console.error(`and ends ${[...services].join(", ")}, with their data.`);
        const { confirm, isCancel } = await import("@clack/prompts");
        const sure = await confirm({ message: "Remove all of it?", initialValue: false });
        if (isCancel(sure) || !sure) throw new Fault("failed", "cli.not_confirmed", "Nothing was removed", "");
      }
      await stopPlatform(config, { all: true });
      const { folders, caches, database } = await tracesOf(config, process.env);
      await removeTraces({ folders, caches, database });
      if (!(await forget(process.env, httpUrl(`http://127.0.0.1:${config.port}`)))) await dropBundles(process.env);
      const removed = { folders, caches: caches.filter(({ inUse }) => !inUse).map(({ folder }) => folder), database: database ?? null };
      tell(command, removed, () =>
        [
          folders.length > 0 ? `Removed ${folders.join(", ")}.` : "Nothing of Cairn was there.",
          `What is left: the checkout, and the command where it was linked (npm rm -g cairn, or remove the link).`,
          ...(database ? [`The database ${database} is yours and stays: drop it where nothing else uses it.`] : []),
        ].join("\n"),
      );
    });
}
