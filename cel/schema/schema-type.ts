import { Type, bool, bytes, double, duration, dyn, int, listOf, mapOf, string, struct, timestamp, type Field } from "../check/types.ts";
import { reserved } from "../syntax/reserved.ts";

/** The part of JSON Schema and OpenAPI that types come from; anything else in a schema is ignored. */
export interface Schema {
  type?: string | readonly string[];
  format?: string;
  properties?: Readonly<Record<string, Schema>>;
  additionalProperties?: boolean | Schema;
  items?: Schema | readonly Schema[] | boolean;
  required?: readonly string[];
  enum?: readonly unknown[];
  default?: unknown;
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
  $ref?: string;
  allOf?: readonly Schema[];
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-list-map-keys"?: readonly string[];
}

export interface SchemaOptions {
  /** The name of the type in messages; `object` by default. */
  name?: string;
  /** A Kubernetes object: it has apiVersion, kind, metadata.name and metadata.generateName whatever its schema says. */
  resource?: boolean;
  /** Where `$ref: "#/..."` points into; the schema itself by default. */
  root?: object;
}

/**
 * The CEL type of a schema, derived as Kubernetes does it (apiserver pkg/cel/common/schemas.go): number is double, string is timestamp,
 * duration or bytes by its format, int-or-string is dyn, field names are escaped (`namespace` is `__namespace__`), and every type knows
 * the most it can hold in a request of 3 MiB, which bounds cost estimates. A schema without a type, or within itself, is dyn.
 */
export function schemaType(schema: Schema, options: SchemaOptions = {}): Type {
  return new Deriver(options.root ?? schema).derive(options.resource ? asResource(schema) : schema, options.name ?? "object").type;
}

/** Size limits of a request (apiserver pkg/cel/limits.go). */
const maxRequest = 3 * 1024 * 1024;
const stringLimits: Record<string, number> = { duration: 32, date: 12, "date-time": 32 };

/** A type, and the least that a value of it takes in JSON: so much of it fits in a request. */
interface Derived {
  type: Type;
  minBytes: number;
}

class Deriver {
  readonly #root: object;
  readonly #open = new Set<Schema>();

  constructor(root: object) {
    this.#root = root;
  }

  derive(given: Schema, name: string): Derived {
    const schema = this.#resolve(given);
    if (this.#open.has(schema)) return { type: dyn, minBytes: 1 };
    this.#open.add(schema);
    const derived = this.#derive(schema["x-kubernetes-embedded-resource"] ? asResource(schema) : schema, name);
    this.#open.delete(schema);
    return derived;
  }

  #derive(schema: Schema, name: string): Derived {
    if (schema["x-kubernetes-int-or-string"] || schema.format === "int-or-string")
      return { type: dyn.sized(schema.maxLength === undefined ? maxRequest - 2 : schema.maxLength * 4), minBytes: 1 };
    switch (typeOfSchema(schema)) {
      case "array":
        return this.#list(schema, name);
      case "object":
        return this.#object(schema, name);
      case "string":
        return text(schema);
      case "boolean":
        return { type: bool, minBytes: 4 };
      case "number":
        return { type: double, minBytes: 1 };
      case "integer":
        return { type: int, minBytes: 1 };
      default:
        return { type: dyn, minBytes: 1 };
    }
  }

  #list(schema: Schema, name: string): Derived {
    const items =
      typeof schema.items === "object" && !Array.isArray(schema.items)
        ? this.derive(schema.items as Schema, `${name}[]`)
        : { type: dyn, minBytes: 1 };
    const limit = schema.maxItems ?? Math.floor((maxRequest - 2) / (items.minBytes + 1));
    return { type: listOf(items.type).sized(Math.max(0, limit)).keyedBy(keyFieldsOf(schema)), minBytes: 2 };
  }

  #object(schema: Schema, name: string): Derived {
    if (typeof schema.additionalProperties === "object") {
      const values = this.derive(schema.additionalProperties, `${name}.*`);
      const limit = schema.maxProperties ?? Math.floor((maxRequest - 2) / (values.minBytes + 6));
      return { type: mapOf(string, values.type).sized(Math.max(0, limit)), minBytes: 2 };
    }
    if (schema.properties === undefined && schema.additionalProperties === true) return { type: mapOf(string, dyn), minBytes: 2 };
    const required = new Set(schema.required ?? []);
    const fields = new Map<string, Field>();
    let minBytes = 2;
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      const { type, minBytes: own } = this.derive(property, `${name}.${key}`);
      const fieldName = escapeName(key);
      if (fieldName !== undefined)
        fields.set(fieldName, { type, key, ...(property.default !== undefined && { fallback: property.default }) });
      if (required.has(key) && property.default === undefined) minBytes += key.length + own + 4;
    }
    return { type: struct(name, fields), minBytes };
  }

  /** Follows `$ref` within the document, and an allOf of one. */
  #resolve(schema: Schema): Schema {
    let current = schema;
    for (let hops = 0; hops < 20; hops++) {
      if (current.allOf?.length === 1 && current.type === undefined && current.properties === undefined) current = current.allOf[0]!;
      else if (current.$ref?.startsWith("#/")) current = this.#find(current.$ref.slice(2));
      else return current;
    }
    return {};
  }

  #find(pointer: string): Schema {
    let at: unknown = this.#root;
    for (const step of pointer.split("/").map((part) => decodeURIComponent(part.replaceAll("~1", "/").replaceAll("~0", "~"))))
      at = typeof at === "object" && at !== null && Object.hasOwn(at, step) ? (at as Record<string, unknown>)[step] : undefined;
    return typeof at === "object" && at !== null ? at : {};
  }
}

/** The one type that is not null, or undefined if there is none or a choice. */
function typeOfSchema({ type }: Schema): string | undefined {
  if (typeof type === "string") return type;
  const others = type?.filter((name) => name !== "null") ?? [];
  return others.length === 1 ? others[0] : undefined;
}

/** The fields, as CEL names them, that make the key of a list's elements; none in a set, undefined if the list has no keys. */
function keyFieldsOf(schema: Schema): string[] | undefined {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  if (schema["x-kubernetes-list-type"] === "set") return [];
  return schema["x-kubernetes-list-type"] === "map" && keys.length > 0 ? keys.map((key) => escapeName(key) ?? key) : undefined;
}

function text(schema: Schema): Derived {
  const byFormat = { byte: bytes, duration, date: timestamp, "date-time": timestamp }[schema.format ?? ""];
  if (byFormat && schema.format !== "byte")
    return {
      type: byFormat.sized(stringLimits[schema.format!]!),
      minBytes: { duration: 3, date: 12, "date-time": 21 }[schema.format!] ?? 2,
    };
  const longest = schema.enum && Math.max(0, ...schema.enum.map((value) => (typeof value === "string" ? value.length : 0)));
  if (byFormat) return { type: bytes.sized(schema.maxLength ?? maxRequest - 2), minBytes: 2 };
  return { type: string.sized(schema.maxLength === undefined ? (longest ?? maxRequest - 2) : schema.maxLength * 4), minBytes: 2 };
}

const anyText: Schema = { type: "string" };

function asResource(schema: Schema): Schema {
  const metadata = schema.properties?.metadata;
  const known =
    metadata?.properties?.name && metadata.properties.generateName
      ? metadata
      : { type: "object", properties: { ...metadata?.properties, name: anyText, generateName: anyText } };
  return { ...schema, type: "object", properties: { ...schema.properties, apiVersion: anyText, kind: anyText, metadata: known } };
}

/** A property's name as CEL can write it, or undefined if Kubernetes gives it none (apiserver pkg/cel/escaping.go). */
export function escapeName(name: string): string | undefined {
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  if (reserved.has(name)) return `__${name}__`;
  return name.replaceAll(/__|[-./]/g, (part) => ({ __: "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__" })[part]!);
}
