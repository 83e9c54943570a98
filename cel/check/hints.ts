import type { Call } from "../syntax/ast.ts";
import type { FunctionDeclaration, Overload } from "./functions.ts";
import type { Scope } from "./scope.ts";
import type { Type } from "./types.ts";
import { ownTable } from "../values/own-table.ts";

/** What to do about an issue, or undefined if nothing useful can be said. */
type Hint = string | undefined;

export function forVariable(name: string, scope: Scope, locals: readonly ReadonlyMap<string, Type>[]): Hint {
  const names = [...scope.options.variables.keys(), ...locals.flatMap((names) => [...names.keys()])].filter(
    (known) => !/^[@#]/.test(known),
  );
  const close = closest(name, names);
  if (close) return `did you mean '${close}'?`;
  return names.length > 0 && names.length <= 12 ? `known here: ${names.sort().join(", ")}` : undefined;
}

export function forField(field: string, type: Type): Hint {
  const names = [...(type.fields?.keys() ?? [])];
  const close = closest(field, names);
  if (close) return `did you mean '${close}'?`;
  return names.length <= 12 ? `its fields: ${names.join(", ") || "none"}` : undefined;
}

export function forFunction({ name, target, args }: Call, scope: Scope): Hint {
  const prefix = target?.kind === "ident" ? `${target.name}.` : "";
  const elsewhere = scope.options.elsewhere(prefix + name) ?? scope.options.elsewhere(name);
  if (elsewhere) return elsewhere;
  const macro = macros[name];
  if (macro) return `the macro ${name} is written ${macro}, with simple names as variables; ${args.length} arguments were given`;
  const close = closest(
    name,
    [...scope.options.functions.keys()].filter((known) => /^\w/.test(known)),
  );
  return close ? `did you mean '${close}'?` : undefined;
}

const macros = ownTable<string>({
  has: "has(a.b)",
  all: "list.all(x, test)",
  exists: "list.exists(x, test)",
  exists_one: "list.exists_one(x, test)",
  map: "list.map(x, result)",
  filter: "list.filter(x, test)",
  optMap: "optional.optMap(x, result)",
  transformList: "list.transformList(i, x, result)",
  transformMap: "map.transformMap(k, v, result)",
  bind: "cel.bind(x, value, result)",
});

export const forSelection = (type: Type): Hint =>
  type.kind === "list" ? "elements of a list are read by index, or with all() and exists()" : undefined;

export const noOverload = (name: string, types: readonly Type[], member: boolean): string =>
  `found no matching overload for '${name}' applied to '${member ? `${types[0]}.` : ""}(${types.slice(member ? 1 : 0).join(", ")})'`;

export function forOverload({ name, overloads }: FunctionDeclaration, types: readonly Type[]): Hint {
  const kinds = new Set(types.map(({ kind }) => kind));
  if (/^_[^_]+_$/.test(name) && kinds.size > 1 && [...kinds].every((kind) => kind === "int" || kind === "uint" || kind === "double"))
    return "the operands must have one type: convert with int(), uint() or double()";
  if ((name === "_==_" || name === "_!=_") && types.length === 2) return "both sides must have one type; dyn() compares values of any type";
  return overloads.length <= 8 ? `it takes ${overloads.map(signature).join(" or ")}` : undefined;
}

const signature = ({ name, member, params }: Overload): string => {
  const [first, ...rest] = params.map(String);
  return member ? `${first}.${name}(${rest.join(", ")})` : `${name}(${params.join(", ")})`;
};

/** The name that one or two slips of the pen turn into the one given. */
function closest(name: string, known: readonly string[]): string | undefined {
  const limit = name.length > 4 ? 2 : 1;
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) > limit) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  if (a.length > 60 || b.length > 60) return 99;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
