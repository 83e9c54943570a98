import type { Checked } from "../check/checked.ts";
import type { Comprehension, Expr } from "../syntax/ast.ts";
import { children } from "../syntax/walk.ts";

/**
 * The inputs an expression reads, as sorted paths. `[]` stands for any element of a list or entry of a map whose key is computed;
 * only the longest paths are listed: `object.spec.replicas`, not `object.spec` beside it.
 */
export function referencesOf(checked: Checked): string[] {
  const found = new Set<string>();
  const locals: [string, string | undefined][] = [];

  /** Notes all that is read in a node, and gives its own path if it is one. `whole`: the path is used as it stands. */
  const visit = (node: Expr, whole = true): string | undefined => {
    const path = pathOf(node);
    if (path !== undefined && whole) found.add(path);
    return path;
  };

  const pathOf = (node: Expr): string | undefined => {
    const reference = checked.referenceOf(node);
    if (reference?.kind === "constant") return undefined;
    if (reference?.kind === "variable") return reference.name;
    if (reference?.kind === "local") return locals.findLast(([name]) => name === reference.name)?.[1];
    if (node.kind === "select") return below(visit(node.operand, false), `.${node.field}`);
    if (node.kind === "comprehension") return void comprehension(node);
    if (node.kind === "call" && (node.name === "_[_]" || node.name === "_[?_]" || node.name === "_?._")) {
      const [operand, key] = node.args as [Expr, Expr];
      const path = visit(operand, false);
      if (key.kind === "literal" && typeof key.value === "string") return below(path, `.${key.value}`);
      visit(key);
      return below(path, "[]");
    }
    if (reference?.kind === "call" && reference.target === undefined && node.kind === "call") node.args.forEach((arg) => visit(arg));
    else children(node).forEach((child) => visit(child));
    return undefined;
  };

  const comprehension = (node: Comprehension): void => {
    if (node.shape === "bind") {
      locals.push([node.accumulator, visit(node.init, false)]);
      visit(node.result);
      locals.length -= 1;
      return;
    }
    const range = visit(node.range);
    const isMap = checked.typeOf(node.range).kind === "map";
    const element = below(range, "[]");
    locals.push([node.accumulator, undefined], [node.variable, node.variable2 || isMap ? undefined : element], [node.variable2, element]);
    visit(node.step);
    locals.length -= 3;
  };

  visit(checked.ast.root);
  const inner = new Set([...found].flatMap(prefixesOf));
  return [...found].filter((path) => !inner.has(path)).sort();
}

/** The paths on the way to a path. */
const prefixesOf = (path: string): string[] => [...path.matchAll(/[.[]/g)].map(({ index }) => path.slice(0, index));

const below = (path: string | undefined, step: string): string | undefined => (path === undefined ? undefined : path + step);
