import { closeSync, openSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { requestInvalid } from "../faults.ts";
import type { AgentLogLine, LogTail } from "../model.ts";
import { readBase, readFrom, sizeOf, STREAMS, textOf } from "./logs.ts";

export interface LogQuery {
  revision?: string | undefined;
  limit: number;
  /** Lines that came later than this. */
  after?: Date | undefined;
  /** Lines that came by then. */
  until?: Date | undefined;
  /** Lines that hold this text, letter by letter. */
  text?: string | undefined;
  mask?: (line: string) => string;
}

/** The agent serves requests meanwhile: after so many bytes it does. */
const CHUNK_BYTES = 1024 * 1024;
const LONGEST_LINE_BYTES = 16_384;

/** The last lines of a target's revisions that a query asks for, oldest first, up to where streams are to end, if that is given. A line's time is when the agent saw it. */
export async function readLogs(folder: string, query: LogQuery, ends: Record<string, number> = {}): Promise<AgentLogLine[]> {
  const lines: AgentLogLine[] = [];
  for (const revision of await revisionsOf(folder, query.revision)) {
    const own = join(folder, revision);
    for (const stream of STREAMS) {
      const file = join(own, `${stream}.log`);
      const end = ends[`${revision}/${stream}`];
      const size = Math.min(sizeOf(file), end === undefined ? Infinity : Math.max(0, end - readBase(own, stream)));
      const found = await search(file, size, join(own, `${stream}.times`), query);
      const before =
        found.length < query.limit
          ? await search(`${file}.1`, sizeOf(`${file}.1`), join(own, `${stream}.times.1`), { ...query, limit: query.limit - found.length })
          : [];
      for (const { at, line } of [...before, ...found]) lines.push({ at: new Date(at).toISOString(), revision, stream, line });
    }
    for (const { at, line } of notesUpTo(own, ends[`${revision}/agent`]))
      if (isWanted({ at, line }, query)) lines.push({ at, revision, stream: "agent", line });
  }
  lines.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return lines.slice(-query.limit).map((line) => (query.mask ? { ...line, line: query.mask(line.line) } : line));
}

/** The lines that came after a place in the logs, oldest first, and the place after them; without a place, the last ones and where they end. Throws `agent.request_invalid`. */
export async function tailLogs(folder: string, query: LogQuery & { cursor?: string | undefined }): Promise<LogTail> {
  const before = query.cursor === undefined ? undefined : readCursor(query.cursor);
  const after: Record<string, number> = {};
  const lines: AgentLogLine[] = [];
  let lostBytes = 0;
  for (const revision of await revisionsOf(folder, query.revision)) {
    const own = join(folder, revision);
    for (const stream of [...STREAMS, "agent"] as const) {
      const key = `${revision}/${stream}`;
      const place = before?.[key] ?? (before ? 0 : endOf(own, stream));
      const read = stream === "agent" ? notesFrom(own, place) : streamFrom(own, stream, place);
      after[key] = read.place;
      lostBytes += read.lostBytes;
      for (const { at, line } of read.lines) if (isWanted({ at, line }, query)) lines.push({ at, revision, stream, line });
    }
  }
  lines.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const { mask } = query;
  return {
    lines: before ? (mask ? lines.map((line) => ({ ...line, line: mask(line.line) })) : lines) : await readLogs(folder, query, after),
    cursor: Buffer.from(JSON.stringify(after)).toString("base64url"),
    lostBytes,
  };
}

const revisionsOf = async (folder: string, only: string | undefined): Promise<string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => only === undefined || name === only);

function readCursor(cursor: string): Record<string, number> {
  try {
    const places = JSON.parse(Buffer.from(cursor, "base64url").toString()) as Record<string, number>;
    if (typeof places === "object" && places !== null && Object.values(places).every((place) => Number.isSafeInteger(place) && place >= 0))
      return places;
  } catch {
    // told below
  }
  throw requestInvalid("cursor is not one that a tail of these logs gave");
}

const isWanted = ({ at, line }: { at: string; line: string }, { after, until, text }: LogQuery): boolean =>
  (after === undefined || at > after.toISOString()) &&
  (until === undefined || at <= until.toISOString()) &&
  (text === undefined || line.includes(text));

/** Up to which byte a file had grown when: a line's time is that of the first growth beyond its start. */
interface Growth {
  size: number;
  at: number;
}

const growthsOf = (timesFile: string): Growth[] =>
  textOf(timesFile)
    .split("\n")
    .flatMap((row) => {
      const [size, at] = row.split(" ").map(Number);
      return size && at ? [{ size, at }] : [];
    });

/** The first growth beyond a byte, by halving: there may be tens of thousands. */
function growthAt(growths: readonly Growth[], offset: number): Growth | undefined {
  let [low, high] = [0, growths.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((growths[middle]?.size ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return growths[low];
}

const mtimeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** The last lines of a file that a query asks for, from its end backwards: times tell where to begin and to stop, text is looked for in the bytes. */
async function search(file: string, size: number, timesFile: string, query: LogQuery): Promise<{ at: number; line: string }[]> {
  if (size === 0) return [];
  const growths = growthsOf(timesFile);
  const unknown = mtimeOf(file);
  const { after, until } = query;
  const grownBy = (instant: Date) => growths.findLast(({ at }) => at <= instant.getTime())?.size ?? 0;
  const first = after === undefined ? 0 : unknown <= after.getTime() ? size : grownBy(after);
  let end = until === undefined || unknown <= until.getTime() ? size : grownBy(until);
  const needle = query.text === undefined ? undefined : Buffer.from(query.text);
  const found: { at: number; line: string }[] = [];
  const fd = openSync(file, "r");
  try {
    while (end > first && found.length < query.limit) {
      const from = Math.max(first, end - CHUNK_BYTES);
      const bytes = readFrom(fd, from, end - from);
      if (bytes.length === 0) break;
      // What begins before this chunk is left to the one before it, unless a single line is longer than a chunk.
      const whole = from === first ? 0 : bytes.indexOf(10, 0) + 1;
      const least = whole === bytes.length || whole === 0 ? 0 : whole;
      let stop = bytes.length;
      while (stop > least && found.length < query.limit) {
        const last = bytes[stop - 1] === 10 ? stop - 1 : stop;
        const hit = needle ? bytes.lastIndexOf(needle, last - needle.length) : last;
        if (hit < least || (needle && last < needle.length)) {
          stop = least;
          break;
        }
        const start = Math.max(least, needle ? bytes.lastIndexOf(10, hit) + 1 : last === 0 ? 0 : bytes.lastIndexOf(10, last - 1) + 1);
        const lineEnd = needle ? nextBreak(bytes, hit + needle.length, last) : last;
        const line = bytes.toString("utf8", start, Math.min(lineEnd, start + LONGEST_LINE_BYTES));
        found.push({ at: growthAt(growths, from + start)?.at ?? unknown, line });
        stop = start;
      }
      end = from + least;
      if (end > first) await nextTurn();
    }
  } finally {
    closeSync(fd);
  }
  return found.reverse();
}

function nextBreak(bytes: Buffer, from: number, last: number): number {
  const found = bytes.indexOf(10, from);
  return found === -1 || found > last ? last : found;
}

interface Read {
  lines: { at: string; line: string }[];
  /** In bytes since the stream began, whatever was put aside since. */
  place: number;
  lostBytes: number;
}

/** Whole lines of a stream from a place on, of the file that was put aside too. */
function streamFrom(folder: string, stream: (typeof STREAMS)[number], place: number): Read {
  const file = join(folder, `${stream}.log`);
  const base = readBase(folder, stream);
  const end = base + sizeOf(file);
  const from = Math.min(place, end); // a place from before its logs were removed
  if (from >= base) return wholeLines(file, join(folder, `${stream}.times`), base, from, false);
  const oldest = base - sizeOf(`${file}.1`);
  const start = Math.max(from, oldest);
  const put = wholeLines(`${file}.1`, join(folder, `${stream}.times.1`), oldest, start, true);
  return { ...put, lostBytes: start - from };
}

function wholeLines(file: string, timesFile: string, base: number, place: number, isPutAside: boolean): Read {
  const size = sizeOf(file);
  const offset = place - base;
  if (size <= offset) return { lines: [], place, lostBytes: 0 };
  const fd = openSync(file, "r");
  try {
    const bytes = readFrom(fd, offset, Math.min(CHUNK_BYTES, size - offset));
    const isLast = offset + bytes.length === size;
    // The last line may not be written whole yet; in a file that was put aside, or longer than a chunk, it is taken as it is.
    const lastBreak = bytes.lastIndexOf(10) + 1;
    const length = (isPutAside && isLast) || (lastBreak === 0 && !isLast) ? bytes.length : lastBreak;
    const growths = growthsOf(timesFile);
    const unknown = mtimeOf(file);
    const lines: Read["lines"] = [];
    for (let start = 0; start < length;) {
      const found = bytes.indexOf(10, start);
      const stop = found === -1 || found >= length ? length : found;
      const at = growthAt(growths, offset + start)?.at ?? unknown;
      lines.push({ at: new Date(at).toISOString(), line: bytes.toString("utf8", start, Math.min(stop, start + LONGEST_LINE_BYTES)) });
      start = stop + 1;
    }
    return { lines, place: place + length, lostBytes: 0 };
  } finally {
    closeSync(fd);
  }
}

const notesFile = (folder: string): string => join(folder, "agent.log");

function endOf(folder: string, stream: (typeof STREAMS)[number] | "agent"): number {
  if (stream === "agent") return sizeOf(notesFile(folder));
  const file = join(folder, `${stream}.log`);
  const size = sizeOf(file);
  if (size === 0) return readBase(folder, stream);
  const fd = openSync(file, "r");
  try {
    // At the start of a line that is not written whole yet.
    const from = Math.max(0, size - LONGEST_LINE_BYTES);
    const lastBreak = readFrom(fd, from, size - from).lastIndexOf(10);
    return readBase(folder, stream) + (lastBreak === -1 ? (from === 0 ? 0 : size) : from + lastBreak + 1);
  } finally {
    closeSync(fd);
  }
}

function notesFrom(folder: string, place: number): Read {
  const bytes = Buffer.from(textOf(notesFile(folder)));
  const from = Math.min(place, bytes.length);
  const until = bytes.lastIndexOf(10) + 1;
  return { lines: until > from ? parseNotes(bytes.toString("utf8", from, until)) : [], place: Math.max(from, until), lostBytes: 0 };
}

const notesUpTo = (folder: string, end: number | undefined): { at: string; line: string }[] =>
  parseNotes(Buffer.from(textOf(notesFile(folder))).toString("utf8", 0, end));

const parseNotes = (text: string): { at: string; line: string }[] =>
  text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as { at: string; line: string }];
    } catch {
      return []; // cut off by a crash
    }
  });
