import type { CallContext } from "../check/functions.ts";
import { codePoints } from "./standard.ts";

/** Below this many comparisons at worst, the engine's own search is the fastest; above, ours is certain to be linear. */
const worstCase = 4_000_000;

/** Where the parts of a text are that equal another, left to right and not overlapping; UTF-16 offsets, at most `limit`. */
export function occurrences(text: string, part: string, limit: number, context: CallContext): number[] {
  const found: number[] = [];
  const next = searcher(text, part, context);
  for (let at = limit > 0 ? next(0) : -1; at >= 0 && found.length < limit; at = next(at + part.length)) found.push(at);
  return found;
}

export const contains = (text: string, part: string, context: CallContext): boolean => searcher(text, part, context)(0) >= 0;

/** The index in characters of the first match at or behind `from`, or -1. */
export function findFirst(text: string, part: string, from: number, context: CallContext): number {
  const length = codePoints(text);
  if (part === "") return Math.min(from, length);
  if (from >= length) return -1;
  const start = length === text.length ? from : [...text].slice(0, from).join("").length;
  const at = searcher(text, part, context)(start);
  return at < 0 || length === text.length ? at : codePoints(text.slice(0, at));
}

/** The index in characters of the last match that begins at or before `from`, or -1. */
export function findLast(text: string, part: string, from: number | undefined, context: CallContext): number {
  const length = codePoints(text);
  if (part === "") return from === undefined ? length : Math.min(from, length);
  if (from !== undefined && from >= length) return -1;
  const mirrored = searcher(mirror(text), mirror(part), context);
  const latest = Math.min(from ?? length, length - codePoints(part));
  if (latest < 0) return -1;
  const start = length - codePoints(part) - latest;
  const skip = length === text.length ? start : [...mirror(text)].slice(0, start).join("").length;
  const at = mirrored(skip);
  if (at < 0) return -1;
  return length - (length === text.length ? at : codePoints(mirror(text).slice(0, at))) - codePoints(part);
}

const mirror = (text: string): string => (codePoints(text) === text.length ? text.split("") : [...text]).toReversed().join("");

/** A search that gives the first match at or behind an offset. */
function searcher(text: string, part: string, context: CallContext): (from: number) => number {
  if (text.length * part.length <= worstCase || part.length < 3) return (from) => text.indexOf(part, from);
  context.work(Math.ceil((text.length + part.length) / 64));
  return knuthMorrisPratt(text, part);
}

function knuthMorrisPratt(text: string, part: string): (from: number) => number {
  const borders = new Int32Array(part.length + 1);
  borders[0] = -1;
  for (let i = 0, border = -1; i < part.length;) {
    while (border >= 0 && part.charCodeAt(i) !== part.charCodeAt(border)) border = borders[border]!;
    borders[++i] = ++border;
  }
  return (from) => {
    let matched = 0;
    for (let at = from; at < text.length; at++) {
      while (matched >= 0 && text.charCodeAt(at) !== part.charCodeAt(matched)) matched = borders[matched]!;
      if (++matched === part.length) return at + 1 - matched;
    }
    return -1;
  };
}
