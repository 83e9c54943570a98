import { Command, Option } from "commander";
import { auditCommands } from "./commands/audit.ts";
import { breakGlassCommands } from "./commands/break-glass.ts";
import { changeCommands } from "./commands/changes.ts";
import { ciCommands } from "./commands/ci.ts";
import { completionCommands } from "./commands/completion.ts";
import { createCommands } from "./commands/create.ts";
import { evidenceCommands } from "./commands/evidence.ts";
import { exportCommands } from "./commands/export.ts";
import { gitCommands } from "./commands/git.ts";
import { hostCommands } from "./commands/host.ts";
import { importCommands } from "./commands/import.ts";
import { inboxCommands } from "./commands/inbox.ts";
import { incidentCommands } from "./commands/incidents.ts";
import { machineCommands } from "./commands/machine.ts";
import { observeCommands } from "./commands/observe.ts";
import { organisationCommands } from "./commands/organisation.ts";
import { policyCommands } from "./commands/policies.ts";
import { quarantineCommands } from "./commands/quarantine.ts";
import { releaseCommands } from "./commands/releases.ts";
import { retryCommands } from "./commands/retry.ts";
import { scoreCommands } from "./commands/scores.ts";
import { secretCommands } from "./commands/secrets.ts";
import { serviceCommands } from "./commands/services.ts";
import { sessionCommands } from "./commands/session.ts";
import { whyCommands } from "./commands/why.ts";
import { windowCommands } from "./commands/windows.ts";
import { EXAMPLES } from "./examples.ts";
import { overview } from "./overview.ts";

/** The whole command line, each command with its examples; nothing runs before it is parsed. */
export function cairnProgram(): Command {
  const program = new Command("cairn")
    .description("From nothing to production, and back when a change is bad.")
    .version("0.1.0")
    .addOption(new Option("-o, --output <format>", "text for people, json for programs").choices(["text", "json"]).default("text"))
    .showHelpAfterError("(cairn --help lists the commands)")
    .addHelpText(
      "after",
      "\nBegin: cairn start, cairn login, cairn org load library/example-organisation, cairn create http-api\nExit codes: 0 done, 1 refused or failed, 2 wrong use, 3 not signed in or not allowed, 4 the platform can't be reached.",
    )
    .exitOverride();
  for (const add of [
    hostCommands,
    sessionCommands,
    gitCommands,
    createCommands,
    importCommands,
    serviceCommands,
    observeCommands,
    changeCommands,
    releaseCommands,
    retryCommands,
    windowCommands,
    quarantineCommands,
    whyCommands,
    breakGlassCommands,
    incidentCommands,
    inboxCommands,
    secretCommands,
    evidenceCommands,
    auditCommands,
    exportCommands,
    organisationCommands,
    ciCommands,
    policyCommands,
    scoreCommands,
    machineCommands,
    completionCommands,
  ])
    add(program);
  overview(program);
  for (const command of commandsBelow(program)) {
    const examples = EXAMPLES[nameOf(command)];
    if (examples)
      command.addHelpText("after", `\n${examples.length > 1 ? "Examples" : "Example"}:\n${examples.map((line) => `  ${line}`).join("\n")}`);
  }
  return program;
}

/** All commands below one, the groups among them too, in the order of the help. */
export const commandsBelow = (command: Command): Command[] => command.commands.flatMap((child) => [child, ...commandsBelow(child)]);

/** `changes show`, as it is typed behind `cairn`. */
export const nameOf = (command: Command): string =>
  command.parent === null ? "" : [nameOf(command.parent), command.name()].filter(Boolean).join(" ");
