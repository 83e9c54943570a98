import { mergeFunctions, type Functions, type Overload } from "../check/functions.ts";
import { MacroTable, bindingMacros, existsOneMacro, optionalMacros, standardMacros, twoVariableMacros, type Macro } from "../syntax/macros.ts";
import { optionalFunctions } from "./optionals.ts";
import { crossTypeComparisons, standardFunctions } from "./standard.ts";

/** One library: since which Kubernetes (1.N) it is there, until which, and what it brings. */
interface Library {
  name: string;
  since: number | "never";
  until?: number;
  functions?: () => readonly Overload[];
  macros?: Readonly<Record<string, Macro>>;
  optionalSyntax?: true;
}

/**
 * What each version of Kubernetes has: apiserver pkg/cel/environment/base.go. "never" are libraries that no Kubernetes has; they are
 * there when no version is named.
 */
const libraries: readonly Library[] = [
  { name: "standard", since: 0, functions: standardFunctions, macros: standardMacros },
  { name: "existsOne", since: 32, macros: existsOneMacro },
  { name: "cross-type comparison", since: 28, functions: crossTypeComparisons },
  { name: "optionals", since: 28, functions: optionalFunctions, macros: optionalMacros, optionalSyntax: true },
  { name: "two-variable comprehensions", since: 32, macros: twoVariableMacros },
  { name: "bindings", since: "never", macros: bindingMacros },
];

export const oldestVersion = 23;
export const newestVersion = 37;

export interface LanguageSet {
  functions: Functions;
  macros: MacroTable;
  optionals: boolean;
}

const sets = new Map<string, LanguageSet>();

/** The functions and macros of Kubernetes 1.`minor`, or all there are. */
export function languageOf(minor: number | undefined): LanguageSet {
  const key = String(minor);
  const known = sets.get(key);
  if (known) return known;
  const chosen = libraries.filter((library) => isIn(library, minor));
  const made = {
    functions: mergeFunctions(...chosen.map(({ functions }) => functions?.() ?? [])),
    macros: new MacroTable(...chosen.map(({ macros }) => macros ?? {})),
    optionals: chosen.some(({ optionalSyntax }) => optionalSyntax),
  };
  sets.set(key, made);
  return made;
}

/** Says which Kubernetes has a function or macro that an environment lacks: the hint of "undeclared reference". */
export function whoHas(name: string, minor: number | undefined): string | undefined {
  if (minor === undefined) return undefined;
  const bare = name.slice(name.lastIndexOf(".") + 1);
  const owner = libraries.find(
    (library) =>
      !isIn(library, minor) &&
      ((library.functions?.() ?? []).some((overload) => overload.name === name || overload.name === bare) ||
        Object.keys(library.macros ?? {}).some((macro) => macro.replace(/^\./, "").split("/")[0] === bare)),
  );
  if (!owner) return undefined;
  return owner.since === "never" ? `Kubernetes does not have it (library ${owner.name})` : `Kubernetes has it since 1.${owner.since} (library ${owner.name}); this environment is 1.${minor}`;
}

function isIn({ since, until }: Library, minor: number | undefined): boolean {
  if (minor === undefined) return until === undefined;
  return since !== "never" && since <= minor && (until === undefined || minor < until);
}
