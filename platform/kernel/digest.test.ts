import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, digestOf, sha256 } from "./digest.ts";

test("canonicalJson() refuses what JSON can't hold", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, { deep: [1n] }, () => 1])
    expect(() => canonicalJson(value)).toThrow(TypeError);
});

// The example of RFC 8785, section 3.2.3 (sorting), and its numbers.
test("canonicalJson() sorts by UTF-16 code units and writes numbers as ECMAScript does", () => {
  expect(canonicalJson({ "\u20ac": 1, "\r": 2, "1": 3, "\ud83d\ude00": 4, "\u0080": 5, "\u00f6": 6, "\ufb33": 7 })).toBe(
    '{"\\r":2,"1":3,"\u0080":5,"\u00f6":6,"\u20ac":1,"\ud83d\ude00":4,"\ufb33":7}',
  );
  expect(canonicalJson([333333333.3333333, 1e30, 4.5, 2e-3, 1e-27])).toBe("[333333333.3333333,1e+30,4.5,0.002,1e-27]");
});

test("digestOf() is the same for equal values, whatever the order of their members", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      expect(digestOf(shuffled(value))).toBe(digestOf(value));
    }),
  );
  expect(sha256("")).toBe("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, member] of Object.entries(value).toReversed()) copy[key] = shuffled(member);
  return copy;
};
