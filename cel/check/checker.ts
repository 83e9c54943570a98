import {
  placeOf,
  type Ast,
  type Call,
  type Comprehension,
  type Expr,
  type Issue,
  type List,
  type MapLiteral,
  type Select,
} from "../syntax/ast.ts";
import { literalType, qualifiedName, type Checked, type Reference } from "./checked.ts";
import type { FunctionDeclaration, Overload } from "./functions.ts";
import * as hints from "./hints.ts";
import { expectOneType } from "./one-type.ts";
import type { Scope } from "./scope.ts";
import { Type, bool, dyn, errorType, int, isDyn, listOf, mapOf, optionalContent, optionalOf, string } from "./types.ts";
import { Substitution, mostGeneral } from "./unify.ts";

/**
 * Gives every node its type, as cel-go's checker does. Returns the issues found, if any. In a lenient scope nothing is refused:
 * what does not check is left to run, and fails there.
 */
export function check(ast: Ast, scope: Scope): Checked | Issue[] {
  const checker = new Checker(ast, scope);
  const type = checker.check(ast.root);
  if (scope.homogeneous) checker.checkLiterals();
  if (checker.issues.length > 0 && !scope.lenient) return checker.issues;
  const types = checker.types;
  const final = checker.substitution;
  return {
    ast,
    type: final.resolve(type, true),
    typeOf: (node) => final.resolve(types[node.id] ?? dyn, true),
    referenceOf: (node) => checker.references[node.id],
  };
}

const maxIssues = 20;

class Checker {
  readonly issues: Issue[] = [];
  readonly types: Type[] = [];
  readonly references: Reference[] = [];
  readonly substitution = new Substitution();
  readonly #ast: Ast;
  readonly #scope: Scope;
  readonly #literals: (List | MapLiteral)[] = [];
  #locals: Map<string, Type>[] = [];
  /** Within how many calls of format() we are: its arguments may have any types. */
  #mixing = 0;

  constructor(ast: Ast, scope: Scope) {
    this.#ast = ast;
    this.#scope = scope;
  }

  check(node: Expr): Type {
    const type = this.#typeOf(node);
    this.types[node.id] = type;
    return type;
  }

  #typeOf(node: Expr): Type {
    switch (node.kind) {
      case "literal":
        return literalType(node.value);
      case "ident":
        return this.#resolved(node, node.name) ?? this.#undeclared(node, node.name);
      case "select":
        return this.#select(node);
      case "call":
        return this.#call(node);
      case "list":
        return this.#list(node);
      case "map":
        return this.#map(node);
      case "struct":
        for (const field of node.fields) this.check(field.value);
        return this.#issue(node, `message literals like ${node.name}{...} are not available`, "write a map: {'field': value}");
      case "comprehension":
        return this.#comprehension(node);
    }
  }

  #issue(node: { at: number }, message: string, hint?: string): Type {
    if (this.issues.length < maxIssues)
      this.issues.push({ ...placeOf(this.#ast.source, node.at), message, ...(hint === undefined ? {} : { hint }) });
    return errorType;
  }

  /** Records what a name means and gives its type, or undefined if it means nothing here. */
  #resolved(node: Expr, name: string): Type | undefined {
    const local = name.startsWith(".") ? undefined : this.#locals.findLast((names) => names.has(name));
    if (local) {
      this.references[node.id] = { kind: "local", name };
      return local.get(name)!;
    }
    const found = this.#scope.resolve(name);
    if (found)
      this.references[node.id] =
        found.value === undefined ? { kind: "variable", name: found.name } : { kind: "constant", value: found.value };
    return found?.type;
  }

  #undeclared(node: Expr, name: string): Type {
    this.references[node.id] = { kind: "undeclared", name };
    return this.#issue(node, `undeclared reference to '${name}'`, hints.forVariable(name, this.#scope, this.#locals));
  }

  #select(node: Select): Type {
    const qualified = node.test ? undefined : qualifiedName(node);
    if (qualified !== undefined && !this.#isLocal(qualified)) {
      const type = this.#resolved(node, qualified);
      if (type) return type;
    }
    const type = this.#field(node, node.operand, node.field, false);
    return node.test ? bool : this.substitution.resolve(type);
  }

  #isLocal(qualified: string): boolean {
    const first = qualified.slice(0, qualified.indexOf("."));
    return this.#locals.some((names) => names.has(first));
  }

  #field(node: Expr, operand: Expr, field: string, optional: boolean): Type {
    const operandType = this.substitution.resolve(this.check(operand));
    const content = optionalContent(operandType);
    const type = this.#fieldType(node, content ?? operandType, field);
    return content || optional ? optionalOf(type) : type;
  }

  #fieldType(node: Expr, type: Type, field: string): Type {
    switch (type.kind) {
      case "map":
        return type.params[1]!;
      case "struct":
        return type.fields?.get(field)?.type ?? this.#issue(node, `undefined field '${field}'`, hints.forField(field, type));
      case "param":
        this.substitution.assignable(dyn, type);
        return dyn;
      default:
        if (!isDyn(type)) this.#issue(node, `type '${type}' does not support field selection`, hints.forSelection(type));
        return dyn;
    }
  }

  #call(node: Call): Type {
    if (node.name === "_?._") return this.#optionalSelect(node);
    // A function of another version, or a macro used wrongly: its arguments would only add complaints that follow from it.
    if (node.target && this.#isForeign(node.target, node.name)) return this.#unknownFunction(node);
    if (node.name === "format") this.#mixing++;
    for (const arg of node.args) this.check(arg);
    if (node.name === "format") this.#mixing--;
    if (node.target === undefined) {
      const declaration = this.#scope.function(node.name);
      return declaration ? this.#overload(node, declaration, undefined) : this.#unknownFunction(node);
    }
    const prefix = qualifiedName(node.target);
    const namespaced = prefix === undefined || this.#isLocal(`${prefix}.`) ? undefined : this.#scope.function(`${prefix}.${node.name}`);
    if (namespaced) return this.#overload(node, namespaced, undefined);
    this.check(node.target);
    const declaration = this.#scope.function(node.name);
    return declaration ? this.#overload(node, declaration, node.target) : this.#unknownFunction(node);
  }

  #isForeign(target: Expr, name: string): boolean {
    const path = qualifiedName(target);
    if (
      path === undefined ||
      this.#isLocal(`${path}.`) ||
      this.#scope.resolve(path.split(".")[0]!) ||
      this.#scope.function(`${path}.${name}`)
    )
      return false;
    return this.#scope.options.elsewhere(`${path}.${name}`) !== undefined;
  }

  #optionalSelect(node: Call): Type {
    const [operand, field] = node.args as [Expr, Expr];
    this.types[field.id] = string;
    const overloads = this.#scope.function("_?._")?.overloads ?? [];
    this.references[node.id] = { kind: "call", name: "_?._", overloads, target: undefined };
    return this.substitution.resolve(this.#field(node, operand, field.kind === "literal" ? String(field.value) : "", true));
  }

  #unknownFunction(node: Call): Type {
    this.references[node.id] = { kind: "undeclared", name: node.name };
    return this.#issue(node, `undeclared reference to '${node.name}'`, hints.forFunction(node, this.#scope));
  }

  /** Picks the forms of a function that the argument types allow: one if they are known, several if some are dyn. */
  #overload(node: Call, declaration: FunctionDeclaration, target: Expr | undefined): Type {
    const operands = target ? [target, ...node.args] : node.args;
    const types = operands.map((operand) => this.types[operand.id]!);
    const fitting: Overload[] = [];
    let result: Type | undefined;
    for (const overload of declaration.overloads) {
      if (overload.member !== (target !== undefined) || overload.params.length !== types.length) continue;
      const { params, result: declared } = this.#instance(overload);
      if (!this.substitution.allAssignable(types, params)) continue;
      fitting.push(overload);
      const type = this.substitution.resolve(declared);
      if (result === undefined) result = type;
      else if (!isDyn(result) && String(result) !== String(type)) result = dyn;
    }
    const { name } = declaration;
    if (result === undefined) {
      const sameStyle = declaration.overloads.filter(
        ({ member, params }) => member === (target !== undefined) && params.length === types.length,
      );
      this.references[node.id] = { kind: "call", name, overloads: sameStyle, target };
      const shown = types.map((type) => this.substitution.resolve(type, true));
      return this.#issue(node, hints.noOverload(name, shown, target !== undefined), hints.forOverload(declaration, shown));
    }
    this.references[node.id] = { kind: "call", name, overloads: fitting, target };
    return result;
  }

  #instance(overload: Overload): Pick<Overload, "params" | "result"> {
    if (overload.typeParams.length === 0) return overload;
    const fresh = new Map(overload.typeParams.map((name) => [name, this.substitution.newVariable()]));
    return { params: overload.params.map((type) => rename(type, fresh)), result: rename(overload.result, fresh) };
  }

  #list(node: List): Type {
    if (this.#mixing === 0) this.#literals.push(node);
    let joined: Type | undefined;
    node.elements.forEach((element, index) => {
      const type = this.check(element);
      joined = this.#join(joined, node.optional.includes(index) ? this.#content(element, type) : type);
    });
    return listOf(joined ?? this.substitution.newVariable());
  }

  #map(node: MapLiteral): Type {
    if (this.#mixing === 0) this.#literals.push(node);
    let keys: Type | undefined;
    let values: Type | undefined;
    for (const { key, value, optional } of node.entries) {
      keys = this.#join(keys, this.check(key));
      const type = this.check(value);
      values = this.#join(values, optional ? this.#content(value, type) : type);
    }
    return mapOf(keys ?? this.substitution.newVariable(), values ?? this.substitution.newVariable());
  }

  #content(node: Expr, type: Type): Type {
    const content = optionalContent(type);
    if (content) return content;
    if (!isDyn(type))
      this.#issue(node, `expected type '${optionalOf(type)}' but found '${type}'`, "an entry written with ? takes an optional, like a.?b");
    return type;
  }

  #join(previous: Type | undefined, current: Type): Type {
    if (previous === undefined) return current;
    return this.substitution.assignable(previous, current) ? mostGeneral(previous, current) : dyn;
  }

  /** See one-type.ts. */
  checkLiterals(): void {
    const fault = (node: Expr, message: string, hint: string): void => void this.#issue(node, message, hint);
    expectOneType(this.#literals, (node) => this.substitution.resolve(this.types[node.id]!, true), fault);
  }

  #comprehension(node: Comprehension): Type {
    const range = this.substitution.resolve(this.check(node.range));
    const accumulated = this.check(node.init);
    const [first, second] = this.#variableTypes(node, range);
    this.#locals.push(new Map([[node.accumulator, accumulated]]));
    this.#locals.push(new Map([[node.variable, first], ...(node.variable2 ? [[node.variable2, second] as const] : [])]));
    this.#expect(node.condition, bool);
    this.#expect(node.step, accumulated);
    this.#locals.pop();
    const result = this.substitution.resolve(this.check(node.result));
    this.#locals.pop();
    return result;
  }

  #variableTypes({ range, variable2 }: Comprehension, type: Type): [Type, Type] {
    if (type.kind === "list") return variable2 ? [int, type.params[0]!] : [type.params[0]!, dyn];
    if (type.kind === "map") return [type.params[0]!, type.params[1]!];
    if (type.kind === "param") this.substitution.assignable(dyn, type);
    else if (!isDyn(type))
      this.#issue(range, `expression of type '${type}' cannot be the range of a comprehension`, "it must be a list, a map, or dyn");
    return [dyn, dyn];
  }

  #expect(node: Expr, expected: Type): void {
    const found = this.check(node);
    if (this.substitution.assignable(expected, found)) return;
    this.#issue(node, `expected type '${this.substitution.resolve(expected, true)}' but found '${this.substitution.resolve(found, true)}'`);
  }
}

function rename(type: Type, names: ReadonlyMap<string, Type>): Type {
  if (type.kind === "param") return names.get(type.name) ?? type;
  return type.params.length === 0
    ? type
    : new Type(
        type.kind,
        type.name,
        type.params.map((inner) => rename(inner, names)),
      );
}
