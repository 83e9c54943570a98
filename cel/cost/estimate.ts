import type { Checked } from "../check/checked.ts";
import type { Overload } from "../check/functions.ts";
import type { Type } from "../check/types.ts";
import { codePoints } from "../library/standard.ts";
import type { Call, Comprehension, Expr } from "../syntax/ast.ts";
import { listCreateCost, mapCreateCost, structCreateCost } from "./actual.ts";
import { estimateCall, type CallEstimate, type Operand } from "./estimate-calls.ts";
import { add, fixed, multiply, union, unknownSize, zero, type Range } from "./range.ts";

/** Cost units; max is Infinity if the size of some input is not known. */
export interface CostEstimate {
  min: number;
  max: number;
}

/**
 * What an expression will cost, before it runs: cel-go's checker/cost.go with Kubernetes' estimates. The sizes of inputs come
 * from their schemas, where a type has a maxSize.
 */
export function estimateCost(checked: Checked): CostEstimate {
  const { min, max } = rawEstimate(checked);
  return { min, max: max > 1e17 ? Infinity : max };
}

/** The estimate in cel-go's numbers, where an unknown size is 2^64 and sums saturate. */
export const rawEstimate = (checked: Checked): Range => new Estimator(checked).cost(checked.ast.root);

/** Sizes of what a list or map holds. */
interface EntrySize {
  list: boolean;
  key: Range;
  value: Range;
}

interface Local {
  name: string;
  size: Range | undefined;
  entries: EntrySize | undefined;
}

class Estimator {
  readonly #checked: Checked;
  readonly #sizes = new Map<number, Range>();
  readonly #entries = new Map<number, EntrySize>();
  #locals: Local[] = [];

  constructor(checked: Checked) {
    this.#checked = checked;
  }

  cost(node: Expr): Range {
    const reference = this.#checked.referenceOf(node);
    if (reference?.kind === "variable" || reference?.kind === "local" || reference?.kind === "constant") return fixed(1);
    switch (node.kind) {
      case "literal":
        return zero;
      case "ident":
        return fixed(1);
      case "select":
        return add(this.cost(node.operand), fixed(!node.test && this.#isSelectable(node.operand) ? 1 : 0));
      case "call":
        return this.#call(node);
      case "list":
        return this.#list(node.elements, node);
      case "map":
        return this.#map(node.entries, node);
      case "struct":
        return add(fixed(structCreateCost), ...node.fields.map(({ value }) => this.cost(value)));
      case "comprehension":
        return node.shape === "bind" ? this.#bind(node) : this.#comprehension(node);
    }
  }

  #isSelectable(operand: Expr): boolean {
    const { kind } = this.#checked.typeOf(operand);
    return kind === "map" || kind === "struct" || kind === "param";
  }

  #list(elements: readonly Expr[], node: Expr): Range {
    const cost = add(fixed(listCreateCost), ...elements.map((element) => this.cost(element)));
    this.#noteEntries(node, { list: true, key: fixed(1), value: this.#unionOfSizes(elements) });
    return cost;
  }

  #map(entries: readonly { key: Expr; value: Expr }[], node: Expr): Range {
    const cost = add(fixed(mapCreateCost), ...entries.flatMap(({ key, value }) => [this.cost(key), this.cost(value)]));
    this.#noteEntries(node, {
      list: false,
      key: this.#unionOfSizes(entries.map(({ key }) => key)),
      value: this.#unionOfSizes(entries.map(({ value }) => value)),
    });
    return cost;
  }

  #unionOfSizes(nodes: readonly Expr[]): Range {
    return nodes.length === 0 ? zero : nodes.map((node) => this.sizeOrUnknown(node)).reduce(union);
  }

  #bind(node: Comprehension): Range {
    const cost = add(this.cost(node.range), this.cost(node.init));
    this.#locals.push({ name: node.accumulator, size: this.size(node.init), entries: this.#entriesOf(node.init) });
    const whole = add(cost, this.cost(node.result));
    this.#locals.pop();
    this.#copySizes(node, node.result);
    return whole;
  }

  #comprehension(node: Comprehension): Range {
    const before = add(this.cost(node.range), this.cost(node.init));
    this.#locals.push({ name: node.accumulator, size: this.size(node.init), entries: this.#entriesOf(node.init) });
    const entries = this.#entriesOf(node.range);
    const overList = entries ? entries.list : this.#checked.typeOf(node.range).kind === "list";
    const first = node.variable2 || !overList ? entries?.key : entries?.value;
    this.#locals.push({ name: node.variable, size: first, entries: undefined });
    if (node.variable2) this.#locals.push({ name: node.variable2, size: entries?.value, entries: undefined });
    const step = add(this.cost(node.condition), this.cost(node.step));
    this.#locals.length -= node.variable2 ? 2 : 1;
    const after = this.cost(node.result);
    this.#locals.pop();
    const count = this.sizeOrUnknown(node.range);
    if (node.init.kind === "literal") this.#note(node, this.size(node.init));
    else {
      this.#note(node, count);
      this.#noteEntries(node, this.#entriesOf(node.step));
    }
    return add(before, after, multiply(count, step));
  }

  #call(node: Call): Range {
    const reference = this.#checked.referenceOf(node);
    if (reference?.kind !== "call") return zero;
    const { name, overloads, target } = reference;
    if (name === "dyn") {
      const cost = this.cost(node.args[0]!);
      this.#copySizes(node, node.args[0]!);
      return add(cost, fixed(1));
    }
    const argCosts = node.args.map((arg) => this.cost(arg));
    const targetCost = target ? this.cost(target) : zero;
    const operands = { target: target && this.#operand(target), args: node.args.map((arg) => this.#operand(arg)) };
    let cost: Range | undefined;
    let size: Range | undefined;
    for (const overload of overloads) {
      const estimate = this.#overload(node, name, overload, operands, argCosts);
      cost = cost ? { min: Math.min(cost.min, estimate.cost.min), max: Math.max(cost.max, estimate.cost.max) } : estimate.cost;
      if (estimate.size) size = size ? union(size, estimate.size) : estimate.size;
      if (overload.id === "index_list" || overload.id === "index_map") size = this.#entriesOf(node.args[0]!)?.value;
      size ??= this.size(node);
    }
    this.#note(node, size);
    return add(targetCost, cost ?? zero);
  }

  #overload(
    node: Call,
    name: string,
    { id }: Overload,
    operands: { target: Operand | undefined; args: Operand[] },
    costs: readonly Range[],
  ): CallEstimate {
    const [a, b, c] = node.args;
    if (id === "logical_and" || id === "logical_or") return { cost: { min: costs[0]!.min, max: add(costs[0]!, costs[1]!).max } };
    if (id === "conditional") {
      const branches = [this.#entriesOf(b!), this.#entriesOf(c!)] as const;
      this.#noteEntries(node, unionOfEntries(...branches));
      return { cost: add(costs[0]!, union(costs[1]!, costs[2]!)), size: union(this.sizeOrUnknown(b!), this.sizeOrUnknown(c!)) };
    }
    if (id === "add_string" || id === "add_bytes" || id === "add_list")
      this.#noteEntries(node, unionOfEntries(this.#entriesOf(a!), this.#entriesOf(b!)));
    const { cost, size } = estimateCall(name, id, operands.target, operands.args);
    return { cost: add(cost, ...costs), ...(size && { size }) };
  }

  #operand(node: Expr): Operand {
    return { node, type: this.#checked.typeOf(node), size: this.size(node) };
  }

  sizeOrUnknown(node: Expr): Range {
    return this.size(node) ?? unknownSize;
  }

  /** The size of what a node gives, as far as it is known. */
  size(node: Expr): Range | undefined {
    const noted = this.#sizes.get(node.id) ?? literalSize(node);
    if (noted) return noted;
    const type = this.#checked.typeOf(node);
    if (type.maxSize !== undefined) return { min: 0, max: type.maxSize };
    if (isScalar(type)) return fixed(1);
    return node.kind === "ident" ? this.#local(node.name)?.size : undefined;
  }

  #local(name: string): Local | undefined {
    return this.#locals.findLast((local) => local.name === name);
  }

  #note(node: Expr, size: Range | undefined): void {
    if (size) this.#sizes.set(node.id, size);
  }

  #noteEntries(node: Expr, entries: EntrySize | undefined): void {
    if (entries) this.#entries.set(node.id, entries);
  }

  #entriesOf(node: Expr): EntrySize | undefined {
    return this.#entries.get(node.id) ?? (node.kind === "ident" ? this.#local(node.name)?.entries : undefined);
  }

  #copySizes(to: Expr, from: Expr): void {
    this.#note(to, this.size(from));
    this.#noteEntries(to, this.#entriesOf(from));
  }
}

function unionOfEntries(a: EntrySize | undefined, b: EntrySize | undefined): EntrySize | undefined {
  return a && b && { list: a.list, key: union(a.key, b.key), value: union(a.value, b.value) };
}

function literalSize(node: Expr): Range | undefined {
  if (node.kind === "list") return fixed(node.elements.length);
  if (node.kind === "map") return fixed(node.entries.length);
  if (node.kind !== "literal") return undefined;
  if (typeof node.value === "string") return fixed(codePoints(node.value));
  return fixed(node.value instanceof Uint8Array ? node.value.length : 1);
}

function isScalar(type: Type): boolean {
  if (["bool", "double", "duration", "int", "timestamp", "uint"].includes(type.kind)) return true;
  return type.name === "optional_type" && type.params[0] !== undefined && isScalar(type.params[0]);
}
