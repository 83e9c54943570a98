import fc from "fast-check";
import { suites } from "./corpus.ts";

/** Variables that the expressions below may read, with data that fits. */
export const variables = {
  i: "int",
  u: "uint",
  x: "double",
  s: "string",
  b: "bool",
  y: "bytes",
  l: "list(int)",
  ls: "list(string)",
  m: "map(string, int)",
  t: "timestamp",
  p: "duration",
  d: "dyn",
} as const;

export const data: fc.Arbitrary<object> = fc.record({
  i: fc.integer(),
  s: fc.string({ unit: "grapheme", maxLength: 12 }),
  b: fc.boolean(),
  y: fc.uint8Array({ maxLength: 6 }),
  l: fc.array(fc.integer(), { maxLength: 5 }),
  ls: fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 }),
  m: fc.dictionary(fc.string({ maxLength: 3 }), fc.integer(), { maxKeys: 4 }),
  u: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  x: fc.double(),
  t: fc
    .date({ noInvalidDate: true, min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T00:00:00Z") })
    .map((date) => date.toISOString()),
  p: fc.integer({ min: -1_000_000, max: 1_000_000 }).map((seconds) => `${seconds}s`),
  d: fc.jsonValue({ maxDepth: 4 }),
});

const text = fc.string({ maxLength: 6 }).map((value) => JSON.stringify(value));
const leaves = fc.oneof(
  fc.constantFrom(
    ...Object.keys(variables),
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "0",
    "1",
    "-1",
    "2u",
    "1.5",
    "9223372036854775807",
    "-9223372036854775808",
    "b'a\\xff'",
    "'é😀'",
    "int",
    "[1, 2, 3]",
  ),
  fc.integer().map(String),
  text,
);

const methods = [
  "size()",
  "contains(#)",
  "startsWith(#)",
  "matches(#)",
  "getHours()",
  "getFullYear('Europe/Berlin')",
  "charAt(#)",
  "indexOf(#)",
  "lastIndexOf(#, #)",
  "lowerAscii()",
  "replace(#, #)",
  "split(#)",
  "substring(#)",
  "trim()",
  "join(#)",
  "format([#, #])",
  "sum()",
  "min()",
  "max()",
  "isSorted()",
  "sort()",
  "distinct()",
  "reverse()",
  "slice(#, #)",
  "flatten()",
  "first()",
  "last()",
  "hasValue()",
  "value()",
  "orValue(#)",
  "or(#)",
  "find(#)",
  "findAll(#)",
  "all(v, #)",
  "exists(v, #)",
  "exists_one(v, #)",
  "map(v, #)",
  "filter(v, #)",
  "map(v, #, #)",
  "all(v, w, #)",
  "transformList(v, w, #)",
  "transformMap(v, w, #)",
  "transformMapEntry(v, w, #)",
  "optMap(v, #)",
  "optFlatMap(v, #)",
  "sortBy(v, #)",
  "isLessThan(#)",
  "add(#)",
  "asInteger()",
  "containsIP(#)",
  "family()",
  "getHost()",
  "includes(#)",
  "unwrapOpt()",
];
const functions = [
  "size(#)",
  "int(#)",
  "uint(#)",
  "double(#)",
  "string(#)",
  "bytes(#)",
  "bool(#)",
  "type(#)",
  "dyn(#)",
  "timestamp(#)",
  "duration(#)",
  "matches(#, #)",
  "optional.of(#)",
  "optional.none()",
  "optional.ofNonZeroValue(#)",
  "sets.contains(#, #)",
  "sets.equivalent(#, #)",
  "quantity(#)",
  "isQuantity(#)",
  "ip(#)",
  "isIP(#)",
  "cidr(#)",
  "url(#)",
  "isURL(#)",
  "semver(#)",
  "semver(#, true)",
  "lists.range(#)",
  "strings.quote(#)",
  "format.named(#)",
  "math.greatest(#, #)",
  "math.abs(#)",
  "math.bitShiftLeft(#, #)",
  "base64.encode(#)",
  "base64.decode(#)",
  "has(d.a)",
  "has(d.a.b)",
  "cel.bind(v, #, #)",
  "foo(#)",
];
const operators = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"];

/** Sources of the whole language: most that check are well typed, but many are not, on purpose. */
export const source: fc.Arbitrary<string> = fc.letrec<{ expression: string }>((tie) => {
  const inner = tie("expression");
  const filled = (shapes: readonly string[]) =>
    fc.tuple(fc.constantFrom(...shapes), inner, inner).map(([shape, a, b]) => shape.replace("#", () => a).replace("#", () => b));
  return {
    expression: fc.oneof(
      { maxDepth: 4, depthSize: "small", withCrossShrink: true },
      leaves,
      fc.tuple(inner, fc.constantFrom(...operators), inner).map(([a, operator, b]) => `(${a} ${operator} ${b})`),
      fc.tuple(inner, filled(methods)).map(([target, call]) => `${target}.${call}`),
      filled(functions),
      fc.tuple(inner, inner, inner).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      fc.array(inner, { maxLength: 3 }).map((items) => `[${items.join(", ")}]`),
      fc
        .array(fc.tuple(inner, inner), { maxLength: 2 })
        .map((entries) => `{${entries.map(([key, value]) => `${key}: ${value}`).join(", ")}}`),
      fc.tuple(inner, fc.constantFrom("a", "b", "constructor", "__proto__")).map(([operand, field]) => `${operand}.${field}`),
      fc.tuple(inner, fc.constantFrom("a", "b")).map(([operand, field]) => `${operand}.?${field}`),
      fc.tuple(inner, inner).map(([operand, index]) => `${operand}[${index}]`),
      fc.tuple(inner, inner).map(([operand, index]) => `${operand}[?${index}]`),
      fc.tuple(fc.constantFrom("!", "-"), inner).map(([operator, operand]) => `${operator}${operand}`),
      fc.constantFrom("v", "w"),
    ),
  };
}).expression;

const corpus = [...suites.conformance, ...suites.parsing].map(({ expr }) => expr).filter((expr) => expr.length < 400);

/** Sources of the corpus with a part cut out, doubled, or put in from another: near what is right, and often wrong. */
export const mutated: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...corpus),
    fc.constantFrom(...corpus),
    fc.nat(400),
    fc.nat(60),
    fc.nat(400),
    fc.nat(40),
    fc.constantFrom("cut", "splice", "double", "swap"),
  )
  .map(([one, other, at, length, from, taken, how]) => {
    const start = at % (one.length + 1);
    const part = other.slice(from % (other.length + 1)).slice(0, taken);
    if (how === "cut") return one.slice(0, start) + one.slice(start + length);
    if (how === "splice") return one.slice(0, start) + part + one.slice(start);
    if (how === "double") return one.slice(0, start) + one.slice(start, start + length).repeat(2) + one.slice(start + length);
    return one.slice(0, start) + part + one.slice(start + length);
  });
