import { LineCounter, parseAllDocuments } from "yaml";
import { messageOf } from "./faults.ts";

const MOST_BYTES = 256 * 1024;
const MOST_ALIASES = 50;
const DEEPEST = 60;
const MOST_OPEN = 500;

/** What is wrong with a text that should be YAML, and where. */
export class NotYaml extends Error {
  override readonly name = "NotYaml";
  readonly line: number | undefined;

  constructor(why: string, line?: number) {
    super(line === undefined ? why : `line ${line}: ${why}`);
    this.line = line;
  }
}

/**
 * The documents of a text that somebody else wrote, within bounds: at most 256 KiB, 60 levels, and 50 values for one alias, so that none takes the platform's time or
 * memory. Throws NotYaml.
 */
export function yamlDocuments(text: string): unknown[] {
  if (text.length > MOST_BYTES) throw new NotYaml(`it is larger than ${MOST_BYTES / 1024} KiB`);
  // The parser takes seconds to find out, and the whole platform waits.
  if (opensDeeperThan(text, MOST_OPEN)) throw new NotYaml(`it is nested deeper than ${DEEPEST} levels`);
  const lines = new LineCounter();
  let parsed;
  try {
    parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  } catch (error) {
    throw new NotYaml(error instanceof RangeError ? `it is nested deeper than ${DEEPEST} levels` : messageOf(error));
  }
  return [...parsed].map((document) => {
    const [broken] = document.errors;
    if (broken) throw new NotYaml(broken.message.split("\n")[0] ?? "it is no YAML", lines.linePos(broken.pos[0]).line);
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: MOST_ALIASES });
    } catch (error) {
      throw new NotYaml(error instanceof RangeError ? `it is nested deeper than ${DEEPEST} levels` : messageOf(error));
    }
    if (isDeeperThan(value, DEEPEST)) throw new NotYaml(`it is nested deeper than ${DEEPEST} levels`);
    return value;
  });
}

/** Whether brackets open so often without closing, quoted ones too. */
function opensDeeperThan(text: string, levels: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) depth++;
    else if (code === 0x5d || code === 0x7d) depth = Math.max(0, depth - 1);
    if (depth > levels) return true;
  }
  return false;
}

/** Level by level: a value that refers to itself ends it too. */
function isDeeperThan(value: unknown, levels: number): boolean {
  let level: unknown[] = [value];
  const seen = new Set<unknown>();
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap((one) => {
      if (typeof one !== "object" || one === null || seen.has(one)) return [];
      seen.add(one);
      return Object.values(one) as unknown[];
    });
  }
  return false;
}
