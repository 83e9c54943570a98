import { Command, CommanderError, Option } from "commander";
import { breakGlassCommands } from "./commands/break-glass.ts";
import { auditCommands } from "./commands/audit.ts";
import { changeCommands } from "./commands/changes.ts";
import { ciCommands } from "./commands/ci.ts";
import { completionCommands } from "./commands/completion.ts";
import { createCommands } from "./commands/create.ts";
import { evidenceCommands } from "./commands/evidence.ts";
import { exportCommands } from "./commands/export.ts";
import { hostCommands } from "./commands/host.ts";
import { machineCommands } from "./commands/machine.ts";
import { importCommands } from "./commands/import.ts";
import { inboxCommands } from "./commands/inbox.ts";
import { observeCommands } from "./commands/observe.ts";
import { organisationCommands } from "./commands/organisation.ts";
import { policyCommands } from "./commands/policies.ts";
import { quarantineCommands } from "./commands/quarantine.ts";
import { releaseCommands } from "./commands/releases.ts";
import { secretCommands } from "./commands/secrets.ts";
import { serviceCommands } from "./commands/services.ts";
import { scoreCommands } from "./commands/scores.ts";
import { sessionCommands } from "./commands/session.ts";
import { whyCommands } from "./commands/why.ts";
import { windowCommands } from "./commands/windows.ts";
import { exitCodeOf, explain, problemOf } from "./failures.ts";

// `cairn services | head -1`: whoever reads has had enough, which is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

const program = new Command("cairn")
  .description("From nothing to production, and back when a change is bad.")
  .version("0.1.0")
  .addOption(new Option("-o, --output <format>", "text for people, json for programs").choices(["text", "json"]).default("text"))
  .showHelpAfterError("(cairn --help lists the commands)")
  .configureHelp({ sortSubcommands: false, showGlobalOptions: true })
  .exitOverride();

for (const add of [
  hostCommands,
  sessionCommands,
  createCommands,
  importCommands,
  serviceCommands,
  observeCommands,
  changeCommands,
  releaseCommands,
  windowCommands,
  quarantineCommands,
  whyCommands,
  breakGlassCommands,
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

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(program.opts<{ output: string }>().output === "json" ? JSON.stringify(problemOf(error)) : explain(error));
    process.exitCode = exitCodeOf(error);
  }
}
