import { accumulatorName, type Comprehension, type Expr, type FoldShape } from "./ast.ts";
import type { TreeBuilder } from "./builder.ts";
import { SyntaxFault } from "./literals.ts";

export interface MacroCall {
  at: number;
  target: Expr | undefined;
  name: string;
  args: readonly Expr[];
}

/** Expands a call, or gives undefined to leave it a function call. Throws SyntaxFault on a wrong argument. */
export type Macro = (tree: TreeBuilder, call: MacroCall) => Expr | undefined;

/** The macros of an environment, by name, number of arguments and call style. */
export class MacroTable {
  readonly #macros: ReadonlyMap<string, Macro>;

  constructor(...sets: readonly Readonly<Record<string, Macro>>[]) {
    this.#macros = new Map(sets.flatMap((set) => Object.entries(set)));
  }

  expand(tree: TreeBuilder, call: MacroCall): Expr | undefined {
    if (call.name.startsWith(".")) return undefined; // an absolute name is no macro's
    const name = (call.target ? "." : "") + call.name;
    const macro = this.#macros.get(`${name}/${call.args.length}`) ?? this.#macros.get(`${name}/*`);
    const expanded = macro?.(tree, call);
    // One that gives back what it was given, as cel.block() of no values does, leaves nothing to print.
    if (expanded && !call.args.includes(expanded)) tree.macros.set(expanded.id, { kind: "call", id: 0, ...call });
    return expanded;
  }
}

const has: Macro = (tree, { args: [arg] }) => {
  if (arg!.kind !== "select")
    throw new SyntaxFault(arg!.at, "invalid argument to has() macro", "has() tests a field, like has(object.spec)");
  return tree.select(arg!.at, arg!.operand, arg!.field, true);
};

/** The macros of the CEL specification. Key: a dot for a receiver, the name, the number of arguments (or * for any). */
export const standardMacros: Record<string, Macro> = {
  "has/1": has,
  ".all/2": (tree, call) => quantifier(tree, call, "all"),
  ".exists/2": (tree, call) => quantifier(tree, call, "exists"),
  ".exists_one/2": (tree, call) => quantifier(tree, call, "existsOne"),
  ".map/2": (tree, call) => transform(tree, call, "list", undefined, call.args[1]!),
  ".map/3": (tree, call) => transform(tree, call, "list", call.args[1]!, call.args[2]!),
  ".filter/2": (tree, call) => transform(tree, call, "list", call.args[1]!, call.args[0]!),
};

export const existsOneMacro: Record<string, Macro> = { ".existsOne/2": (tree, call) => quantifier(tree, call, "existsOne") };

/** cel-go's TwoVarComprehensions: index and element of a list, key and value of a map. */
export const twoVariableMacros: Record<string, Macro> = {
  ".all/3": (tree, call) => quantifier(tree, call, "all"),
  ".exists/3": (tree, call) => quantifier(tree, call, "exists"),
  ".exists_one/3": (tree, call) => quantifier(tree, call, "existsOne"),
  ".existsOne/3": (tree, call) => quantifier(tree, call, "existsOne"),
  ".transformList/3": (tree, call) => transform(tree, call, "list", undefined, call.args[2]!),
  ".transformList/4": (tree, call) => transform(tree, call, "list", call.args[2]!, call.args[3]!),
  ".transformMap/3": (tree, call) => transform(tree, call, "map", undefined, call.args[2]!),
  ".transformMap/4": (tree, call) => transform(tree, call, "map", call.args[2]!, call.args[3]!),
  ".transformMapEntry/3": (tree, call) => transform(tree, call, "mapEntry", undefined, call.args[2]!),
  ".transformMapEntry/4": (tree, call) => transform(tree, call, "mapEntry", call.args[2]!, call.args[3]!),
};

export const optionalMacros: Record<string, Macro> = {
  ".optMap/2": (tree, call) => whenPresent(tree, call, (bound) => tree.call(call.at, "optional.of", [bound])),
  ".optFlatMap/2": (tree, call) => whenPresent(tree, call, (bound) => bound),
};

export const bindingMacros: Record<string, Macro> = {
  ".bind/3": (tree, { at, target, args }) =>
    isNamed(target, "cel") ? bind(tree, at, simpleName(args[0]!), args[1]!, args[2]!) : undefined,
};

/** cel-go's cel.block: what optimizers write. Each value is made once, and may use those before it. */
export const blockMacros: Record<string, Macro> = {
  ".block/2": (tree, { at, target, args: [values, result] }) => {
    if (!isNamed(target, "cel")) return undefined;
    if (values!.kind !== "list") throw new SyntaxFault(values!.at, "cel.block() takes a list of values, and an expression");
    return values!.elements.reduceRight<Expr>((inner, value, i) => bind(tree, at, `@index${i}`, value, inner), result!);
  },
  ".index/1": (tree, { at, target, args: [index] }) =>
    isNamed(target, "cel") ? tree.ident(at, `@index${numbersOf([index!])}`) : undefined,
  ".iterVar/2": (tree, { at, target, args }) => (isNamed(target, "cel") ? tree.ident(at, `@it:${numbersOf(args)}`) : undefined),
  ".accuVar/2": (tree, { at, target, args }) => (isNamed(target, "cel") ? tree.ident(at, `@ac:${numbersOf(args)}`) : undefined),
};

function numbersOf(args: readonly Expr[]): string {
  return args
    .map((arg) => {
      if (arg.kind === "literal" && typeof arg.value === "number" && arg.value >= 0) return arg.value;
      throw new SyntaxFault(arg.at, "a literal number is needed");
    })
    .join(":");
}

const isNamed = (node: Expr | undefined, name: string): boolean => node?.kind === "ident" && node.name === name;

function simpleName(node: Expr): string {
  if (node.kind === "ident" && !node.name.startsWith(".")) {
    if (node.name !== accumulatorName && node.name !== "__result__") return node.name;
    throw new SyntaxFault(node.at, "iteration variable overwrites accumulator variable");
  }
  throw new SyntaxFault(node.at, "a macro's variable must be a simple name", "like x in list.all(x, x > 0)");
}

/** One variable or two, depending on the number of arguments: the last one (or two) are the bodies. */
function variables({ args }: MacroCall, bodies: number): { variable: string; variable2: string } {
  const names = args.slice(0, args.length - bodies).map(simpleName);
  if (names[0] === names[1]) throw new SyntaxFault(args[1]!.at, `duplicate variable name: ${names[0]}`);
  return { variable: names[0]!, variable2: names[1] ?? "" };
}

function quantifier(tree: TreeBuilder, call: MacroCall, shape: "all" | "exists" | "existsOne"): Comprehension {
  const { at, target } = call;
  const names = variables(call, 1);
  const body = call.args.at(-1)!;
  const accumulated = () => tree.ident(at, accumulatorName);
  const number = (value: number) => tree.literal(at, value);
  const parts = {
    all: () => ({
      init: tree.literal(at, true),
      condition: tree.call(at, "@not_strictly_false", [accumulated()]),
      step: tree.call(at, "_&&_", [accumulated(), body]),
      result: accumulated(),
    }),
    exists: () => ({
      init: tree.literal(at, false),
      condition: tree.call(at, "@not_strictly_false", [tree.call(at, "!_", [accumulated()])]),
      step: tree.call(at, "_||_", [accumulated(), body]),
      result: accumulated(),
    }),
    existsOne: () => ({
      init: number(0),
      condition: tree.literal(at, true),
      step: tree.call(at, "_?_:_", [body, tree.call(at, "_+_", [accumulated(), number(1)]), accumulated()]),
      result: tree.call(at, "_==_", [accumulated(), number(1)]),
    }),
  }[shape]();
  return tree.comprehension(at, { shape, ...names, accumulator: accumulatorName, range: target!, ...parts }, [target!, body]);
}

function transform(
  tree: TreeBuilder,
  call: MacroCall,
  shape: "list" | "map" | "mapEntry",
  filter: Expr | undefined,
  body: Expr,
): Comprehension {
  const { at, target, name } = call;
  // A filter gives its variable itself, so the body of `filter` is the name and no argument of its own.
  const isFilter = name === "filter";
  const names = variables(call, isFilter ? 1 : filter ? 2 : 1);
  const accumulated = () => tree.ident(at, accumulatorName);
  const add = () => {
    if (shape === "list") return tree.call(at, "_+_", [accumulated(), tree.list(at, [body])]);
    const entry = shape === "map" ? [tree.ident(at, names.variable), body] : [body];
    return tree.call(at, "cel.@mapInsert", [accumulated(), ...entry]);
  };
  const step = filter ? tree.call(at, "_?_:_", [filter, add(), accumulated()]) : add();
  const init = shape === "list" ? tree.list(at, []) : tree.map(at, []);
  const parts = {
    shape,
    ...names,
    accumulator: accumulatorName,
    range: target!,
    init,
    condition: tree.literal(at, true),
    step,
    result: accumulated(),
  };
  return tree.comprehension(at, parts, filter ? [target!, filter, body] : [target!, body]);
}

/** `range.map(x, body)` */
export const expandMap = (tree: TreeBuilder, at: number, range: Expr, args: readonly Expr[]): Comprehension =>
  transform(tree, { at, target: range, name: "map", args }, "list", undefined, args[1]!);

/** A comprehension that runs no step: its result sees the variable, whose value is made when first read. */
export function bind(tree: TreeBuilder, at: number, name: string, value: Expr, result: Expr): Comprehension {
  const shape: FoldShape = "bind";
  const parts = { shape, variable: "#unused", variable2: "", accumulator: name, range: tree.list(at, []), init: value };
  return tree.comprehension(at, { ...parts, condition: tree.literal(at, false), step: tree.ident(at, name), result }, [value, result]);
}

function whenPresent(tree: TreeBuilder, { at, target, args }: MacroCall, wrap: (bound: Expr) => Expr): Expr {
  const value = tree.call(at, "value", [], tree.copy(target!));
  const bound = bind(tree, at, simpleName(args[0]!), value, args[1]!);
  return tree.call(at, "_?_:_", [tree.call(at, "hasValue", [], target), wrap(bound), tree.call(at, "optional.none", [])]);
}
