import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";

/** `cairn completion SHELL` prints a script for the shell. Comes last: it looks at the commands that are there. */
export function completionCommands(program: Command): void {
  tab(program, { completionCommandName: "completion" });
  program.commands
    .find((command) => command.name() === "completion")
    ?.description("print a script that completes cairn's commands and options in your shell")
    .addHelpText(
      "after",
      "\nExamples:\n  source <(cairn completion bash)      in ~/.bashrc\n  source <(cairn completion zsh)       in ~/.zshrc",
    );
}
