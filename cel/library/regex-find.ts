import type { RE2JS } from "@bufbuild/re2";
import { CelError } from "../values/values.ts";

/** The instructions that RE2 programs are made of, by the numbers @bufbuild/re2 gives them. */
const ops = { alt: 1, altMatch: 2, capture: 3, emptyWidth: 4, fail: 5, match: 6, nop: 7 } as const;

interface Instruction {
  op: number;
  out: number;
  arg: number;
  matchRune(rune: number): boolean;
}

interface Program {
  start: number;
  inst: readonly Instruction[];
}

/**
 * The matches of a pattern that do not overlap, leftmost first and preferring as Perl does: Go's FindAllString. @bufbuild/re2
 * tells only whether there is a match, so its compiled program is walked here by Pike's algorithm (Cox, "Regular Expression
 * Matching: the Virtual Machine Approach"). `limit` < 0 means all. Searches that turn out quadratic are ended with an error.
 */
export function findMatches(pattern: RE2JS, text: string, limit: number): string[] | CelError {
  const search = new Search(pattern.re2().prog, text);
  const found: string[] = [];
  let at = 0;
  let lastEnd = -1;
  while (at <= text.length && (limit < 0 || found.length < limit)) {
    const match = search.from(at);
    if (match === "exhausted") return new CelError("this regular expression takes too long on this text");
    if (match === undefined) break;
    const [start, end] = match;
    // An empty match right behind the last match does not count.
    if (end > start || start !== lastEnd) found.push(text.slice(start, end));
    lastEnd = end;
    at = end > at ? end : end + runeWidth(text, end);
  }
  return found;
}

const runeWidth = (text: string, at: number): number => ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);

/** Threads in order of preference: each an instruction, and where its match began. */
interface Threads {
  pcs: number[];
  starts: number[];
  seen: Int32Array;
}

class Search {
  readonly #program: Program;
  readonly #text: string;
  #steps: number;
  #current: Threads;
  #next: Threads;

  constructor(program: Program, text: string) {
    this.#program = program;
    this.#text = text;
    this.#steps = 64 * (text.length + 16) * (program.inst.length + 1);
    const threads = (): Threads => ({ pcs: [], starts: [], seen: new Int32Array(program.inst.length) });
    this.#current = threads();
    this.#next = threads();
  }

  /** The first match at or behind a position, as [start, end]. */
  from(position: number): [number, number] | undefined | "exhausted" {
    let match: [number, number] | undefined;
    let at = position;
    this.#clear(this.#current);
    for (;;) {
      if (match === undefined) this.#add(this.#current, this.#program.start, at, at);
      if (this.#current.pcs.length === 0 && match !== undefined) return match;
      if (this.#steps < 0) return "exhausted";
      const rune = this.#text.codePointAt(at);
      const width = rune === undefined ? 1 : rune > 0xffff ? 2 : 1;
      this.#clear(this.#next);
      const { pcs, starts } = this.#current;
      for (let i = 0; i < pcs.length; i++) {
        this.#steps--;
        const instruction = this.#program.inst[pcs[i]!]!;
        if (instruction.op === ops.match) {
          match = [starts[i]!, at];
          break; // what follows is less preferred
        }
        if (rune !== undefined && instruction.matchRune(rune)) this.#add(this.#next, instruction.out, starts[i]!, at + width);
      }
      if (rune === undefined) return match;
      [this.#current, this.#next] = [this.#next, this.#current];
      at += width;
    }
  }

  #clear(threads: Threads): void {
    threads.pcs.length = 0;
    threads.starts.length = 0;
    threads.seen.fill(0);
  }

  /** Follows the instructions that consume nothing, the preferred branch first. */
  #add(threads: Threads, pc: number, start: number, at: number): void {
    const pending = [pc];
    while (pending.length > 0) {
      const next = pending.pop()!;
      this.#steps--;
      if (threads.seen[next] === 1) continue;
      threads.seen[next] = 1;
      const instruction = this.#program.inst[next]!;
      switch (instruction.op) {
        case ops.fail:
          break;
        case ops.alt:
        case ops.altMatch:
          pending.push(instruction.arg, instruction.out);
          break;
        case ops.capture:
        case ops.nop:
          pending.push(instruction.out);
          break;
        case ops.emptyWidth:
          if ((instruction.arg & ~this.#assertions(at)) === 0) pending.push(instruction.out);
          break;
        default:
          threads.pcs.push(next);
          threads.starts.push(start);
      }
    }
  }

  /** The zero-width assertions that hold at a position, as RE2's bits. */
  #assertions(at: number): number {
    const before = at === 0 ? -1 : this.#text.charCodeAt(at - 1);
    const after = at >= this.#text.length ? -1 : this.#text.charCodeAt(at);
    const newline = 10;
    let bits = 0;
    if (before < 0) bits |= 0x04 | 0x01;
    if (before === newline) bits |= 0x01;
    if (after < 0) bits |= 0x08 | 0x02;
    if (after === newline) bits |= 0x02;
    return bits | (isWord(before) === isWord(after) ? 0x20 : 0x10);
  }
}

const isWord = (unit: number): boolean =>
  (unit >= 48 && unit <= 57) || (unit >= 65 && unit <= 90) || unit === 95 || (unit >= 97 && unit <= 122);
