/**
 * How CEL values look in JavaScript. What JSON gives is used as it is: null, booleans, strings, arrays, plain objects and
 * integral numbers are CEL values already, so data is read lazily and never copied.
 *
 * int: a safe integer is a `number`, anything larger a `bigint` (one form only for each number). uint and double are boxed,
 * so the three never mix by accident. list: any array. map: a `CelMap`, a `Map`, or an object with its own keys.
 */
export type Value = null | boolean | number | bigint | string | object;

export type Kind =
  | "null"
  | "bool"
  | "int"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "list"
  | "map"
  | "timestamp"
  | "duration"
  | "type"
  | "optional"
  | "opaque"
  | "error"
  | "unknown";

/** Everything that CEL itself makes and that is no JavaScript primitive. Host data never inherits from it. */
export abstract class CelObject {
  abstract readonly kind: Kind;
}

export class Double extends CelObject {
  readonly kind = "double";
  readonly value: number;
  constructor(value: number) {
    super();
    this.value = value;
  }
}

export class Uint extends CelObject {
  readonly kind = "uint";
  readonly value: bigint;
  constructor(value: bigint) {
    super();
    this.value = value;
  }
}

/** A CEL type as a value: what `type(x)` gives. */
export class TypeValue extends CelObject {
  readonly kind = "type";
  readonly name: string;
  constructor(name: string) {
    super();
    this.name = name;
  }
}

export class Optional extends CelObject {
  readonly kind = "optional";
  /** undefined: none. */
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    super();
    this.value = value;
  }
}

export const none = new Optional(undefined);

/** A value of a library's own type: a URL, a quantity, an address. `typeName` is its CEL type. */
export abstract class Opaque extends CelObject {
  readonly kind = "opaque";
  abstract readonly typeName: string;
  abstract equals(other: Opaque): boolean;
  /** What toPlain() gives of it. */
  abstract override toString(): string;
  /** What the cost model takes for its size; 1 unless the Go type has one. */
  get size(): number {
    return 1;
  }
}

/** What went wrong, as a value: `||`, `&&`, `all` and `exists` may absorb it. `node` is the expression it arose in. */
export class CelError extends CelObject {
  readonly kind = "error";
  readonly message: string;
  node: number;
  constructor(message: string, node = 0) {
    super();
    this.message = message;
    this.node = node;
  }
}

/** Thrown by a comparison that has no answer; comparing() makes an error value of it. */
export class Incomparable extends Error {}

/** A result that hangs on inputs which were declared unknown; `paths` names them. */
export class Unknown extends CelObject {
  readonly kind = "unknown";
  readonly paths: readonly string[];
  constructor(paths: readonly string[]) {
    super();
    this.paths = paths;
  }
}

export const mergeUnknowns = (a: Unknown | undefined, b: Unknown): Unknown =>
  a === undefined || a === b ? b : new Unknown([...new Set([...a.paths, ...b.paths])]);

/** Errors and unknowns pass through every strict operation. */
export const isAbnormal = (value: Value): value is CelError | Unknown =>
  value instanceof CelObject && (value.kind === "error" || value.kind === "unknown");

/** The CEL kind of any value that `adapt` lets in. */
export function kindOf(value: Value): Kind {
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "number":
    case "bigint":
      return "int";
    default:
      if (value === null) return "null";
      if (Array.isArray(value)) return "list";
      if (value instanceof CelObject) return value.kind;
      return value instanceof Uint8Array ? "bytes" : "map";
  }
}

/** The name that `type(x)` and error messages give. */
export function typeNameOf(value: Value): string {
  const kind = kindOf(value);
  if (kind === "opaque") return (value as Opaque).typeName;
  return typeNames[kind] ?? kind;
}

const typeNames: Partial<Record<Kind, string>> = {
  null: "null_type",
  timestamp: "google.protobuf.Timestamp",
  duration: "google.protobuf.Duration",
  optional: "optional_type",
};
