import { expect, test } from "vitest";
import { environment, schemaType, type Outcome } from "../index.ts";

const text = { type: "string" };
const ports = {
  type: "array",
  items: {
    type: "object",
    properties: { name: text, "host-port": { type: "integer" }, weight: { type: "number" }, to: text },
  },
  "x-kubernetes-list-type": "map",
};
const self = schemaType({
  type: "object",
  properties: {
    tags: { type: "array", items: text, "x-kubernetes-list-type": "set" },
    others: { type: "array", items: text, "x-kubernetes-list-type": "set" },
    plain: { type: "array", items: text },
    times: { type: "array", items: { type: "string", format: "date-time" }, "x-kubernetes-list-type": "set" },
    pairs: { type: "array", items: { type: "array", items: text }, "x-kubernetes-list-type": "set" },
    byName: { ...ports, "x-kubernetes-list-map-keys": ["name"] },
    byTwo: { ...ports, "x-kubernetes-list-map-keys": ["name", "host-port"] },
  },
});
const env = environment({ version: "1.36", variables: { self, oldSelf: self } });

const evaluate = (source: string, data: object, old: object = data): Outcome => env.compile(source).evaluate({ self: data, oldSelf: old });
function run(source: string, data: object, old?: object): unknown {
  const outcome = evaluate(source, data, old);
  return outcome.kind === "value" ? outcome.value : outcome;
}

test("a set is equal to the same elements in any order, if it stands on the left", () => {
  const data = { tags: ["a", "b"], others: ["b", "a"], plain: ["b", "a"] };
  expect(run("self.tags == self.others && self.tags == self.plain && !(self.tags != self.others)", data)).toBe(true);
  expect(run("self.plain == self.tags", data)).toBe(false);
  expect(run("self.tags == ['a', 'c'] || self.tags == ['a', 'a'] || self.tags == ['a']", data)).toBe(false);
  expect(run("self == oldSelf", data, { ...data, tags: ["b", "a"] })).toBe(true);
  expect(run("self == oldSelf", data, { ...data, plain: ["a", "b"] })).toBe(false);
  const times = { times: ["2026-01-31T08:00:00Z", "2026-02-01T08:00:00Z"] };
  expect(run("self.times == oldSelf.times", times, { times: times.times.toReversed() })).toBe(true);
});

test("X + Y of sets has X's elements and then those of Y that are new, and is a set again", () => {
  const data = { tags: ["c", "a"], others: ["b", "a", "d", "b"] };
  expect(run("self.tags + self.others", data)).toEqual(["c", "a", "b", "d"]);
  expect(run("self.tags + self.others == ['a', 'b', 'c', 'd']", data)).toBe(true);
  expect(run("self.tags + ['x'] + ['c', 'x']", data)).toEqual(["c", "a", "x"]);
  expect(run("['a'] + self.tags", data)).toEqual(["a", "c", "a"]);
  expect(data).toEqual({ tags: ["c", "a"], others: ["b", "a", "d", "b"] });
});

test("a list map is equal to equal elements of the same keys in any order", () => {
  const a = { name: "a", weight: 1 };
  const b = { name: "b", weight: 2 };
  expect(run("self.byName == oldSelf.byName", { byName: [a, b] }, { byName: [b, a] })).toBe(true);
  expect(run("self.byName == oldSelf.byName", { byName: [a, b] }, { byName: [b, { ...a, weight: 3 }] })).toBe(false);
  expect(run("self.byName == oldSelf.byName", { byName: [a, b] }, { byName: [a, { ...b, name: "c" }] })).toBe(false);
  const two = [{ name: "a", "host-port": 1 }, { name: "a", "host-port": 2 }, { name: "a" }];
  expect(run("self.byTwo == oldSelf.byTwo", { byTwo: two }, { byTwo: two.toReversed() })).toBe(true);
});

test("X + Y of list maps puts Y's elements in the places of their keys, and the others at the end", () => {
  const byName = ["a", "b"].map((name) => ({ name, to: "old" }));
  const old = { byName: ["c", "b", "d"].map((name) => ({ name, to: "new" })) };
  expect(run("(self.byName + oldSelf.byName).map(p, p.name + ' ' + p.to)", { byName }, old)).toEqual(["a old", "b new", "c new", "d new"]);
  expect(run("self.byName + oldSelf.byName == oldSelf.byName + self.byName.filter(p, p.name == 'a')", { byName }, old)).toBe(true);
  const byTwo = [{ name: "a", "host-port": 1 }];
  expect(run("size(self.byTwo + oldSelf.byTwo)", { byTwo }, { byTwo: [...byTwo, { name: "a", "host-port": 2 }] })).toBe(2);
});

test("beyond == and + a list with keys is a list like any other, of the same cost", () => {
  const data = { tags: ["b", "a"], plain: ["b", "a"] };
  for (const source of [
    "self.tags[1]",
    "'a' in self.tags",
    "size(self.tags)",
    "self.tags.filter(t, t != 'a') + ['b']",
    "self.tags.map(t, t + t) == ['aa', 'bb']",
    "type(self.tags) == list",
    "self.tags == ['b', 'a']",
    "self.tags + ['c']",
  ]) {
    const plain = evaluate(source.replaceAll("self.tags", "self.plain"), data);
    expect(evaluate(source, data)).toMatchObject({ kind: "value", value: plain.kind === "value" && plain.value, cost: plain.cost });
  }
});

test("a set of what is no scalar is neither compared nor added to, as in Kubernetes", () => {
  const data = { pairs: [["a"], ["b"]] };
  expect(evaluate("self.pairs == self.pairs", data)).toMatchObject({ kind: "error", message: expect.stringContaining("scalars only") });
  expect(evaluate("self.pairs + [['c']]", data)).toMatchObject({ kind: "error", message: expect.stringContaining("scalars only") });
  expect(run("self.pairs == [['a']]", data)).toBe(false);
});
