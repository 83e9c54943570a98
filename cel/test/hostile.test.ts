import { expect, test } from "vitest";
import { CompileError, environment, print, type Outcome } from "../index.ts";

const kubernetes = environment({ version: "1.37", variables: { object: "dyn", s: "string", l: "list(int)" } });
const numbers = Array.from({ length: 1000 }, (_, i) => i);

function run(source: string, bindings: object = {}, budget?: number): Outcome {
  return kubernetes.compile(source).evaluate(bindings, budget === undefined ? {} : { budget });
}

function refusal(source: string): string {
  try {
    kubernetes.compile(source);
    return "was not refused";
  } catch (fault) {
    if (fault instanceof CompileError) return fault.message;
    throw fault;
  }
}

test("evaluate() ends nested comprehensions over 10^12 steps at their budget, and names the place", () => {
  const source = "l.all(a, l.all(b, l.all(c, l.all(d, a + b + c + d >= 0))))";
  const outcome = run(source, { l: numbers });
  expect(outcome).toMatchObject({ kind: "error", code: "cost", cost: 1_000_000, line: 1 });
  expect(outcome.kind === "error" && source.slice(outcome.column - 1)).toMatch(/^(?:\+|>=|a|b|c|d|all)/);
  expect(run(source, { l: numbers })).toEqual(outcome);
});

test("evaluate() ends loops whose steps cost nothing", () => {
  const outcome = run("l.exists_one(a, l.exists_one(b, l.exists_one(c, false)))", { l: numbers }, Infinity);
  expect(outcome).toMatchObject({ kind: "error", code: "work" });
});

test("evaluate() ends doubling lists and strings before they take memory", () => {
  const names = Array.from({ length: 60 }, (_, i) => `x${i}`);
  const doubling = (start: string) => names.reduce((source, name) => `${source}.map(${name}, ${name} + ${name})`, `[${start}]`);
  expect(run(doubling("[1, 2]"))).toMatchObject({ kind: "error", code: "allocation" });
  expect(run(doubling("s"), { s: "abcdefgh" })).toMatchObject({ kind: "error" });
  expect(run(doubling("s"), { s: "abcdefgh" }, Infinity)).toMatchObject({ kind: "error", code: "allocation" });
  expect(run("lists.range(1000000000)", {}, Infinity)).toMatchObject({ kind: "error", code: "allocation" });
  expect(run("s.replace('', s)", { s: "a".repeat(100_000) }, Infinity)).toMatchObject({ kind: "error", code: "allocation" });
});

test("evaluate() ends comparisons of values that share parts without end, and gives such values back as small as they are", () => {
  const names = Array.from({ length: 40 }, (_, i) => `x${i}`);
  const shared = names.reduce((source, name) => `${source}.map(${name}, [dyn(${name}), dyn(${name})])`, "[[1]]");
  expect(run(`${shared} == ${shared.replaceAll("x", "y")}`)).toMatchObject({ kind: "error", code: "work" });
  expect(run(`dyn(${shared}).flatten(60)`)).toMatchObject({ kind: "error" });
  expect(run(shared).kind).toBe("value");
});

test("matches() and find() take time linear in the text, whatever the pattern", () => {
  const text = "a".repeat(50_000);
  expect(run("s.matches('^(a+)+$')", { s: `${text}!` }, Infinity)).toMatchObject({ value: false });
  expect(run("s.matches('(a|a)*b')", { s: text }, Infinity)).toMatchObject({ value: false });
  expect(run("s.find('(a*)*b')", { s: text }, Infinity)).toMatchObject({ value: "" });
  expect(run("s.find('a*$').size()", { s: text }, Infinity)).toMatchObject({ value: 50_000 });
  expect(refusal("s.matches('((((a{100}){100}){100}){100})')")).toMatch(/repetition|regexp|limit/i);
  expect(refusal("s.matches('(?=a)')")).toMatch(/perl|regexp/i);
});

test("searching a text takes time linear in it, whatever is searched", () => {
  const [text, part] = ["a".repeat(400_000), `${"a".repeat(200_000)}b${"a".repeat(1000)}`];
  const env = environment({ version: "1.37", variables: { s: "string", t: "string" } });
  for (const call of ["s.contains(t)", "s.indexOf(t)", "s.lastIndexOf(t)", "s.split(t).size()", "s.replace(t, '').size()"])
    expect(env.compile(call).evaluate({ s: text, t: part }, { budget: Infinity }).kind, call).toBe("value");
});

test("reading numbers, white space, escapes and queries out of long texts takes linear time", () => {
  const long = 300_000;
  const cases: [source: string, s: string][] = [
    ["double(s)", `${"1".repeat(long)}!`],
    ["int(s)", "1".repeat(long)],
    ["s.trim()", `a${" ".repeat(long)}a`],
    ["timestamp(s)", `2026-01-31T08:00:00.${"1".repeat(long)}!`],
    ["duration(s)", "1h".repeat(long)],
    ["quantity(s)", "1".repeat(long)],
    ["semver(s)", `1.2.3-${"a.".repeat(long)}`],
    ["ip(s)", "1:".repeat(long)],
    ["cidr(s)", "1.".repeat(long)],
    ["url(s).getQuery().size()", `https://a/?${"a=1&".repeat(long)}`],
    ["url(s)", `https://${":1".repeat(long)}`],
    ["url(s)", `/${"%41".repeat(long)}`],
    ["format.dns1123Subdomain().validate(s)", `${"a-".repeat(long)}!`],
    ["format.qualifiedName().validate(s)", `${"a.".repeat(long)}/!`],
    ["format.uuid().validate(s)", "a".repeat(long)],
    ["format.byte().validate(s)", `${"=".repeat(long)}a`],
    ["s.format([1])", "%%".repeat(long)],
    ["s.find('( +)+$')", `${" ".repeat(10_000)}a`],
    ["strings.quote(s)", '"'.repeat(long)],
  ];
  for (const [source, s] of cases) expect(["value", "error"], source).toContain(run(source, { s }, Infinity).kind);
});

test("compile() bounds depth: 20,000 operators are refused as a chain, and fine where they balance", () => {
  expect(refusal(`1${" + 1".repeat(20_000)}`)).toMatch(/deeper than 250/);
  expect(refusal(`${"!".repeat(20_001)}(${"-".repeat(19_999)}s)`)).toMatch(/no matching overload/);
  expect(refusal("(".repeat(20_000))).toMatch(/deeper than 250/);
  expect(refusal("[".repeat(20_000))).toMatch(/deeper than 250/);
  expect(refusal(`object${".a".repeat(20_000)}`)).toMatch(/deeper than 250/);
  expect(refusal(`object${"[0]".repeat(5000)}`)).toMatch(/deeper than 250/);
  expect(refusal("a".repeat(100_001))).toMatch(/longer than 100000/);
  const wide = kubernetes.compile(`true${" && true".repeat(10_000)}`);
  expect(wide.evaluate()).toMatchObject({ value: true });
  expect(kubernetes.compile(print(wide.ast)).evaluate()).toMatchObject({ value: true });
});

test("compile() bounds what macros expand to", () => {
  expect(refusal(`object.?a${".optMap(x, x)".repeat(40)}`)).toMatch(/too large|deeper/);
  const lists = `${"[".repeat(200)}1${"]".repeat(200)}`;
  expect(kubernetes.compile(lists).cost.max).toBe(2000);
});

test("evaluate() reads, compares and gives back data of 5,000 levels", () => {
  const levels = (count: number): object => {
    let data: object = { end: true };
    for (let i = 0; i < count; i++) data = i % 2 ? { a: data } : { a: [data] };
    return data;
  };
  const deep = levels(5000);
  expect(run("has(object.a)", { object: deep })).toMatchObject({ value: true });
  expect(run("object", { object: deep }).kind).toBe("value");
  expect(run("object == dyn([object])[0]", { object: deep })).toMatchObject({ value: true });
  expect(run("object.x == object.y", { object: { x: deep, y: levels(5000) } })).toMatchObject({
    kind: "error",
    message: expect.stringContaining("nested too deeply"),
  });
  expect(run("[object].indexOf(1)", { object: deep }).kind).toBe("value");
  const ring: { self?: object; list: unknown[] } = { list: [] };
  ring.self = ring;
  ring.list = [ring, ring];
  expect(run("object.self.self.list[0].self == 1", { object: ring })).toMatchObject({ value: false });
  expect(run("dyn([object]).indexOf(2)", { object: ring }).kind).toBe("error");
  expect(run("'%s'.format([object])", { object: ring }).kind).toBe("error");
});

test("keys of prototypes are keys like any other, and no prototype is reached", () => {
  const object = JSON.parse('{"constructor": 1, "__proto__": {"x": 2}, "toString": "t", "labels": {}}') as object;
  expect(run("object.constructor + object.__proto__.x", { object })).toMatchObject({ value: 3 });
  expect(run("object['__proto__'] == {'x': 2} && 'toString' in object", { object })).toMatchObject({ value: true });
  for (const key of ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"]) {
    expect(run(`has(object.labels.${key}) || '${key}' in object.labels`, { object }), key).toMatchObject({ value: false });
    expect(run(`object.labels.${key}`, { object }), key).toMatchObject({ kind: "error" });
    expect(run(`object.labels.?${key}.hasValue()`, { object }), key).toMatchObject({ value: false });
  }
  expect(run("{'__proto__': {'polluted': true}, 'constructor': {'polluted': true}}")).toMatchObject({ kind: "value" });
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test("names of prototypes are no variables, functions, types or formats", () => {
  for (const source of ["constructor", "toString()", "'a'.constructor()", "__proto__", "hasOwnProperty('a')"])
    expect(refusal(source), source).toMatch(/undeclared/);
  expect(run("format.named('constructor').hasValue()")).toMatchObject({ value: false });
  expect(run("quantity('1constructor')")).toMatchObject({ kind: "error" });
});

test("evaluate() changes nothing that it is given", () => {
  const freeze = <T>(value: T): T => {
    if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
    return value;
  };
  const object = freeze({ list: [3, 1, 2], map: { a: [1] } });
  for (const source of [
    "object.list.map(x, x) + [4]",
    "dyn(object.list).sort()",
    "object.map.a + [2]",
    "object.list.map(x, [x]).flatten()",
    "object",
  ])
    expect(run(source, { object }).kind, source).toBe("value");
});

test("evaluate() gives an error, never an exception, for values that no data has", () => {
  const thrower = {
    get a(): never {
      throw new Error("no");
    },
  };
  for (const object of [
    () => 1,
    Symbol("s"),
    new Date(Number.NaN),
    thrower,
    new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error("trap");
        },
      },
    ),
    10n ** 30n,
  ])
    for (const source of [
      "object",
      "object.a",
      "object.a == 1 || true",
      "'%s'.format([object])",
      "object == object",
      "size(object)",
      "object.all(x, true)",
    ])
      expect(["value", "error"], source).toContain(run(source, { object }).kind);
});

test("evaluate() gives an error for an unchecked call with too few or too many arguments", () => {
  const unchecked = environment({ check: false });
  for (const source of [
    "optional.of(1).orValue()",
    "optional.of(1).or()",
    "optional.none().orValue(1, 2)",
    "'a'.matches()",
    "size()",
    "int()",
  ]) {
    const outcome = unchecked.compile(source).evaluate({});
    expect(outcome.kind === "error" && outcome.code, source).toBe("evaluation");
  }
});
