import { join } from "node:path";
import type { Command } from "commander";
import { answer } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell } from "../answer.ts";
import { git, gitText, lastOf } from "../import/git.ts";
import { session } from "../session.ts";

/** Git signed in as this terminal is: no token is typed, pasted or kept in a clone. */
export function gitCommands(program: Command): void {
  program
    .command("clone <service> [folder]")
    .description("clone a service's repository; git signs in there by cairn from then on")
    .action(async (service: string, folder: string | undefined, _options, command: Command) => {
      const { api } = await session(process.env);
      const { cloneUrl } = await answer(api.GET("/api/repositories/{name}", { params: { path: { name: service } } }));
      const into = folder ?? service;
      const cloned = await git([
        "-c",
        "credential.helper=",
        "-c",
        `credential.helper=${helper()}`,
        "clone",
        "--quiet",
        "--",
        cloneUrl,
        into,
      ]);
      if (cloned.code !== 0)
        throw new Fault("failed", "cli.clone", lastOf(cloned.stderr, 3), `Give another folder: cairn clone ${service} FOLDER`);
      // The empty one takes away what the machine's own settings say: git asks each helper in turn, and would offer them all the token to keep.
      await gitText(["-C", into, "config", "--replace-all", "credential.helper", ""]);
      await gitText(["-C", into, "config", "--add", "credential.helper", helper()]);
      tell(command, { folder: into, cloneUrl }, () => `Cloned into ${into}. Push a branch, and git says how to open its change request.`);
    });

  program
    .command("git-credential <operation>", { hidden: true })
    .description("git's credential helper: git config credential.helper '!cairn git-credential'")
    .action(async (operation: string) => {
      if (operation !== "get") return;
      const asked = Object.fromEntries(
        (await input()).split("\n").map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]),
      );
      const { url, token } = await session(process.env);
      const { protocol, host } = new URL(url);
      // Git sends whatever comes back to the server that it asked for: another one's is no business of ours.
      if (asked.host !== host || `${asked.protocol}:` !== protocol) return;
      console.log(`protocol=${asked.protocol}\nhost=${host}\nusername=cairn\npassword=${token}\n`);
    });
}

/** This very command, also where it is not on PATH. */
export const helper = (): string => `!'${join(import.meta.dirname, "..", "..", "cairn").replaceAll("'", String.raw`'\''`)}' git-credential`;

async function input(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) text += String(chunk);
  return text;
}
