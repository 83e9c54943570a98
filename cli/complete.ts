import type { Argument, Command, Option } from "commander";
import { namesOf } from "./names.ts";

/** What may stand where the last word is being typed; `files` where names of files may, too. */
export interface Candidates {
  values: { value: string; description: string }[];
  files: boolean;
}

/** Arguments and options that are paths. */
const PATHS = new Set(["file", "folder", "path", "export", "envelopes"]);

/**
 * Completes the last of the words behind `cairn`: commands, options, their choices, and the names that the running platform has. What is not there or not
 * known in time is left out without a word: whoever presses Tab wants no message.
 */
export async function complete(program: Command, words: readonly string[], env: NodeJS.ProcessEnv): Promise<Candidates> {
  const current = words.at(-1) ?? "";
  const { command, position, option } = walk(program, words.slice(0, -1));
  const found = option
    ? await valuesOf(option, kindOf(option), env)
    : current.startsWith("-")
      ? { values: optionsOf(command), files: false }
      : await wordsOf(command, position, env);
  return { ...found, values: found.values.filter(({ value }) => value.startsWith(current)) };
}

/** Which command the words so far name, how many of its arguments they give, and the option that the next word is the value of. */
function walk(program: Command, words: readonly string[]): { command: Command; position: number; option?: Option } {
  let command = program;
  let position = 0;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const option = optionNamed(command, word);
    if (option?.required) {
      if (at === words.length - 1) return { command, position, option };
      at++;
    } else if (!word.startsWith("-")) {
      const child = position === 0 ? childNamed(command, word) : undefined;
      if (child) command = child;
      else {
        // `cairn releases orders` is `cairn releases list orders`.
        if (position === 0) command = childNamed(command, "list") ?? command;
        position++;
      }
    }
  }
  return { command, position };
}

async function wordsOf(command: Command, position: number, env: NodeJS.ProcessEnv): Promise<Candidates> {
  const commands = position === 0 ? command.createHelp().visibleCommands(command) : [];
  const values = commands.map((child) => ({ value: child.name(), description: child.description() }));
  const taking = command.commands.length > 0 ? childNamed(command, "list") : command;
  const { registeredArguments: all = [] } = taking ?? {};
  const argument = all[position] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined);
  if (!argument) return { values, files: false };
  const given = await valuesOf(argument, argument.name(), env);
  return { values: [...values, ...given.values], files: given.files };
}

async function valuesOf({ argChoices }: Argument | Option, kind: string, env: NodeJS.ProcessEnv): Promise<Candidates> {
  const values = argChoices ?? (await namesOf(kind, env));
  return { values: values.map((value) => ({ value, description: "" })), files: PATHS.has(kind) };
}

const optionsOf = (command: Command): Candidates["values"] =>
  ancestry(command)
    .flatMap((one) => one.createHelp().visibleOptions(one))
    .flatMap(({ long, description }) => (long ? [{ value: long, description }] : []))
    .filter(({ value }, at, all) => all.findIndex((other) => other.value === value) === at);

const ancestry = (command: Command): Command[] => [command, ...(command.parent ? ancestry(command.parent) : [])];

const optionNamed = (command: Command, word: string): Option | undefined =>
  [...ancestry(command).flatMap(({ options }) => options), ...(childNamed(command, "list")?.options ?? [])].find(
    ({ short, long }) => word === short || word === long,
  );

const childNamed = (command: Command, word: string): Command | undefined =>
  command.commands.find((child) => child.name() === word || child.aliases().includes(word));

/** What the value of an option is: `--service <name...>` is a service, `--to <release>` a release. */
function kindOf({ flags }: Option): string {
  const [, long = "", value = ""] = /--([a-z-]+)\s+[<[]([a-z-]+)/.exec(flags) ?? [];
  return value === "name" || value === "id" ? long : value;
}
