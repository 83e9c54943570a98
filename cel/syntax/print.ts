import { formatBytesLiteral, formatDoubleLiteral, formatStringLiteral } from "./print-literals.ts";
import type { Ast, Call, Expr, Literal } from "./ast.ts";
import { Double, Uint } from "../values/values.ts";
import { ownTable } from "../values/own-table.ts";

/** Writes an expression so that parsing it gives the same tree, macros as they were called. */
export const print = (ast: Ast): string => printNode(ast, ast.root);

/** The same for one node of a tree. */
export function printNode(ast: Pick<Ast, "macros">, node: Expr): string {
  return new Printer(ast.macros).print(node, 0);
}

const binary = ownTable<readonly [symbol: string, strength: number]>({
  "_||_": ["||", 2],
  "_&&_": ["&&", 3],
  "_==_": ["==", 4],
  "_!=_": ["!=", 4],
  "_<_": ["<", 4],
  "_<=_": ["<=", 4],
  "_>_": [">", 4],
  "_>=_": [">=", 4],
  "@in": ["in", 4],
  "_+_": ["+", 5],
  "_-_": ["-", 5],
  "_*_": ["*", 6],
  "_/_": ["/", 6],
  "_%_": ["%", 6],
});
const unary = 7;
const member = 8;

class Printer {
  readonly #macros: ReadonlyMap<number, Call>;

  constructor(macros: ReadonlyMap<number, Call>) {
    this.#macros = macros;
  }

  /** `strength`: what the surroundings bind with; a weaker expression is put in parentheses. */
  print(node: Expr, strength: number): string {
    const macro = this.#macros.get(node.id);
    if (macro) return this.#call(macro, strength);
    switch (node.kind) {
      case "literal":
        return literal(node, strength);
      case "ident":
        return node.name;
      case "select":
        return node.test ? `has(${this.#select(node.operand, node.field)})` : this.#select(node.operand, node.field);
      case "call":
        return this.#call(node, strength);
      case "list":
        return `[${node.elements.map((element, i) => (node.optional.includes(i) ? "?" : "") + this.print(element, 0)).join(", ")}]`;
      case "map":
        return `{${node.entries.map(({ key, value, optional }) => `${optional ? "?" : ""}${this.print(key, 0)}: ${this.print(value, 0)}`).join(", ")}}`;
      case "struct":
        return `${node.name}{${node.fields.map(({ name, value, optional }) => `${optional ? "?" : ""}${fieldName(name)}: ${this.print(value, 0)}`).join(", ")}}`;
      case "comprehension":
        return `__comprehension__(${node.variable}, ${this.print(node.range, 0)})`;
    }
  }

  #select(operand: Expr, field: string): string {
    return `${this.print(operand, member)}.${fieldName(field)}`;
  }

  #call(node: Call, strength: number): string {
    const { name, args, target } = node;
    if (target) return `${this.print(target, member)}.${name}(${this.#args(args)})`;
    const [a, b, c] = args as [Expr, Expr, Expr];
    const operator = args.length === 2 ? binary[name] : undefined;
    if (operator) return this.#binary(operator, a, b, name, strength);
    switch (name) {
      case "_?_:_":
        return wrapped(`${this.print(a, 2)} ? ${this.print(b, 2)} : ${this.print(c, 1)}`, strength > 1);
      case "!_":
        return wrapped(`!${this.print(a, member)}`, strength > unary);
      case "-_":
        return wrapped(negated(this.print(a, member)), strength > unary);
      case "_[_]":
        return `${this.print(a, member)}[${this.print(b, 0)}]`;
      case "_[?_]":
        return `${this.print(a, member)}[?${this.print(b, 0)}]`;
      case "_?._":
        return `${this.print(a, member)}.?${fieldName(b.kind === "literal" ? String(b.value) : "")}`;
      default:
        return `${name}(${this.#args(args)})`;
    }
  }

  #args(args: readonly Expr[]): string {
    return args.map((arg) => this.print(arg, 0)).join(", ");
  }

  /** Chains of && and || are parsed into balanced trees, so they are printed as chains only if that gives the same tree. */
  #binary([symbol, own]: readonly [string, number], a: Expr, b: Expr, name: string, strength: number): string {
    const logical = own === 2 || own === 3;
    if (logical) {
      const terms = this.#terms(name, a, b);
      if (terms) return wrapped(terms.map((term) => this.print(term, own + 1)).join(` ${symbol} `), strength > own);
    }
    return wrapped(`${this.print(a, logical ? own + 1 : own)} ${symbol} ${this.print(b, own + 1)}`, strength > own);
  }

  /** The terms of a chain whose balanced tree this is. A parenthesised chain within it stays a term of its own. */
  #terms(name: string, a: Expr, b: Expr): Expr[] | undefined {
    const flat: Expr[] = [];
    const collect = (node: Expr): void => {
      if (node.kind === "call" && node.name === name && !this.#macros.has(node.id)) node.args.forEach(collect);
      else flat.push(node);
    };
    collect(a);
    collect(b);
    return sameShape(
      balancedShape(0, flat.length - 2),
      shapeOf(name, { kind: "call", name, args: [a, b], target: undefined, id: 0, at: 0 }, this.#macros),
    )
      ? flat
      : undefined;
  }
}

/** A tree without its leaves: the numbers of terms to the left and right, all the way down. */
type Shape = null | readonly [Shape, Shape];

function balancedShape(low: number, high: number): Shape {
  const middle = (low + high + 1) >> 1;
  return [middle === low ? null : balancedShape(low, middle - 1), middle === high ? null : balancedShape(middle + 1, high)];
}

function shapeOf(name: string, node: Expr, macros: ReadonlyMap<number, Call>): Shape {
  if (node.kind !== "call" || node.name !== name || macros.has(node.id)) return null;
  return [shapeOf(name, node.args[0]!, macros), shapeOf(name, node.args[1]!, macros)];
}

function sameShape(a: Shape, b: Shape): boolean {
  if (a === null || b === null) return a === b;
  return sameShape(a[0], b[0]) && sameShape(a[1], b[1]);
}

const wrapped = (text: string, parenthesised: boolean): string => (parenthesised ? `(${text})` : text);

/** A minus right before a number would become part of it. */
const negated = (operand: string): string => (/^[\d.]/.test(operand) ? `-(${operand})` : `-${operand}`);

const fieldName = (name: string): string =>
  /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !["in", "true", "false", "null"].includes(name) ? name : `\`${name}\``;

function literal({ value }: Literal, strength: number): string {
  if (typeof value === "string") return formatStringLiteral(value);
  if (value instanceof Uint8Array) return formatBytesLiteral(value);
  if (value instanceof Uint) return `${value.value}u`;
  const text = value instanceof Double ? formatDoubleLiteral(value.value) : String(value);
  // A negative number below a suffix: (-1).abs, since -1.abs would negate the call.
  return wrapped(text, strength >= member && text.startsWith("-"));
}
