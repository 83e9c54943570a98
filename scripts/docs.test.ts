import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import { cairnProgram } from "../cli/program.ts";

// The documentation may not name what is not there: pages, commands, options, variables.
const root = resolve(import.meta.dirname, "..");
const SKIP = new Set(["node_modules", ".git", "dist", "skeleton", "common", "test-results"]);

/** Files below a folder whose name ends so, as paths from the root. */
async function filesBelow(folder: string, ending: RegExp): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries.map(async (entry) => {
    if (entry.isDirectory()) return SKIP.has(entry.name) ? [] : filesBelow(join(folder, entry.name), ending);
    return entry.isFile() && ending.test(entry.name) ? [relative(root, join(folder, entry.name))] : [];
  });
  return (await Promise.all(found)).flat();
}

const read = (path: string): Promise<string> => readFile(join(root, path), "utf8");
const pages = await filesBelow(root, /\.md$/);
const texts = new Map(await Promise.all(pages.map(async (path): Promise<[string, string]> => [path, await read(path)])));
/** The pages that people read to use Cairn; READMEs of subjects speak of more than is typed. */
const guides = pages.filter((path) => /^(docs\/|[A-Z]+\.md$)/.test(path));

/** Text outside of code: fenced, indented and in backticks. */
const prose = (text: string): string =>
  text
    .replaceAll(/^```[\s\S]*?^```$/gm, "")
    .replaceAll(/^ {4}.*$/gm, "")
    .replaceAll(/`[^`\n]*`/g, "code");

/** A heading's anchor as forges make it: lower case, punctuation away, spaces to hyphens. */
const anchorOf = (heading: string): string =>
  heading
    .replaceAll("`", "")
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
const anchorsOf = (text: string): string[] => [...text.matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1] ?? ""));

test("there are pages to check", () => {
  expect(guides.length).toBeGreaterThan(25);
});

test("every relative link leads to a file, and every anchor to a heading", async () => {
  const broken: string[] = [];
  for (const [page, text] of texts)
    for (const [, target = ""] of prose(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : relative(root, resolve(root, dirname(page), path));
      const there = await stat(join(root, file)).catch(() => undefined);
      if (!there) broken.push(`${page}: ${target} is not there`);
      else if (anchor && file.endsWith(".md") && !anchorsOf(await read(file)).includes(anchor))
        broken.push(`${page}: ${target} has no such heading`);
    }
  expect(broken).toEqual([]);
});

test("every source file that a guide names is there", async () => {
  const named = guides.flatMap((page) =>
    [...(texts.get(page) ?? "").matchAll(/`([a-z][a-z-]*\/[\w./-]+\.(?:ts|sh))\b[^`]*`/g)].map((match) => ({ page, path: match[1] ?? "" })),
  );
  expect(named.length).toBeGreaterThan(20);
  const there = (path: string) => stat(join(root, path)).then(() => true, () => false); // prettier-ignore
  const missing: string[] = [];
  for (const { page, path } of named) if (!(await there(path)) && !(await there(join("platform", path)))) missing.push(`${page}: ${path}`);
  expect(missing).toEqual([]);
});

/** What a page types: the lines of its code blocks, and what stands in backticks. */
function typedIn(text: string): string[] {
  const blocks = [...text.matchAll(/^ {4}(.*)$/gm), ...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)];
  const lines = blocks.flatMap((match) => (match[1] ?? "").split("\n"));
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? "");
  return [...lines, ...spans].map((line) => line.trim());
}

const typed = guides.flatMap((page) => typedIn(texts.get(page) ?? "").map((line) => ({ page, line })));

type Command = ReturnType<typeof cairnProgram>;

const withName = (parent: Command, name: string | undefined): Command | undefined =>
  parent.commands.find((command) => command.name() === name || command.aliases().includes(name ?? ""));
const knows = (command: Command, flag: string): boolean =>
  flag === "--help" ||
  flag === "-h" ||
  [...command.options, ...(command.parent?.options ?? [])].some(({ short, long }) => flag === short || flag === long);

/** What is wrong with a typed command; undefined where nothing is. */
function wrongWith(program: Command, typed: string): string | undefined {
  const words =
    typed
      .replace(/ {2,}.*$/, "")
      .split(/[|>;&]/)[0]
      ?.trim()
      .split(/\s+/) ?? [];
  if (words[0] === "help") words.shift();
  if (words[0]?.startsWith("-") || !/^[a-z]/.test(words[0] ?? "")) return undefined;
  let command = withName(program, words[0]);
  if (!command) return `there is no command ${words[0]}`;
  const next = words[1];
  if (command.commands.length > 0) {
    // A noun alone lists, also what is named behind it: `cairn releases orders`.
    const child = (/^[a-z]/.test(next ?? "") && withName(command, next)) || withName(command, "list");
    if (child) command = child;
    else if (next !== undefined && /^[a-z]/.test(next)) return `${words[0]} has no command ${next}`;
  }
  const flags = words.map((word) => /^\[?(--?[a-z-]+)/.exec(word)?.[1] ?? "");
  const unknown = flags.find((flag) => flag !== "" && !knows(command, flag) && !knows(program, flag));
  return unknown && `${command.name()} has no option ${unknown}`;
}

test("every cairn command that a guide types is there, with its options", async () => {
  const program = cairnProgram();
  const commands = typed.flatMap(({ page, line }) => {
    const command = /^(?:\w+=\S+ )*(?:\.\/)?cairn (\S.*)$/.exec(line)?.[1];
    return command ? [{ page, command }] : [];
  });
  expect(commands.length).toBeGreaterThan(50);
  const wrong = commands.flatMap(({ page, command }) => {
    const because = wrongWith(program, command);
    return because ? [`${page}: cairn ${command}: ${because}`] : [];
  });
  expect(wrong).toEqual([]);
});

test("every route of the API stands in the table of ARCHITECTURE.md", async () => {
  const table = texts.get("ARCHITECTURE.md") ?? "";
  const { paths } = JSON.parse(await read("api/openapi.json")) as { paths: Record<string, unknown> };
  const told = (path: string): boolean => {
    const slash = path.lastIndexOf("/");
    return table.includes(path) || (slash > 0 && table.includes(`...${path.slice(slash)}`) && told(path.slice(0, slash)));
  };
  const short = Object.keys(paths).map((path) => path.replace(/^\/api/, "").replace(/^\/catalog\/services/, "/services"));
  expect(short.length).toBeGreaterThan(40);
  expect(short.filter((path) => !told(path))).toEqual([]);
});

test("every environment variable that a guide names is read or given by code", async () => {
  const paths = (await filesBelow(root, /\.(ts|tsx|sh)$/)).filter((path) => !path.endsWith(".test.ts"));
  const code = (await Promise.all([...paths, "cairn"].map(read))).join("\n");
  const named = guides.flatMap((page) => [...(texts.get(page) ?? "").matchAll(/\bCAIRN_[A-Z_]+\b/g)].map(([name]) => ({ page, name })));
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(({ name }) => !code.includes(name))).toEqual([]);
});

test("every npm script that a guide types is there", async () => {
  const { scripts } = JSON.parse(await read("package.json")) as { scripts: Record<string, string> };
  const known = new Set([...Object.keys(scripts), "ci", "install", "link", "prune", "rm", "sbom"]);
  const asked = typed.flatMap(({ page, line }) =>
    [...line.matchAll(/\bnpm (?:run )?([a-z][a-z-]*)/g)].map((match) => ({ page, script: match[1] ?? "" })),
  );
  expect(asked.length).toBeGreaterThan(10);
  expect(asked.filter(({ script }) => !known.has(script))).toEqual([]);
});
