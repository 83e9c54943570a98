import { RE2JS } from "@bufbuild/re2";
import { CelError, type Value } from "../values/values.ts";
import type { FunctionTable } from "../check/functions.ts";
import { findMatches } from "./regex-find.ts";

const cache = new Map<string, RE2JS | CelError>();
const maxCached = 500;
const maxPatternLength = 10_000;

/** A compiled RE2 pattern, or the error in it. Patterns are cached: compiling one takes longer than most matches. */
export function pattern(source: string): RE2JS | CelError {
  const known = cache.get(source);
  if (known) return known;
  const made = compilePattern(source);
  // The oldest go first; a map remembers the order of insertion.
  if (cache.size >= maxCached) cache.delete(cache.keys().next().value!);
  cache.set(source, made);
  return made;
}

/** Whether any part of the text matches, in time linear in it. */
export function matches(text: string, source: string): Value {
  const compiled = pattern(source);
  return compiled instanceof CelError ? compiled : compiled.test(text);
}

/** Kubernetes' regex library: the first match, or matches that do not overlap. */
export const regexFunctions: FunctionTable = [
  ["string_find_string", "<string>.find(string) -> string", ([text, source]) => find(text as string, source as string)],
  ["string_find_all_string", "<string>.findAll(string) -> list(string)", ([text, source]) => findAll(text as string, source as string, -1)],
  [
    "string_find_all_string_int",
    "<string>.findAll(string, int) -> list(string)",
    ([text, source, limit]) => findAll(text as string, source as string, Number(limit)),
  ],
];

function compilePattern(source: string): RE2JS | CelError {
  if (source.length > maxPatternLength) return new CelError(`a regular expression may have ${maxPatternLength} characters at most`);
  try {
    return RE2JS.compile(source);
  } catch (fault) {
    return new CelError(fault instanceof Error ? fault.message : "invalid regular expression");
  }
}

function find(text: string, source: string): Value {
  const found = findAll(text, source, 1);
  return found instanceof CelError ? found : ((found as string[])[0] ?? "");
}

function findAll(text: string, source: string, limit: number): Value {
  const compiled = pattern(source);
  return compiled instanceof CelError ? compiled : findMatches(compiled, text, limit);
}
