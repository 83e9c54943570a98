import type { Command } from "commander";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import type { Output } from "./print.ts";

/** The one way a command answers: `text` for people, the value itself with `-o json`. */
export function tell<T>(command: Command, value: T, text: (value: T) => string): void {
  const output = command.optsWithGlobals<{ output: Output }>().output;
  console.log(output === "json" ? JSON.stringify(value, null, 2) : text(value));
}

export const wantsJson = (command: Command): boolean => command.optsWithGlobals<{ output: Output }>().output === "json";

/** Asks again until `done`, a little later each time, up to every two seconds. Gives the last answer. */
export async function until<T>(ask: () => Promise<T>, done: (value: T) => boolean, seen?: (value: T) => void): Promise<T> {
  for (let wait = 150; ; wait = Math.min(wait * 1.3, 2000)) {
    const value = await ask();
    seen?.(value);
    if (done(value)) return value;
    await new Promise((wake) => setTimeout(wake, wait));
  }
}

/** `orders/3` or `orders#3` as repository and number. */
export function changeName(text: string): { repository: string; number: number } {
  const match = /^([a-z][a-z0-9-]*)[/#](\d+)$/.exec(text);
  if (!match) throw new Fault("invalid", "cli.change", `${text} is no change request`, "Write REPOSITORY/NUMBER, e.g. orders/1.");
  return { repository: match[1] ?? "", number: Number(match[2]) };
}
