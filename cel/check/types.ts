export type TypeKind =
  | "dyn"
  | "error"
  | "null"
  | "bool"
  | "int"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "timestamp"
  | "duration"
  | "list"
  | "map"
  | "struct"
  | "opaque"
  | "type"
  | "param";

/** A CEL type. Compare with `sameType`, print with `toString`. */
export class Type {
  readonly kind: TypeKind;
  readonly name: string;
  readonly params: readonly Type[];
  /** Of a struct: what its fields are. */
  readonly fields: ReadonlyMap<string, Field> | undefined;
  /** The most elements, characters or bytes a value may have, when a schema says so: for cost estimates. */
  readonly maxSize: number | undefined;
  /** Of a list whose elements have keys: the fields that make the key, none if the element itself is the key, as in a set. */
  readonly keyFields: readonly string[] | undefined;

  constructor(
    kind: TypeKind,
    name: string,
    params: readonly Type[] = [],
    fields?: ReadonlyMap<string, Field>,
    maxSize?: number,
    keyFields?: readonly string[],
  ) {
    this.kind = kind;
    this.name = name;
    this.params = params;
    this.fields = fields;
    this.maxSize = maxSize;
    this.keyFields = keyFields;
  }

  /** The same type with a bound on its size. */
  sized(maxSize: number): Type {
    return new Type(this.kind, this.name, this.params, this.fields, maxSize, this.keyFields);
  }

  /** The same type of list, with keys. */
  keyedBy(keyFields: readonly string[] | undefined): Type {
    return new Type(this.kind, this.name, this.params, this.fields, this.maxSize, keyFields);
  }

  toString(): string {
    if (this.kind === "map" && this.params.length > 0) return `map(${this.params.join(", ")})`;
    return this.params.length > 0 ? `${this.name}(${this.params.join(", ")})` : this.name;
  }
}

export interface Field {
  type: Type;
  /** The key in the data, where the CEL name is an escaped form of it. */
  key: string;
  /** Set when the field is absent. */
  fallback?: unknown;
}

export const dyn = new Type("dyn", "dyn");
export const errorType = new Type("error", "!error!");
export const nullType = new Type("null", "null_type");
export const bool = new Type("bool", "bool");
export const int = new Type("int", "int");
export const uint = new Type("uint", "uint");
export const double = new Type("double", "double");
export const string = new Type("string", "string");
export const bytes = new Type("bytes", "bytes");
export const timestamp = new Type("timestamp", "timestamp");
export const duration = new Type("duration", "duration");
export const listOf = (element: Type): Type => new Type("list", "list", [element]);
export const mapOf = (key: Type, value: Type): Type => new Type("map", "map", [key, value]);
export const optionalOf = (value: Type): Type => new Type("opaque", "optional_type", [value]);
export const typeOf = (type: Type): Type => new Type("type", "type", [type]);
export const opaque = (name: string): Type => new Type("opaque", name);
export const param = (name: string): Type => new Type("param", name);
export const struct = (name: string, fields: ReadonlyMap<string, Field>): Type => new Type("struct", name, [], fields);

/** Types by the names that declarations and `type()` use. */
export const namedTypes: ReadonlyMap<string, Type> = new Map([
  ["dyn", dyn],
  ["any", dyn],
  ["null_type", nullType],
  ["bool", bool],
  ["int", int],
  ["uint", uint],
  ["double", double],
  ["string", string],
  ["bytes", bytes],
  ["timestamp", timestamp],
  ["duration", duration],
  ["google.protobuf.Timestamp", timestamp],
  ["google.protobuf.Duration", duration],
  ["list", listOf(dyn)],
  ["map", mapOf(dyn, dyn)],
  ["type", new Type("type", "type")],
]);

export const isDyn = (type: Type): boolean => type.kind === "dyn" || type.kind === "error";

export function sameType(a: Type, b: Type): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind || a.name !== b.name || a.params.length !== b.params.length) return false;
  return a.params.every((inner, i) => sameType(inner, b.params[i]!));
}

export const optionalContent = (type: Type): Type | undefined =>
  type.kind === "opaque" && type.name === "optional_type" ? type.params[0] : undefined;

/**
 * Reads a type as it prints: `map(string, list(int))`, `optional_type(T)`, `net.IP`. A single capital letter is a type parameter;
 * a name that is not known is looked up, or taken as an opaque type. Throws a RangeError on anything else.
 */
export function parseType(text: string, lookup: (name: string) => Type | undefined = () => undefined): Type {
  const tokens = text.match(/[A-Za-z_][\w.]*|[(),]/g) ?? [];
  let next = 0;
  const read = (): Type => {
    const name = tokens[next++];
    if (name === undefined || !/^[A-Za-z_]/.test(name)) throw new RangeError(`cannot read the type ${text}`);
    if (tokens[next] !== "(") return /^[A-Z]$/.test(name) ? param(name) : (namedTypes.get(name) ?? lookup(name) ?? opaque(name));
    const params: Type[] = [];
    do {
      next++;
      params.push(read());
    } while (tokens[next] === ",");
    if (tokens[next++] !== ")") throw new RangeError(`cannot read the type ${text}`);
    return composed(name, params, text);
  };
  const type = read();
  if (next !== tokens.length || tokens.join("") !== text.replaceAll(/\s/g, "")) throw new RangeError(`cannot read the type ${text}`);
  return type;
}

function composed(name: string, params: readonly Type[], text: string): Type {
  const expected = name === "map" ? 2 : 1;
  if (params.length !== expected && (name === "map" || name === "list" || name === "type" || name === "optional_type"))
    throw new RangeError(`${name} takes ${expected} type(s): ${text}`);
  if (name === "list" || name === "map" || name === "type") return new Type(name, name, params);
  return new Type("opaque", name === "optional" ? "optional_type" : name, params);
}
