import { mergeFunctions, overloadsOf, type Functions, type Overload } from "../check/functions.ts";
import {
  MacroTable,
  bindingMacros,
  blockMacros,
  existsOneMacro,
  optionalMacros,
  standardMacros,
  twoVariableMacros,
  type Macro,
} from "../syntax/macros.ts";
import { authorizerFunctions, authorizerSelectors } from "./authorizer.ts";
import { cidrFunctions } from "./cidr.ts";
import { clockFunctions, encoderFunctions } from "./encoders.ts";
import { formatFunctions } from "./format.ts";
import { ipFunctions } from "./ip.ts";
import { extendedLists, kubernetesIncludes, kubernetesLists, sortMacros } from "./lists.ts";
import { mathFunctions, mathMacros } from "./math.ts";
import { optionalFunctions, twoVariableFunctions } from "./optionals.ts";
import { quantityFunctions } from "./quantity.ts";
import { regexFunctions } from "./regex.ts";
import { semverFunctions } from "./semver.ts";
import { setFunctions } from "./sets.ts";
import { crossTypeComparisons, standardFunctions } from "./standard.ts";
import { stringFunctions, stringFunctions2, stringFunctionsLatest } from "./strings.ts";
import { urlFunctions } from "./url.ts";

/** One library: since which Kubernetes (1.N) it is there, until which, and what it brings. */
interface Library {
  name: string;
  since: number | "never";
  until?: number;
  functions?: () => readonly Overload[];
  macros?: Readonly<Record<string, Macro>>;
  /** Names of types that an expression may compare with, as in type(x) == net.IP. */
  types?: readonly string[];
  optionalSyntax?: true;
}

/**
 * What each version of Kubernetes has: apiserver pkg/cel/environment/base.go. "never" are libraries that no Kubernetes has; they are
 * there when no version is named.
 */
const libraries: readonly Library[] = [
  { name: "standard", since: 0, functions: standardFunctions, macros: standardMacros },
  { name: "strings", since: 0, functions: stringFunctions },
  { name: "regex", since: 0, functions: () => overloadsOf(regexFunctions) },
  { name: "url", since: 0, functions: urlFunctions, types: ["kubernetes.URL"] },
  { name: "lists", since: 0, functions: kubernetesLists },
  {
    name: "authorizer",
    since: 27,
    functions: authorizerFunctions,
    types: ["Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision"].map((kind) => `kubernetes.authorization.${kind}`),
  },
  { name: "cross-type comparison", since: 28, functions: crossTypeComparisons },
  { name: "optionals", since: 28, functions: optionalFunctions, macros: optionalMacros, types: ["optional_type"], optionalSyntax: true },
  { name: "quantity", since: 28, functions: quantityFunctions, types: ["kubernetes.Quantity"] },
  { name: "strings, version 2", since: 29, functions: stringFunctions2 },
  { name: "sets", since: 29, functions: setFunctions },
  { name: "ip", since: 30, functions: ipFunctions, types: ["net.IP"] },
  { name: "cidr", since: 30, functions: cidrFunctions, types: ["net.CIDR"] },
  { name: "format", since: 31, functions: formatFunctions, types: ["kubernetes.NamedFormat"] },
  { name: "authorizer selectors", since: 31, functions: authorizerSelectors },

  { name: "two-variable comprehensions", since: 32, functions: twoVariableFunctions, macros: twoVariableMacros },
  { name: "semver", since: 33, functions: semverFunctions, types: ["kubernetes.Semver"] },
  { name: "lists, version 3", since: 34, functions: extendedLists, macros: sortMacros },
  { name: "includes", since: 37, functions: kubernetesIncludes },
  { name: "strings, latest", since: "never", functions: stringFunctionsLatest },
  { name: "math", since: "never", functions: mathFunctions, macros: mathMacros },
  { name: "encoders", since: "never", functions: encoderFunctions },
  { name: "clock", since: "never", functions: clockFunctions },
  { name: "bindings", since: "never", macros: { ...bindingMacros, ...blockMacros } },
  { name: "existsOne", since: "never", macros: existsOneMacro },
];

export const oldestVersion = 23;
export const newestVersion = 37;

export interface LanguageSet {
  functions: Functions;
  macros: MacroTable;
  optionals: boolean;
  types: readonly string[];
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
    types: chosen.flatMap(({ types }) => types ?? []),
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
  return owner.since === "never"
    ? `Kubernetes does not have it (library ${owner.name})`
    : `Kubernetes has it since 1.${owner.since} (library ${owner.name}); this environment is 1.${minor}`;
}

function isIn({ since, until }: Library, minor: number | undefined): boolean {
  if (minor === undefined) return until === undefined;
  return since !== "never" && since <= minor && (until === undefined || minor < until);
}
