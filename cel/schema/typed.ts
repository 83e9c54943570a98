import { CelError, Double, Uint, type Value } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import { KeyedList } from "../values/keyed-list.ts";
import { FieldReader } from "../values/maps.ts";
import { canonicalInt } from "../values/numbers.ts";
import { parseDuration, parseTimestamp } from "../values/time.ts";
import type { Field, Type } from "../check/types.ts";

/**
 * Data read through a declared type, one field at a time: a `number` of the schema is a double even where JSON shows 1, a
 * date-time a timestamp, an absent field has its default, and a field the schema does not name is not seen.
 */
export class TypedReader extends FieldReader {
  readonly #raw: object;
  readonly #type: Type;

  private constructor(raw: object, type: Type) {
    super();
    this.#raw = raw;
    this.#type = type;
  }

  /** The value as the type has it; data that does not fit its type is taken as it is. */
  static read(raw: unknown, type: Type): Value {
    switch (type.kind) {
      case "double":
        if (typeof raw === "number") return new Double(raw);
        return typeof raw === "bigint" ? new Double(Number(raw)) : adapt(raw);
      case "uint":
        return typeof raw === "number" && Number.isInteger(raw) && raw >= 0
          ? new Uint(BigInt(raw))
          : typeof raw === "bigint" && raw >= 0n
            ? new Uint(raw)
            : adapt(raw);
      case "timestamp":
        return typeof raw === "string" ? parseTimestamp(raw.length === 10 ? `${raw}T00:00:00Z` : raw) : adapt(raw);
      case "duration":
        return typeof raw === "string" ? parseDuration(raw) : adapt(raw);
      case "bytes":
        return typeof raw === "string" ? decodeBase64(raw) : adapt(raw);
      case "list":
        return Array.isArray(raw) && needsReading(type) ? readList(raw, type) : adapt(raw);
      case "map":
      case "struct":
        return isRecord(raw) && needsReading(type) ? new TypedReader(raw, type) : adapt(raw);
      case "int":
        return typeof raw === "bigint" ? canonicalInt(raw) : adapt(raw);
      default:
        return adapt(raw);
    }
  }

  override field(name: string): Value | undefined {
    const field = this.#fieldOf(name);
    if (field === undefined) return undefined;
    if (Object.hasOwn(this.#raw, field.key)) {
      const raw = (this.#raw as Record<string, unknown>)[field.key];
      if (raw !== undefined) return TypedReader.read(raw, field.type);
    }
    return field.fallback === undefined ? undefined : TypedReader.read(field.fallback, field.type);
  }

  override names(): string[] {
    const { fields } = this.#type;
    if (fields === undefined) return Object.keys(this.#raw).filter((key) => (this.#raw as Record<string, unknown>)[key] !== undefined);
    return [...fields.keys()].filter((name) => this.field(name) !== undefined);
  }

  #fieldOf(name: string): Field | undefined {
    return this.#type.fields ? this.#type.fields.get(name) : { key: name, type: this.#type.params[1]! };
  }
}

function readList(raw: readonly unknown[], type: Type): Value {
  const elements = raw.map((item) => TypedReader.read(item, type.params[0]!));
  return type.keyFields ? new KeyedList(elements, type.keyFields) : elements;
}

const isRecord = (raw: unknown): raw is object =>
  typeof raw === "object" && raw !== null && (Object.getPrototypeOf(raw) === Object.prototype || Object.getPrototypeOf(raw) === null);

const known = new WeakMap<Type, boolean>();

/** Whether data of a type must be looked at, or may be handed on as it is. */
function needsReading(type: Type): boolean {
  const answer = known.get(type);
  if (answer !== undefined) return answer;
  known.set(type, true); // a type that contains itself
  const needs =
    type.kind === "struct" ||
    type.keyFields !== undefined ||
    ["double", "uint", "timestamp", "duration", "bytes"].includes(type.kind) ||
    type.params.some(needsReading);
  known.set(type, needs);
  return needs;
}

function decodeBase64(text: string): Value {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return new CelError("invalid base64 in a field of bytes");
  }
}
