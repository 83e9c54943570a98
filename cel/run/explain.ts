import { printNode } from "../syntax/print.ts";
import { placeOf, type Ast, type Expr, type Place } from "../syntax/ast.ts";
import { children } from "../syntax/walk.ts";
import { CelError, Unknown, type Value } from "../values/values.ts";
import { toPlain } from "../values/plain.ts";

/** One sub-expression and what it was; in a loop, what it was the last time. */
export interface Explained extends Place {
  expression: string;
  value?: unknown;
  error?: string;
  unknown?: readonly string[];
}

/** The values of an evaluation by sub-expression, outermost first. Constants and what macros add are left out. */
export function explain(ast: Ast, trace: ReadonlyMap<number, Value>): Explained[] {
  const found: Explained[] = [];
  const visit = (node: Expr): void => {
    const value = trace.get(node.id);
    if (value !== undefined && node.kind !== "literal" && !isInternal(ast, node))
      found.push({ expression: printNode(ast, node), ...placeOf(ast.source, node.at), ...shown(value) });
    for (const child of written(ast, node)) visit(child);
  };
  visit(ast.root);
  return found;
}

/** What a macro's call was written with, rather than what it expands to. */
function written(ast: Ast, node: Expr): readonly Expr[] {
  const macro = ast.macros.get(node.id);
  return macro ? [...(macro.target ? [macro.target] : []), ...macro.args] : children(node);
}

const isInternal = (ast: Ast, node: Expr): boolean => node.kind === "ident" && /^[@#]/.test(node.name) && !ast.macros.has(node.id);

function shown(value: Value): Pick<Explained, "value" | "error" | "unknown"> {
  if (value instanceof CelError) return { error: value.message };
  if (value instanceof Unknown) return { unknown: value.paths };
  try {
    return { value: toPlain(value) };
  } catch (fault) {
    return { error: String(fault) };
  }
}
