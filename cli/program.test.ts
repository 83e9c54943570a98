import { expect, test } from "vitest";
import { EXAMPLES } from "./examples.ts";
import { cairnProgram, commandsBelow, nameOf } from "./program.ts";

const HIDDEN = new Set(["link", "complete", "git-credential"]);
const leaves = commandsBelow(cairnProgram()).filter((command) => command.commands.length === 0 && !HIDDEN.has(nameOf(command)));

/** The words of a typed line, quotes understood. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replaceAll(/^(["'])(.*)\1$/g, "$2"));

test("every command has an example in its help, and no example is of a command that is not there", () => {
  expect(leaves.length).toBeGreaterThan(70);
  const names = leaves.map(nameOf);
  expect(names.filter((name) => !EXAMPLES[name])).toEqual([]);
  expect(Object.keys(EXAMPLES).filter((name) => !names.includes(name))).toEqual([]);
  for (const command of leaves) {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help, nameOf(command)).toContain(`  ${EXAMPLES[nameOf(command)]?.[0]}`);
  }
});

test.each(Object.entries(EXAMPLES).flatMap(([name, lines]) => lines.map((line) => ({ name, line }))))(
  "the command line takes: $line",
  async ({ name, line }) => {
    const program = cairnProgram();
    const [, typed = ""] = /\bcairn ([^|)]*)/.exec(line.replace(/ {2,}in .*/, "")) ?? [];
    const ran: string[] = [];
    for (const command of commandsBelow(program)) {
      command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
      if (command.commands.length === 0) command.action(() => void ran.push(nameOf(command)));
    }
    await program.parseAsync(wordsOf(typed.trim()), { from: "user" });
    expect(ran).toEqual([name]);
  },
);

test("the overview has every command under a heading, in one line of 80 characters", () => {
  const program = cairnProgram();
  let help = "";
  program.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 80 }).outputHelp();
  const [, overview = ""] = help.split(/(?=^This machine's platform:$)/m);
  expect(overview).not.toMatch(/^(Commands:| {3,}\S)/m);
  const shown = [...overview.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name).filter((name) => name !== "help");
  const names = program.commands.map((command) => command.name());
  expect(shown).toEqual(names.filter((name) => !HIDDEN.has(name)));
  expect(names).toEqual(expect.arrayContaining(["changes", "change", "incidents", "incident"]));
});

test("options mean the same everywhere: a letter stands for one word", () => {
  const meanings = new Map<string, Set<string>>();
  for (const { options } of commandsBelow(cairnProgram()))
    for (const { short, long } of options) if (short) meanings.set(short, (meanings.get(short) ?? new Set()).add(long ?? ""));
  const several = [...meanings].filter(([, words]) => words.size > 1).map(([letter, words]) => [letter, [...words].toSorted()]);
  // Each pair stands on commands that people do not use side by side.
  expect(Object.fromEntries(several)).toEqual({
    "-a": ["--all", "--answer"],
    "-b": ["--because", "--branch"],
    "-f": ["--follow", "--for"],
    "-n": ["--lines", "--name"],
    "-t": ["--team", "--title"],
  });
});
