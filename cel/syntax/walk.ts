import type { Expr } from "./ast.ts";

/** The nodes directly below a node, in the order they are written. */
export function children(node: Expr): readonly Expr[] {
  switch (node.kind) {
    case "literal":
    case "ident":
      return [];
    case "select":
      return [node.operand];
    case "call":
      return node.target ? [node.target, ...node.args] : node.args;
    case "list":
      return node.elements;
    case "map":
      return node.entries.flatMap(({ key, value }) => [key, value]);
    case "struct":
      return node.fields.map(({ value }) => value);
    case "comprehension":
      return [node.range, node.init, node.condition, node.step, node.result];
  }
}

export function findNode(root: Expr, id: number): Expr | undefined {
  if (root.id === id) return root;
  for (const child of children(root)) {
    const found = findNode(child, id);
    if (found) return found;
  }
  return undefined;
}
