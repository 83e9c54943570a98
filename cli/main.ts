import { CommanderError } from "commander";
import { exitCodeOf, explain, problemOf } from "./failures.ts";
import { cairnProgram } from "./program.ts";

// `cairn services | head -1`: whoever reads has had enough, which is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

const program = cairnProgram();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(program.opts<{ output: string }>().output === "json" ? JSON.stringify(problemOf(error)) : explain(error));
    process.exitCode = exitCodeOf(error);
  }
}
