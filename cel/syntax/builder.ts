import type { Value } from "../values/values.ts";
import type { Call, Comprehension, Expr, Ident, List, Literal, MapLiteral, Select, Struct } from "./ast.ts";
import { SyntaxFault } from "./literals.ts";

/** Nodes of one tree, macro expansions included: `optMap` copies its target, so nesting it could grow without bound. */
const maxNodes = 400_000;

/** Makes the nodes of one tree: gives each its id, and bounds how deep and how large the tree gets. */
export class TreeBuilder {
  readonly macros = new Map<number, Call>();
  readonly #depths: number[] = [0];
  readonly #maxDepth: number;
  lastId = 0;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  newId(): number {
    this.#depths.push(0);
    return ++this.lastId;
  }

  add<T extends Expr>(node: Omit<T, "id" | "at">, at: number, children: readonly Expr[]): T {
    let depth = 0;
    for (const child of children) if (this.#depths[child.id]! > depth) depth = this.#depths[child.id]!;
    if (depth >= this.#maxDepth) throw new SyntaxFault(at, `the expression nests deeper than ${this.#maxDepth} levels`);
    const id = this.newId();
    if (id > maxNodes) throw new SyntaxFault(at, "the expression is too large once its macros are expanded");
    this.#depths[id] = depth + 1;
    return Object.assign(node, { id, at }) as unknown as T;
  }

  literal(at: number, value: Value): Literal {
    return this.add<Literal>({ kind: "literal", value }, at, []);
  }

  ident(at: number, name: string): Ident {
    return this.add<Ident>({ kind: "ident", name }, at, []);
  }

  select(at: number, operand: Expr, field: string, test: boolean): Select {
    return this.add<Select>({ kind: "select", operand, field, test }, at, [operand]);
  }

  call(at: number, name: string, args: readonly Expr[], target?: Expr): Call {
    return this.add<Call>({ kind: "call", target, name, args }, at, target ? [target, ...args] : args);
  }

  list(at: number, elements: readonly Expr[], optional: readonly number[] = []): List {
    return this.add<List>({ kind: "list", elements, optional }, at, elements);
  }

  map(at: number, entries: MapLiteral["entries"]): MapLiteral {
    return this.add<MapLiteral>(
      { kind: "map", entries },
      at,
      entries.flatMap(({ key, value }) => [key, value]),
    );
  }

  struct(at: number, name: string, fields: Struct["fields"]): Struct {
    return this.add<Struct>(
      { kind: "struct", name, fields },
      at,
      fields.map(({ value }) => value),
    );
  }

  /** Depth counts what was written: the range and the bodies, not the nodes that the expansion adds. */
  comprehension(at: number, parts: Omit<Comprehension, "id" | "at" | "kind">, written: readonly Expr[]): Comprehension {
    return this.add<Comprehension>({ kind: "comprehension", ...parts }, at, written);
  }

  /** A copy with ids of its own. */
  copy(node: Expr): Expr {
    switch (node.kind) {
      case "literal":
        return this.literal(node.at, node.value);
      case "ident":
        return this.ident(node.at, node.name);
      case "select":
        return this.select(node.at, this.copy(node.operand), node.field, node.test);
      case "call":
        return this.call(
          node.at,
          node.name,
          node.args.map((arg) => this.copy(arg)),
          node.target && this.copy(node.target),
        );
      case "list":
        return this.list(
          node.at,
          node.elements.map((element) => this.copy(element)),
          node.optional,
        );
      case "map":
        return this.map(
          node.at,
          node.entries.map((entry) => ({ ...entry, id: this.newId(), key: this.copy(entry.key), value: this.copy(entry.value) })),
        );
      case "struct":
        return this.struct(
          node.at,
          node.name,
          node.fields.map((field) => ({ ...field, id: this.newId(), value: this.copy(field.value) })),
        );
      case "comprehension": {
        const parts = {
          range: this.copy(node.range),
          init: this.copy(node.init),
          condition: this.copy(node.condition),
          step: this.copy(node.step),
          result: this.copy(node.result),
        };
        return this.comprehension(node.at, { ...node, ...parts }, [parts.range]);
      }
    }
  }
}
