import { tests as checking } from "@bufbuild/cel-spec/testdata/checking.js";
import { tests as comprehension } from "@bufbuild/cel-spec/testdata/comprehension.js";
import { tests as conformance } from "@bufbuild/cel-spec/testdata/conformance.js";
import { tests as parsing } from "@bufbuild/cel-spec/testdata/parsing.js";
import { CelMap } from "../values/maps.ts";
import { Double, TypeValue, Uint, type Value } from "../values/values.ts";
import { parseDuration, parseTimestamp } from "../values/time.ts";
import { adapt } from "../values/adapt.ts";

/** The cases of cel-spec and cel-go as @bufbuild/cel-spec has them, in the JSON form of their protobuf messages. */
export interface Case {
  path: string;
  expr: string;
  value?: Json;
  typeEnv?: readonly Json[];
  bindings?: Record<string, { value: Json }>;
  container?: string;
  disableCheck?: boolean;
  checkOnly?: boolean;
  evalError?: unknown;
  typedResult?: { deducedType?: Json; result?: Json };
  /** The tree as cel-go prints it, and its tree with types. */
  ast?: string;
  checkedAst?: string;
  /** The type that cel-go deduced, or its complaint. */
  type?: string;
  error?: string;
}

export interface Json {
  [key: string]: unknown;
}

interface Suite {
  name: string;
  suites?: Suite[];
  tests?: { original: Json & { name?: string; expr: string }; ast?: string; checkedAst?: string; type?: string; error?: string }[];
}

export const suites = {
  conformance: cases(conformance as unknown as Suite, ""),
  parsing: cases(parsing as unknown as Suite, ""),
  checking: cases(checking as unknown as Suite, ""),
  comprehension: cases(comprehension as unknown as Suite, ""),
};

function cases(suite: Suite, prefix: string): Case[] {
  const own = (suite.tests ?? []).map(
    ({ original, ...rest }, i) => ({ ...original, ...rest, path: `${prefix}${original.name ?? i}` }) as Case,
  );
  return [...own, ...(suite.suites ?? []).flatMap((inner) => cases(inner, `${prefix}${inner.name}/`))];
}

const messages =
  /\b(?:TestAllTypes|NestedTestAllTypes|TestRequired|GlobalEnum|NestedEnum|Proto2|proto\.(?:get|has)Ext|cel\.expr\.|google\.(?:api|expr|type)\.|google\.protobuf\.(?!Timestamp\b|Duration\b))/;
const literal = /(?:^|[^\w.'"])[A-Za-z_][\w.]*\s*\{/;

/** Whether a case cannot be stated without protobuf messages: a message literal, a message's name, or a message as data. */
export function needsMessages(test: Case): boolean {
  const data = JSON.stringify([test.bindings, test.typeEnv, test.value, test.typedResult]) ?? "";
  const strings = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g;
  return (
    messages.test(test.expr) ||
    literal.test(test.expr.replaceAll(strings, '""')) ||
    /"(?:messageType|wrapper|enumValue)"|"wellKnown":"ANY"/.test(data) ||
    /"@type":"type\.googleapis\.com\/(?!google\.protobuf\.(?:Timestamp|Duration)")/.test(data) ||
    /google\.protobuf\.(?!Timestamp|Duration)\w+/.test(data)
  );
}

/** A value as the corpus writes it. */
export function readValue(json: Json): Value {
  const [kind, content] = Object.entries(json)[0] ?? ["nullValue", null];
  switch (kind) {
    case "int64Value":
      return adapt(BigInt(content as string));
    case "uint64Value":
      return new Uint(BigInt(content as string));
    case "doubleValue":
      return new Double(Number(content));
    case "bytesValue":
      return Uint8Array.from(Buffer.from(content as string, "base64"));
    case "listValue":
      return (((content as Json).values ?? []) as Json[]).map(readValue);
    case "mapValue": {
      const map = new CelMap();
      for (const { key, value } of ((content as Json).entries ?? []) as { key: Json; value: Json }[])
        map.add(readValue(key), readValue(value));
      return map;
    }
    case "typeValue":
      return new TypeValue(content as string);
    case "objectValue": {
      const { "@type": type, value } = content as { "@type": string; value: string };
      return type.endsWith("Timestamp") ? parseTimestamp(value) : parseDuration(value);
    }
    case "nullValue":
      return null;
    default:
      return content as Value;
  }
}

/** A declared type of the corpus, as our declarations write it. */
export function readType(json: Json): string {
  const [kind, content] = Object.entries(json)[0] ?? ["dyn", {}];
  const inner = content as Json;
  switch (kind) {
    case "primitive":
      return ({ INT64: "int", UINT64: "uint" } as Record<string, string>)[content as string] ?? (content as string).toLowerCase();
    case "listType":
      return `list(${readType((inner.elemType ?? { dyn: {} }) as Json)})`;
    case "mapType":
      return `map(${readType((inner.keyType ?? { dyn: {} }) as Json)}, ${readType((inner.valueType ?? { dyn: {} }) as Json)})`;
    case "wellKnown":
      return (content as string).toLowerCase();
    case "null":
      return "null_type";
    case "type":
      return Object.keys(inner).length === 0 ? "type" : `type(${readType(inner)})`;
    case "abstractType":
      return `${inner.name as string}(${((inner.parameterTypes ?? []) as Json[]).map(readType).join(", ")})`;
    case "typeParam":
      return content as string;
    default:
      return kind === "error" ? "!error!" : "dyn";
  }
}
