import { Type, dyn, isDyn, sameType } from "./types.ts";

/**
 * Type variables and what they stand for while one expression is checked; the rules are those of cel-go's checker/types.go.
 * A failed attempt leaves nothing behind.
 */
export class Substitution {
  readonly #bound = new Map<string, Type>();
  #trail: [string, Type | undefined][] = [];
  #fresh = 0;

  newVariable(): Type {
    return new Type("param", `_var${this.#fresh++}`);
  }

  /** Whether a value of type `b` may stand where `a` is expected; binds type variables on both sides if so. */
  assignable(a: Type, b: Type): boolean {
    return this.#attempt(() => this.#assignable(a, b));
  }

  allAssignable(as: readonly Type[], bs: readonly Type[]): boolean {
    return this.#attempt(() => this.#listAssignable(as, bs));
  }

  /** The type with its variables replaced; unbound ones stay, or become dyn if `final`. */
  resolve(type: Type, final = false): Type {
    if (type.kind === "param") {
      const bound = this.#bound.get(type.name);
      if (bound) return this.resolve(bound, final);
      return final ? dyn : type;
    }
    if (type.params.length === 0) return type;
    let changed = false;
    const params = type.params.map((inner) => {
      const resolved = this.resolve(inner, final);
      if (resolved !== inner) changed = true;
      return resolved;
    });
    return changed ? new Type(type.kind, type.name, params, type.fields, type.maxSize, type.keyFields) : type;
  }

  #attempt(action: () => boolean): boolean {
    const outer = this.#trail;
    this.#trail = [];
    const done = action();
    if (!done) this.#undo();
    this.#trail = outer;
    return done;
  }

  #undo(): void {
    for (const [name, old] of this.#trail.toReversed()) {
      if (old) this.#bound.set(name, old);
      else this.#bound.delete(name);
    }
  }

  #bind(variable: Type, type: Type): void {
    this.#trail.push([variable.name, this.#bound.get(variable.name)]);
    this.#bound.set(variable.name, type);
  }

  #assignable(a: Type, b: Type): boolean {
    if (b.kind === "param") {
      const outcome = this.#substitutes(a, b);
      if (outcome !== "no") return outcome === "yes";
    }
    if (a.kind === "param") return this.#substitutes(b, a) === "yes";
    if (isDyn(a) || isDyn(b)) return true;
    if (a.kind === "null") return b.kind === "null" || isNullable(b);
    if (b.kind === "null") return isNullable(a);
    if (a.kind === "list" || a.kind === "map" || a.kind === "opaque")
      return a.kind === b.kind && a.name === b.name && this.#listAssignable(a.params, b.params);
    if (a.kind === "type") return b.kind === "type";
    return a.kind === b.kind && a.name === b.name;
  }

  #listAssignable(as: readonly Type[], bs: readonly Type[]): boolean {
    return as.length === bs.length && as.every((a, i) => this.#assignable(a, bs[i]!));
  }

  /** "taken": the variable stands for something else already. "no": it is free, but occurs in the type. */
  #substitutes(type: Type, variable: Type): "yes" | "taken" | "no" {
    if (sameType(type, variable)) return "yes";
    const bound = this.#bound.get(variable.name);
    if (bound) {
      if (sameType(type, bound)) return "yes";
      if (!this.#assignable(type, bound)) return "taken";
      const general = mostGeneral(type, bound);
      if (!this.#occurs(variable, general)) this.#bind(variable, general);
      return "yes";
    }
    if (this.#occurs(variable, type)) return "no";
    this.#bind(variable, type);
    return "yes";
  }

  #occurs(variable: Type, within: Type): boolean {
    if (within.kind === "param") {
      if (within.name === variable.name) return true;
      const bound = this.#bound.get(within.name);
      return bound !== undefined && this.#occurs(variable, bound);
    }
    return within.params.some((inner) => this.#occurs(variable, inner));
  }
}

const isNullable = ({ kind }: Type): boolean => kind === "opaque" || kind === "struct" || kind === "duration" || kind === "timestamp";

/** Of two types that agree, the one that holds both: beside null the type that may be null. */
export function mostGeneral(a: Type, b: Type): Type {
  if (b.kind === "null" && isNullable(a)) return a;
  return isLessSpecific(a, b) ? a : b;
}

function isLessSpecific(a: Type, b: Type): boolean {
  if (isDyn(a) || a.kind === "param") return true;
  if (isDyn(b) || b.kind === "param" || a.kind !== b.kind) return false;
  if (a.kind === "type") return true;
  if (a.kind === "list" || a.kind === "map" || a.kind === "opaque")
    return a.name === b.name && a.params.length === b.params.length && a.params.every((inner, i) => isLessSpecific(inner, b.params[i]!));
  return sameType(a, b);
}
