import type { Checked } from "../check/checked.ts";
import type { Type } from "../check/types.ts";
import type { Comprehension, Expr } from "../syntax/ast.ts";
import { formatDouble } from "../library/conversions.ts";
import { formatBytesLiteral } from "../syntax/print-literals.ts";
import { Double, Uint, type Value } from "../values/values.ts";

/** A tree as cel-go's debug.ToDebugString writes it, each node marked with its kind, or once checked with its type and meaning. */
export function debugString(root: Expr, checked?: Checked): string {
  const mark = (node: Expr): string => (checked ? typeMark(node, checked) : `^#*expr.${kindOf(node)}#`);
  const lines = (parts: string[], open: string, close: string): string =>
    parts.length === 0 ? open + close : `${open}\n${indent(parts.join(",\n"))}\n${close}`;
  const write = (node: Expr): string => {
    const reference = checked?.referenceOf(node);
    if (reference?.kind === "variable" && node.kind !== "ident") return reference.name + mark(node);
    return text(node, reference?.kind === "call" ? reference : undefined) + mark(node);
  };
  const text = (node: Expr, call: { name: string; target: Expr | undefined } | undefined): string => {
    switch (node.kind) {
      case "literal":
        return literal(node.value);
      case "ident": {
        const reference = checked?.referenceOf(node);
        return reference?.kind === "variable" ? reference.name : node.name;
      }
      case "select":
        return `${write(node.operand)}.${node.field}${node.test ? "~test-only~" : ""}`;
      case "call": {
        const target = call ? call.target : node.target;
        return (target ? `${write(target)}.` : "") + lines(node.args.map(write), `${call?.name ?? node.name}(`, ")");
      }
      case "list":
        return lines(node.elements.map(write), "[", "]");
      case "map":
        return lines(
          node.entries.map(({ key, value, optional }) => `${optional ? "?" : ""}${write(key)}:${write(value)}${checked ? "" : entryMark}`),
          "{",
          "}",
        );
      case "struct":
        return lines(
          node.fields.map(({ name, value, optional }) => `${optional ? "?" : ""}${name}:${write(value)}${checked ? "" : entryMark}`),
          `${node.name}{`,
          "}",
        );
      case "comprehension":
        return comprehension(node, write);
    }
  };
  return write(root);
}

const entryMark = "^#*expr.Expr_CreateStruct_Entry#";
const indent = (text: string): string =>
  text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");

function comprehension(node: Comprehension, write: (node: Expr) => string): string {
  const parts: [string, string][] = [
    ["Variable", node.variable],
    ["Target", write(node.range)],
    ["Accumulator", node.accumulator],
    ["Init", write(node.init)],
    ["LoopCondition", write(node.condition)],
    ["LoopStep", write(node.step)],
    ["Result", write(node.result)],
  ];
  return `__comprehension__(\n${indent(parts.map(([name, part]) => `// ${name}\n${part}`).join(",\n"))})`;
}

function kindOf(node: Expr): string {
  if (node.kind !== "literal")
    return `Expr_${{ ident: "Ident", select: "Select", call: "Call", list: "List", map: "Struct", struct: "Struct", comprehension: "Comprehension" }[node.kind]}Expr`;
  const { value } = node;
  if (value === null) return "Constant_NullValue";
  if (value instanceof Double) return "Constant_DoubleValue";
  if (value instanceof Uint) return "Constant_Uint64Value";
  if (value instanceof Uint8Array) return "Constant_BytesValue";
  return { string: "Constant_StringValue", boolean: "Constant_BoolValue", number: "Constant_Int64Value", bigint: "Constant_Int64Value" }[
    typeof value as "string"
  ];
}

function typeMark(node: Expr, checked: Checked): string {
  const reference = checked.referenceOf(node);
  const type = `~${typeText(checked.typeOf(node))}`;
  if (reference?.kind === "call") return `${type}^${reference.overloads.map(({ id }) => id).join("|")}`;
  if (reference?.kind === "variable" || reference?.kind === "local") return `${type}^${reference.name}`;
  if (reference?.kind === "constant" && node.kind === "ident") return `${type}^${node.name}`;
  return type;
}

/** cel-go prints null_type as null. */
export const typeText = (type: Type): string => String(type).replaceAll("null_type", "null");

function literal(value: Value): string {
  if (value instanceof Double) return formatDouble(value.value);
  if (value instanceof Uint) return `${value.value}u`;
  if (value instanceof Uint8Array) return formatBytesLiteral(value);
  return typeof value === "string" ? goQuoted(value) : String(value);
}

const escapes: Record<string, string> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\v": "\\v",
  "\f": "\\f",
  "\r": "\\r",
  '"': '\\"',
  "\\": "\\\\",
};

const goQuoted = (text: string): string =>
  `"${Array.from(text, (char) => {
    const code = char.codePointAt(0)!;
    if (escapes[char]) return escapes[char];
    if (/[\p{L}\p{N}\p{S}\p{P}\p{M} ]/u.test(char)) return char;
    return code < 0x80
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : code < 0x10000
        ? `\\u${code.toString(16).padStart(4, "0")}`
        : `\\U${code.toString(16).padStart(8, "0")}`;
  }).join("")}"`;
