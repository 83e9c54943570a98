import type { Value } from "../values/values.ts";

/**
 * The tree of an expression, as the CEL specification has it (cel/expr/syntax.proto): macros stand expanded as comprehensions.
 * `id` is unique in its tree and counts from 1; `at` is the offset in the source, in UTF-16 units, that errors point to.
 */
export type Expr = Literal | Ident | Select | Call | List | MapLiteral | Struct | Comprehension;

interface Node {
  readonly id: number;
  readonly at: number;
}

export interface Literal extends Node {
  readonly kind: "literal";
  readonly value: Value;
}

export interface Ident extends Node {
  readonly kind: "ident";
  readonly name: string;
}

/** `operand.field`, or with `test` the expansion of `has(operand.field)`. */
export interface Select extends Node {
  readonly kind: "select";
  readonly operand: Expr;
  readonly field: string;
  readonly test: boolean;
}

/** A function call; operators have the names of the specification, like `_+_`, `_?_:_`, `_[_]`, `_?._`. */
export interface Call extends Node {
  readonly kind: "call";
  readonly target: Expr | undefined;
  readonly name: string;
  readonly args: readonly Expr[];
}

export interface List extends Node {
  readonly kind: "list";
  readonly elements: readonly Expr[];
  /** Indices of the elements written `?e`. */
  readonly optional: readonly number[];
}

export interface MapLiteral extends Node {
  readonly kind: "map";
  readonly entries: readonly { key: Expr; value: Expr; optional: boolean; id: number }[];
}

export interface Struct extends Node {
  readonly kind: "struct";
  readonly name: string;
  readonly fields: readonly { name: string; value: Expr; optional: boolean; id: number }[];
}

/** Which macro a comprehension came from, so that it can run as a plain loop: see run/folds.ts. */
export type FoldShape = "all" | "exists" | "existsOne" | "list" | "map" | "mapEntry" | "bind" | "block";

export interface Comprehension extends Node {
  readonly kind: "comprehension";
  readonly shape: FoldShape;
  readonly variable: string;
  /** "" unless it is a two-variable comprehension. */
  readonly variable2: string;
  readonly range: Expr;
  readonly accumulator: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

/** A parsed expression, with the macro calls that its expansions came from (by the id of the expansion). */
export interface Ast {
  readonly source: string;
  readonly root: Expr;
  readonly macros: ReadonlyMap<number, Call>;
  /** The largest id in use. */
  readonly lastId: number;
}

/** One place in a source: line and column count from 1, columns in code points. */
export interface Place {
  line: number;
  column: number;
}

/** What is wrong with an expression, where, and what to do about it. */
export interface Issue extends Place {
  message: string;
  hint?: string;
}

export function placeOf(source: string, at: number): Place {
  const before = source.slice(0, at);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: Array.from(before.slice(lineStart)).length + 1 };
}

/** Refused when compiled; `issues` has every fault found. */
export class CompileError extends Error {
  readonly issues: readonly Issue[];
  constructor(issues: readonly Issue[]) {
    super(issues.map(({ line, column, message, hint }) => `${line}:${column}: ${message}${hint ? ` (${hint})` : ""}`).join("\n"));
    this.name = "CompileError";
    this.issues = issues;
  }
}

export const accumulatorName = "@result";
