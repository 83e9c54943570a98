import type { Value } from "../values/values.ts";
import { parseType, type Type } from "./types.ts";

/** What a function may need beyond its arguments. */
export interface CallContext {
  /** Nanoseconds since 1970, given by the caller: nothing here reads a clock. */
  now: bigint | undefined;
  /** Counts elements or characters about to be made against the allocation limit; ends the evaluation when it is passed. */
  allocate(count: number): void;
  /** Counts steps of work that no cost reflects, such as comparisons within values; ends the evaluation when there are too many. */
  work(steps: number): void;
}

export type Implementation = (args: readonly Value[], context: CallContext) => Value;

/** One form of a function. `id` is cel-go's overload id, by which costs are told apart. */
export interface Overload {
  id: string;
  name: string;
  /** Called on its first parameter: `x.f()`. */
  member: boolean;
  params: readonly Type[];
  result: Type;
  typeParams: readonly string[];
  run: Implementation;
}

export interface FunctionDeclaration {
  name: string;
  overloads: readonly Overload[];
}

/** Functions by name; all forms of one name together. */
export type Functions = ReadonlyMap<string, FunctionDeclaration>;

/** A table of functions as libraries write it: overload id, signature, implementation. */
export type FunctionTable = readonly (readonly [id: string, signature: string, run: Implementation])[];

/** Merges tables; a later table adds forms to a name, and replaces a form of the same id. */
export function mergeFunctions(...tables: readonly (readonly Overload[])[]): Functions {
  const byName = new Map<string, Map<string, Overload>>();
  for (const overload of tables.flat()) {
    const forms = byName.get(overload.name) ?? new Map<string, Overload>();
    byName.set(overload.name, forms.set(overload.id, overload));
  }
  return new Map([...byName].map(([name, forms]) => [name, { name, overloads: [...forms.values()] }]));
}

export const overloadsOf = (table: FunctionTable): Overload[] =>
  table.map(([id, signature, run]) => ({ id, run, ...parseSignature(signature) }));

/**
 * Reads `size(list(A)) -> int`, or with a receiver `<string>.contains(string) -> bool`; a name may have a namespace,
 * as in `math.abs(int) -> int`.
 */
export function parseSignature(
  text: string,
  lookup?: (name: string) => Type | undefined,
): Pick<Overload, "name" | "member" | "params" | "result" | "typeParams"> {
  const match = /^(?:<(.+?)>\.)?([A-Za-z_@!?:%*/+\-=<>&|[\]][^\s(]*)\((.*)\)\s*->\s*(.+)$/.exec(text);
  if (!match) throw new RangeError(`cannot read the signature ${text}`);
  const [, receiver, name, list, result] = match as unknown as [string, string | undefined, string, string, string];
  const params = [...(receiver === undefined ? [] : [receiver]), ...splitTypes(list)].map((type) => parseType(type, lookup));
  const resultType = parseType(result, lookup);
  const typeParams = new Set<string>();
  const collect = (type: Type): void => (type.kind === "param" ? void typeParams.add(type.name) : type.params.forEach(collect));
  [...params, resultType].forEach(collect);
  return { name, member: receiver !== undefined, params, result: resultType, typeParams: [...typeParams] };
}

/** Splits at the commas outside parentheses. */
function splitTypes(list: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= list.length; at++) {
    const char = list.charAt(at);
    if (char === "(") depth++;
    else if (char === ")") depth--;
    else if ((char === "," && depth === 0) || at === list.length) {
      if (list.slice(start, at).trim() !== "") parts.push(list.slice(start, at).trim());
      start = at + 1;
    }
  }
  return parts;
}
