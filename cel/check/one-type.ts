import type { Expr, List, MapLiteral } from "../syntax/ast.ts";
import { optionalContent, type Type } from "./types.ts";

type Fault = (node: Expr, message: string, hint: string) => void;

/**
 * Kubernetes wants the values of a literal to have exactly one type, dyn beside int being two (cel-go
 * ValidateHomogeneousAggregateLiterals). Arguments of format() are exempt: such literals are not given here.
 */
export function expectOneType(literals: readonly (List | MapLiteral)[], typeOf: (node: Expr) => Type, fault: Fault): void {
  for (const node of literals) {
    if (node.kind === "list") {
      compare(
        node.elements,
        node.elements.map((element, i) => content(typeOf(element), node.optional.includes(i))),
        "list",
        fault,
      );
      continue;
    }
    compare(
      node.entries.map(({ key }) => key),
      node.entries.map(({ key }) => typeOf(key)),
      "map",
      fault,
    );
    compare(
      node.entries.map(({ value }) => value),
      node.entries.map(({ value, optional }) => content(typeOf(value), optional)),
      "map",
      fault,
    );
  }
}

const content = (type: Type, optional: boolean): Type => (optional ? (optionalContent(type) ?? type) : type);

function compare(nodes: readonly Expr[], types: readonly Type[], literal: string, fault: Fault): void {
  const odd = types.findIndex((type) => String(type) !== String(types[0]));
  if (odd < 0) return;
  fault(
    nodes[odd]!,
    `expected type '${types[0]}' but found '${types[odd]}'`,
    `the values of a ${literal} literal must have one type; dyn() around each allows others`,
  );
}
