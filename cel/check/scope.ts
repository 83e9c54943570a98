import type { Value } from "../values/values.ts";
import type { FunctionDeclaration, Functions } from "./functions.ts";
import type { Type } from "./types.ts";

export interface Named {
  name: string;
  type: Type;
  /** Set for names of types and other constants. */
  value?: Value;
}

/** Everything an expression may refer to, and how strictly it is checked. */
export interface ScopeOptions {
  variables: ReadonlyMap<string, Type>;
  constants: ReadonlyMap<string, { type: Type; value: Value }>;
  functions: Functions;
  /** A namespace whose names may be written short, as `a.b`: C++ rules of the CEL specification, section Name Resolution. */
  container: string;
  /** Refuses list and map literals of mixed types, as Kubernetes does. */
  homogeneous: boolean;
  lenient: boolean;
  /** Functions that other versions have: for hints. */
  elsewhere: (functionName: string) => string | undefined;
}

export class Scope {
  readonly options: ScopeOptions;

  constructor(options: ScopeOptions) {
    this.options = options;
  }

  get homogeneous(): boolean {
    return this.options.homogeneous && !this.options.lenient;
  }

  get lenient(): boolean {
    return this.options.lenient;
  }

  resolve(name: string): Named | undefined {
    const { variables, constants } = this.options;
    for (const candidate of this.#candidates(name)) {
      const type = variables.get(candidate);
      if (type) return { name: candidate, type };
      const constant = constants.get(candidate);
      if (constant) return { name: candidate, ...constant };
    }
    return undefined;
  }

  function(name: string): FunctionDeclaration | undefined {
    const { functions } = this.options;
    if (this.options.container === "" && !name.startsWith(".")) return functions.get(name);
    for (const candidate of this.#candidates(name)) if (functions.has(candidate)) return functions.get(candidate);
    return undefined;
  }

  /** Most specific first: in the container a.b, the name x is a.b.x, a.x, x. A leading dot means the last only. */
  #candidates(name: string): string[] {
    if (name.startsWith(".")) return [name.slice(1)];
    if (this.options.container === "") return [name];
    const parts = this.options.container.split(".");
    return [...parts.map((_, i) => [...parts.slice(0, parts.length - i), name].join(".")), name];
  }
}
