import type { Implementation, Overload } from "./check/functions.ts";
import { mergeFunctions, parseSignature } from "./check/functions.ts";
import { Scope } from "./check/scope.ts";
import { Type, namedTypes, opaque, parseType, typeOf } from "./check/types.ts";
import { languageOf, newestVersion, oldestVersion, whoHas, type LanguageSet } from "./library/versions.ts";
import { Program } from "./program.ts";
import { parse } from "./syntax/parser.ts";
import { CelError, TypeValue, type Value } from "./values/values.ts";
import { adapt } from "./values/adapt.ts";

export interface EnvironmentOptions {
  /** The Kubernetes whose CEL this is, like "1.36". Without it, all libraries are there, math, encoders and bindings too. */
  version?: string;
  /** Types of variables by name: as text, like `map(string, dyn)`, or from a schema (see schemaType). */
  variables?: Readonly<Record<string, string | Type>>;
  /** Functions of the host, by signature: `"owner(string) -> string"`, or with a receiver `"<string>.owner() -> string"`. */
  functions?: Readonly<Record<string, HostFunction>>;
  /** A namespace whose names may be written without it. */
  container?: string;
  /** Refuse lists and maps of mixed types: as Kubernetes does, so by default with a version only. */
  homogeneous?: boolean;
  /** False: what does not check is not refused, but fails when it runs. */
  check?: boolean;
}

/** Gets plain CEL values (see values/values.ts) and gives back any JavaScript value; what it throws becomes a CEL error. */
export type HostFunction = (...args: Value[]) => unknown;

/** What expressions may use, made once and used for many. */
export class Environment {
  readonly #language: LanguageSet;
  /** What the checker knows of it. */
  readonly scope: Scope;
  readonly #version: number | undefined;

  constructor(options: EnvironmentOptions) {
    const minor = options.version === undefined ? undefined : parseVersion(options.version);
    this.#version = minor;
    this.#language = languageOf(minor);
    const host = Object.entries(options.functions ?? {}).map(([signature, run]) => hostFunction(signature, run));
    const { functions } = this.#language;
    const known = [...functions.values()].map(({ overloads }) => overloads);
    this.scope = new Scope({
      variables: new Map(
        Object.entries(options.variables ?? {}).map(([name, type]) => [name, typeof type === "string" ? parseType(type) : type]),
      ),
      constants: this.#language.types.length === 0 ? typeConstants : new Map([...typeConstants, ...this.#language.types.map(typeConstant)]),
      functions: host.length === 0 ? functions : mergeFunctions(...known, host),
      container: options.container ?? "",
      homogeneous: options.homogeneous ?? minor !== undefined,
      lenient: options.check === false,
      elsewhere: (name) => whoHas(name, minor),
    });
  }

  /** Parses and checks an expression. Throws CompileError, whose issues say what is wrong, where, and what to do. */
  compile(source: string): Program {
    const { macros, optionals } = this.#language;
    const ast = parse(source, { macros, optionals, quotedIdentifiers: this.#version === undefined });
    return new Program(ast, this.scope, this.#version !== undefined);
  }
}

/** Makes an environment. Throws a RangeError on a version or type that cannot be. */
export const environment = (options: EnvironmentOptions = {}): Environment => new Environment(options);

function parseVersion(version: string): number {
  const minor = /^v?1\.(\d{1,3})(?:\.\d+)?$/.exec(version)?.[1];
  if (minor === undefined || Number(minor) < oldestVersion || Number(minor) > newestVersion)
    throw new RangeError(`no such Kubernetes version: ${version}; known are 1.${oldestVersion} to 1.${newestVersion}`);
  return Number(minor);
}

const typeConstants: ReadonlyMap<string, { type: Type; value: Value }> = new Map(
  [...namedTypes]
    .filter(([name]) => !["any", "timestamp", "duration", "dyn"].includes(name))
    .map(([name, type]) => [name, { type: typeOf(type), value: new TypeValue(name) }]),
);

const typeConstant = (name: string): [string, { type: Type; value: Value }] => [
  name,
  { type: typeOf(opaque(name)), value: new TypeValue(name) },
];

function hostFunction(signature: string, run: HostFunction): Overload {
  const parsed = parseSignature(signature);
  const guarded: Implementation = (args) => {
    try {
      return adapt(run(...args));
    } catch (fault) {
      return new CelError(fault instanceof Error ? fault.message : String(fault));
    }
  };
  return { ...parsed, id: signature, run: guarded };
}
