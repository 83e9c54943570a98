import type { Ast, Expr } from "../syntax/ast.ts";
import { Double, Uint, type Value } from "../values/values.ts";
import type { Overload } from "./functions.ts";
import { bool, bytes, double, int, nullType, string, uint, type Type } from "./types.ts";

/** What a name or call turned out to mean. */
export type Reference =
  | { kind: "variable"; name: string }
  | { kind: "local"; name: string }
  | { kind: "constant"; value: Value }
  | { kind: "call"; name: string; overloads: readonly Overload[]; target: Expr | undefined }
  | { kind: "undeclared"; name: string };

/** A checked expression: types and references by node id. */
export interface Checked {
  ast: Ast;
  type: Type;
  typeOf(node: Expr): Type;
  referenceOf(node: Expr): Reference | undefined;
}

/** `a.b.c` as a name, if the node is only that. */
export function qualifiedName(node: Expr): string | undefined {
  if (node.kind === "ident") return node.name;
  if (node.kind !== "select" || node.test) return undefined;
  const prefix = qualifiedName(node.operand);
  return prefix === undefined ? undefined : `${prefix}.${node.field}`;
}

export function literalType(value: Value): Type {
  switch (typeof value) {
    case "string":
      return string;
    case "boolean":
      return bool;
    case "number":
    case "bigint":
      return int;
    default:
      if (value === null) return nullType;
      return value instanceof Double ? double : value instanceof Uint ? uint : bytes;
  }
}
