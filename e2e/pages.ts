/** A block of commands on a page, and what the page says about it beside. */
export interface Block {
  page: string;
  line: number;
  commands: string;
  /** What the page shows as printed: the text blocks that follow, until the next commands. */
  shown: { line: number; text: string }[];
  /** Set-up that readers have done in their own way: commands before it. */
  first: string[];
  /** What stands on the page, and what is typed in its place. */
  instead: { text: string; typed: string }[];
  /** A word of the page that stands for something printed before, or by this block. */
  names: { name: string; pattern: RegExp }[];
  /** Addresses of others, which the test serves itself. */
  here: string[];
  /** A service whose production has users from here on. */
  traffic: string[];
  /** With which exit code it ends. */
  fails: number;
  /** Where else it is run, by the name of a reason. */
  elsewhere: string | undefined;
}

/**
 * The blocks of a page's commands: fenced, with the word sh. What the test needs to know stands in an HTML comment above a block, which no reader of the rendered page sees:
 *
 *     <!-- test
 *     first: COMMAND          run before it, unseen
 *     with NAME from /RE/     from here on NAME on the page is what the last match of RE in what was printed says
 *     with TEXT as TYPED      in this block TYPED is typed instead
 *     here: URL               the test serves this address
 *     traffic: SERVICE        from here to the end of the page production has users
 *     fails: CODE             it ends with this exit code
 *     elsewhere: REASON       it is not run here; the test lists each reason
 *     -->
 *
 * A fenced block with the word text behind it is what is printed. Throws where a comment says anything else.
 */
export function blocksOf(page: string, content: string): Block[] {
  const blocks: Block[] = [];
  let about: string[] = [];
  const lines = content.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line === "<!-- test") {
      const end = lines.indexOf("-->", at);
      about = [...about, ...lines.slice(at + 1, end)];
      at = end;
    } else if (/^```\w*$/.test(line)) {
      const end = lines.indexOf("```", at + 1);
      if (end < 0) throw new Error(`${page}:${at + 1}: this block has no end`);
      const text = lines.slice(at + 1, end).join("\n");
      if (line === "```sh") {
        blocks.push({ page, line: at + 1, commands: text, shown: [], ...directives(page, at + 1, about) });
        about = [];
      } else if (line === "```text") blocks.at(-1)?.shown.push({ line: at + 1, text });
      at = end;
    }
  }
  if (about.length > 0) throw new Error(`${page}: "${about[0]}" stands above no block`);
  return blocks;
}

function directives(page: string, line: number, about: string[]): Omit<Block, "page" | "line" | "commands" | "shown"> {
  const found: Omit<Block, "page" | "line" | "commands" | "shown"> = {
    first: [],
    instead: [],
    names: [],
    here: [],
    traffic: [],
    fails: 0,
    elsewhere: undefined,
  };
  for (const text of about) {
    const [, key = "", value = ""] = /^(\w+): (.+)$/.exec(text) ?? [];
    const [, name, pattern] = /^with (\w+) from \/(.+)\/$/.exec(text) ?? [];
    const [, shown, typed] = /^with (.+) as (.+)$/.exec(text) ?? [];
    if (name !== undefined && pattern !== undefined) found.names.push({ name, pattern: new RegExp(pattern, "gm") });
    else if (shown !== undefined && typed !== undefined) found.instead.push({ text: shown, typed });
    else if (key === "first" || key === "here" || key === "traffic") found[key].push(value);
    else if (key === "fails") found.fails = Number(value);
    else if (key === "elsewhere") found.elsewhere = value;
    else throw new Error(`${page}:${line}: "${text}" is no word of a test`);
  }
  return found;
}

/** Lines that a page shows and that were not printed, in this order; numbers, times, ids and addresses may be others. */
export function notPrinted(shown: string, printed: string): string[] {
  const lines = printed.split("\n").map(tidy);
  let from = 0;
  return shown.split("\n").filter((line) => {
    if (tidy(line) === "") return false;
    const pattern = patternOf(tidy(line));
    const at = lines.findIndex((each, index) => index >= from && pattern.test(each));
    if (at < 0) return true;
    from = at + 1;
    return false;
  });
}

const tidy = (line: string): string => line.replaceAll(/\s+/g, " ").trim();

/** What differs from one run to the next: what is cut off, how long ago, hexadecimal names, secrets, places, numbers. */
const VARIES =
  /(\.\.\.|…)|(\d+ (?:second|minute|hour|day)s? ago|now)|(\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b|(?<=\b[a-z]+_)[0-9a-z]{26}\b)|(~\/[\w./-]+)|(\d+(?:[.,]\d+)*)/g;

function patternOf(line: string): RegExp {
  let source = "^";
  let at = 0;
  for (const match of line.matchAll(VARIES)) {
    source += escaped(line.slice(at, match.index));
    const [, cut, ago, hex, place] = match;
    source += cut ? ".*" : ago ? String.raw`(\d+ \w+ ago|now)` : hex ? "[0-9a-z]+" : place ? String.raw`\S+` : String.raw`\d+([.,]\d+)*`;
    at = match.index + match[0].length;
  }
  return new RegExp(`${source}${escaped(line.slice(at))}`);
}

const escaped = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
