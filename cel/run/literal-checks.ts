import { acceptedKinds, clausesOf } from "../library/format-text.ts";
import { pattern } from "../library/regex.ts";
import type { Call, Expr } from "../syntax/ast.ts";
import { CelError, type Value } from "../values/values.ts";
import type { Compiler, Plan } from "./compile.ts";

/** Refuses a constant regular expression that is none, as Kubernetes does when an expression is compiled. */
export function checkPattern(compiler: Compiler, node: Expr, plan: Plan): void {
  const source = plan.constant?.value;
  if (typeof source !== "string") return;
  const compiled = pattern(source);
  if (compiled instanceof CelError) compiler.options.refuse(node, compiled.message);
}

/** Refuses a constant format whose clauses do not fit the list literal it is given: too few, too many, of other types. */
export function checkFormat(compiler: Compiler, call: Call, text: Value | undefined): void {
  const list = call.args[0];
  if (typeof text !== "string" || list?.kind !== "list" || list.optional.length > 0) return;
  const clauses = clausesOf(text);
  clauses.forEach((letter, i) => {
    const element = list.elements[i];
    const accepted = acceptedKinds[letter];
    if (accepted === undefined)
      return compiler.options.refuse(call, `could not parse formatting clause: unrecognized formatting clause "${letter}"`);
    if (element === undefined) return compiler.options.refuse(list, `index ${i} out of range`);
    const type = compiler.checked.typeOf(element);
    if (!accepted.includes(type.kind)) compiler.options.refuse(element, `error during formatting: the clause %${letter} takes no ${type}`);
  });
  if (list.elements.length > clauses.length)
    compiler.options.refuse(call, `too many arguments supplied to string.format (expected ${clauses.length}, got ${list.elements.length})`);
}
