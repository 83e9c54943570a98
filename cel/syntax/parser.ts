import { Double, Uint, type Value } from "../values/values.ts";
import { canonicalInt, maxInt, maxUint } from "../values/numbers.ts";
import { CompileError, placeOf, type Ast, type Call, type Expr } from "./ast.ts";
import { TreeBuilder } from "./builder.ts";
import { Cursor, describe } from "./cursor.ts";
import { tokenize, type Token } from "./lexer.ts";
import { reserved } from "./reserved.ts";
import { SyntaxFault } from "./literals.ts";
import type { MacroTable } from "./macros.ts";
import { ownTable } from "../values/own-table.ts";

export interface ParseOptions {
  macros: MacroTable;
  /** `.?`, `[?]`, `{?k: v}` */
  optionals: boolean;
  /** a.`b-c` */
  quotedIdentifiers: boolean;
  /** How deep it may nest; by default `maxDepth`. */
  depth?: number;
}

/** Limits on input, those of Kubernetes: code points of an expression, and how deep it may nest. */
export const maxSourceLength = 100_000;
export const maxDepth = 250;

/** Parses one expression. Throws CompileError. Recursion is bounded by `maxDepth`, size by `maxSourceLength`. */
export function parse(source: string, options: ParseOptions): Ast {
  try {
    if (source.length > maxSourceLength && [...source].length > maxSourceLength)
      throw new SyntaxFault(0, `the expression is longer than ${maxSourceLength} characters`);
    const parser = new Parser(source, options);
    const root = parser.expression();
    parser.expectEnd();
    return { source, root, macros: parser.tree.macros, lastId: parser.tree.lastId };
  } catch (fault) {
    if (!(fault instanceof SyntaxFault)) throw fault;
    const place = placeOf(source, fault.at);
    throw new CompileError([
      fault.hint === undefined ? { ...place, message: fault.message } : { ...place, message: fault.message, hint: fault.hint },
    ]);
  }
}

const relations = new Set(["<", "<=", ">=", ">", "==", "!=", "in"]);

class Parser extends Cursor {
  readonly tree: TreeBuilder;
  readonly #depth: number;
  readonly #options: ParseOptions;
  #nesting = 0;

  constructor(source: string, options: ParseOptions) {
    super(tokenize(source));
    this.#options = options;
    this.#depth = options.depth ?? maxDepth;
    this.tree = new TreeBuilder(this.#depth);
  }

  expression(): Expr {
    if (++this.#nesting > this.#depth) throw new SyntaxFault(this.peek.at, `the expression nests deeper than ${this.#depth} levels`);
    const condition = this.#or();
    let whole = condition;
    const question = this.accept("?");
    if (question) {
      const then = this.#or();
      this.expect(":", "a condition has two branches: c ? a : b");
      whole = this.tree.call(question.at, "_?_:_", [condition, then, this.expression()]);
    }
    this.#nesting--;
    return whole;
  }

  #or(): Expr {
    return this.#logic("||", "_||_", () => this.#logic("&&", "_&&_", () => this.#relation()));
  }

  #logic(symbol: string, name: string, operand: () => Expr): Expr {
    const first = operand();
    if (!this.is(symbol)) return first;
    const terms = [first];
    const at: number[] = [];
    for (let token = this.accept(symbol); token; token = this.accept(symbol)) {
      at.push(token.at);
      terms.push(operand());
    }
    return this.#balanced(name, terms, at, 0, at.length - 1);
  }

  /** Long chains become balanced trees, as cel-go makes them, so that their depth stays small. */
  #balanced(name: string, terms: Expr[], at: number[], low: number, high: number): Expr {
    const middle = (low + high + 1) >> 1;
    const left = middle === low ? terms[middle]! : this.#balanced(name, terms, at, low, middle - 1);
    const right = middle === high ? terms[middle + 1]! : this.#balanced(name, terms, at, middle + 1, high);
    return this.tree.call(at[middle]!, name, [left, right]);
  }

  #relation(): Expr {
    let left = this.#sum();
    while (relations.has(this.peek.text) && (this.peek.kind === "symbol" || this.is("in"))) {
      const { text, at } = this.take();
      left = this.tree.call(at, text === "in" ? "@in" : `_${text}_`, [left, this.#sum()]);
    }
    return left;
  }

  #sum(): Expr {
    let left = this.#product();
    for (let token = this.accept("+") ?? this.accept("-"); token; token = this.accept("+") ?? this.accept("-"))
      left = this.tree.call(token.at, `_${token.text}_`, [left, this.#product()]);
    return left;
  }

  #product(): Expr {
    let left = this.#unary();
    const operator = () => this.accept("*") ?? this.accept("/") ?? this.accept("%");
    for (let token = operator(); token; token = operator()) left = this.tree.call(token.at, `_${token.text}_`, [left, this.#unary()]);
    return left;
  }

  #unary(): Expr {
    const not = this.#repeated("!");
    if (not.count > 0) {
      const operand = this.#member();
      return not.count % 2 === 0 ? operand : this.tree.call(not.at, "!_", [operand]);
    }
    const minus = this.#repeated("-");
    if (minus.count === 0) return this.#member();
    const { kind } = this.peek;
    // A single minus before a number is part of the number, so that the smallest int can be written.
    if (minus.count === 1 && (kind === "int" || kind === "double")) return this.#suffixes(this.#number("-", minus.at));
    const operand = this.#member();
    return minus.count % 2 === 0 ? operand : this.tree.call(minus.at, "-_", [operand]);
  }

  #repeated(symbol: string): { count: number; at: number } {
    const at = this.peek.at;
    let count = 0;
    while (this.accept(symbol)) count++;
    return { count, at };
  }

  #member(): Expr {
    return this.#suffixes(this.#primary());
  }

  #suffixes(start: Expr): Expr {
    let operand = start;
    for (;;) {
      const token = this.peek;
      if (this.accept(".")) operand = this.#afterDot(operand, token.at);
      else if (this.accept("[")) {
        const optional = this.#optional("[?");
        const index = this.expression();
        this.expect("]");
        operand = this.tree.call(token.at, optional ? "_[?_]" : "_[_]", [operand, index]);
      } else return operand;
    }
  }

  #afterDot(operand: Expr, at: number): Expr {
    const optional = this.#optional(".?");
    const name = this.#fieldName();
    if (optional) return this.tree.call(at, "_?._", [operand, this.tree.literal(name.at, name.text)]);
    if (name.kind === "quotedIdent" || !this.accept("(")) return this.tree.select(name.at, operand, name.text, false);
    const args = this.#arguments();
    return this.#callOrMacro(name.at, operand, name.text, args);
  }

  #optional(syntax: string): boolean {
    const token = this.accept("?");
    if (token && !this.#options.optionals)
      throw new SyntaxFault(token.at, `optional syntax '${syntax}' is not available in this environment`, "Kubernetes has it since 1.28");
    return token !== undefined;
  }

  #fieldName(): Token {
    const token = this.peek;
    if (token.kind === "quotedIdent" && !this.#options.quotedIdentifiers)
      throw new SyntaxFault(token.at, "quoted field names are not available in this environment", 'write it as an index: object["name"]');
    if ((token.kind !== "ident" || notAField.has(token.text)) && token.kind !== "quotedIdent")
      throw new SyntaxFault(token.at, `expected a field name, found ${describe(token)}`);
    return this.take();
  }

  #arguments(): Expr[] {
    const args: Expr[] = [];
    if (this.accept(")")) return args;
    do args.push(this.expression());
    while (this.accept(","));
    this.expect(")");
    return args;
  }

  #callOrMacro(at: number, target: Expr | undefined, name: string, args: Expr[]): Expr {
    const expanded = this.#options.macros.expand(this.tree, { at, target, name, args });
    return expanded ?? this.tree.add<Call>({ kind: "call", target, name, args }, at, target ? [target, ...args] : args);
  }

  #primary(): Expr {
    const token = this.take();
    switch (token.kind) {
      case "int":
      case "uint":
      case "double":
        this.back();
        return this.#number("", token.at);
      case "string":
      case "bytes":
        return this.tree.literal(token.at, token.content!);
      case "ident":
        return this.#identifier(token, "");
      case "symbol":
        if (token.text === "(") {
          const inner = this.expression();
          this.expect(")");
          return inner;
        }
        if (token.text === "[") return this.#list(token.at);
        if (token.text === "{") return this.#map(token.at);
        if (token.text === "." && this.peek.kind === "ident") return this.#identifier(this.take(), ".");
    }
    throw new SyntaxFault(token.at, `unexpected ${describe(token)}`);
  }

  #number(sign: "" | "-", at: number): Expr {
    const { kind, text } = this.take();
    return this.tree.literal(at, numberValue(kind, sign, text, at));
  }

  #identifier(token: Token, dot: string): Expr {
    const { text, at } = token;
    if (dot === "" && text in constants) return this.tree.literal(at, constants[text]!);
    const struct = this.#structName(text);
    if (struct !== undefined) return this.#struct(dot + struct, at);
    if (reserved.has(text)) throw new SyntaxFault(at, `'${text}' is a reserved word`, "it may be a field, but no variable");
    if (this.accept("(")) return this.#callOrMacro(at, undefined, dot + text, this.#arguments());
    return this.tree.ident(at, dot + text);
  }

  /** The name of a message literal `a.b.C{...}` that starts here, past which it moves, or undefined. */
  #structName(first: string): string | undefined {
    let name = first;
    let ahead = 0;
    while (this.ahead(ahead).text === "." && this.ahead(ahead + 1).kind === "ident") {
      name += `.${this.ahead(ahead + 1).text}`;
      ahead += 2;
    }
    const { kind, text } = this.ahead(ahead);
    if (kind !== "symbol" || text !== "{") return undefined;
    this.skip(ahead + 1);
    return name;
  }

  #struct(name: string, at: number): Expr {
    const fields: { name: string; value: Expr; optional: boolean; id: number }[] = [];
    while (!this.accept("}")) {
      const optional = this.#optional("{?");
      const id = this.tree.newId();
      const field = this.#fieldName();
      this.expect(":");
      fields.push({ name: field.text, value: this.expression(), optional, id });
      if (!this.accept(",") && !this.is("}")) this.expect("}");
    }
    return this.tree.struct(at, name, fields);
  }

  #list(at: number): Expr {
    const elements: Expr[] = [];
    const optional: number[] = [];
    while (!this.accept("]")) {
      if (this.#optional("[?")) optional.push(elements.length);
      elements.push(this.expression());
      if (!this.accept(",") && !this.is("]")) this.expect("]");
    }
    return this.tree.list(at, elements, optional);
  }

  #map(at: number): Expr {
    const entries: { key: Expr; value: Expr; optional: boolean; id: number }[] = [];
    while (!this.accept("}")) {
      const optional = this.#optional("{?");
      const id = this.tree.newId();
      const key = this.expression();
      this.expect(":");
      entries.push({ key, value: this.expression(), optional, id });
      if (!this.accept(",") && !this.is("}")) this.expect("}");
    }
    return this.tree.map(at, entries);
  }
}

const constants = ownTable<Value>({ true: true, false: false, null: null });
const notAField = new Set(["true", "false", "null", "in"]);

function numberValue(kind: string, sign: "" | "-", text: string, at: number): Value {
  if (kind === "double") {
    const value = Number(sign + text);
    if (!Number.isFinite(value)) throw new SyntaxFault(at, "this number does not fit a double", 'infinity is written double("Infinity")');
    return new Double(value);
  }
  const magnitude = BigInt(text);
  if (kind === "uint") {
    if (magnitude > maxUint) throw new SyntaxFault(at, "this number does not fit a uint (64 bits)");
    return new Uint(magnitude);
  }
  if (magnitude > maxInt + (sign ? 1n : 0n))
    throw new SyntaxFault(at, "this number does not fit an int (64 bits, signed)", "a uint is written with u, a double with a point");
  return canonicalInt(sign ? -magnitude : magnitude);
}
