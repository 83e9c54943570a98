import type { Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { tell } from "../answer.ts";
import { bold, dim, plain, status } from "../print.ts";
import { session } from "../session.ts";

type Why = Answered<"explain">;

/** Why something is as it is, and who or which command unblocks it. */
export function whyCommands(program: Command): void {
  program
    .command("why <subject>")
    .description("what something waits for or was refused by, and who or which command unblocks it")
    .addHelpText("after", "\nSUBJECT: a release, plan, decision, run, CI run, break-glass, incident, change request (orders/2) or service.")
    .action(async (subject: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/why", { params: { query: { subject } } })), whyText);
    });
}

const SIGN: Record<Why["state"], string> = { waits: "held", under_way: "under way", refused: "refused", failed: "failed", done: "success" };

function whyText({ subject, state, summary, because, unblock, until }: Why): string {
  const word = status(SIGN[state]).replace(/held|under way|refused|failed|success/, state.replace("_", " "));
  return [
    `${bold(plain(subject.title))}  ${word}`,
    plain(`${summary}.`),
    ...(until ? [`It goes on by itself at ${until}.`] : []),
    ...(because.length > 0 ? ["", "Because"] : []),
    ...because.map(({ kind, name, says }) => `  ${plain(says)}  ${dim(`(${kind} ${plain(name)})`)}`),
    ...(unblock.length > 0 ? ["", state === "waits" || state === "under_way" ? "What unblocks it" : "What to do"] : []),
    ...unblock.flatMap(({ who, what, command }) => [`  ${plain(who)}: ${plain(what)}`, ...(command ? [`      ${plain(command)}`] : [])]),
  ].join("\n");
}
