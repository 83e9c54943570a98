import { expect, test } from "vitest";
import { CompileError, authorizer, environment, lazy, print, schemaType, type Outcome } from "../index.ts";

const env = environment({ version: "1.36", variables: { object: "dyn", params: "dyn" } });
const value = (outcome: Outcome): unknown => (outcome.kind === "value" ? outcome.value : outcome);

function issues(
  source: string,
  variables: Parameters<typeof environment>[0] = { version: "1.36", variables: { object: "dyn", params: "dyn" } },
): CompileError["issues"] {
  try {
    environment(variables).compile(source);
    return [];
  } catch (fault) {
    if (fault instanceof CompileError) return fault.issues;
    throw fault;
  }
}

test("compile() refuses with line, column, what is wrong and what to do", () => {
  expect(issues("object.a &&\n  objekt.b")).toMatchObject([
    { line: 2, column: 3, message: "undeclared reference to 'objekt'", hint: "did you mean 'object'?" },
  ]);
  expect(issues("object.name.startWith('a')")).toMatchObject([{ hint: "did you mean 'startsWith'?" }]);
  expect(issues("1 + 1.0")).toMatchObject([
    { column: 3, message: expect.stringContaining("'_+_' applied to '(int, double)'"), hint: expect.stringContaining("convert") },
  ]);
  expect(issues("object.a = 1")).toMatchObject([{ column: 10, hint: "equality is ==" }]);
  expect(issues("'é😀' + x")).toMatchObject([{ column: 8 }]);
  expect(issues("'open")).toMatchObject([{ message: "this string is never closed" }]);
  expect(issues("duration('1 hour')")).toMatchObject([{ message: expect.stringContaining("cannot parse '1 hour' as a duration") }]);
  expect(issues("object.a.matches('(')")).toHaveLength(1);
  expect(issues("x + y + z")).toHaveLength(3);
});

test("evaluate() says where an error arose", () => {
  const outcome = env.compile("object.a == 1 &&\n object.list[3] == 2").evaluate({ object: { a: 1, list: [] } });
  expect(outcome).toMatchObject({
    kind: "error",
    code: "evaluation",
    message: "index out of bounds: 3",
    line: 2,
    column: 13,
    expression: "object.list[3]",
  });
});

test("evaluate() reads plain JSON: integral numbers are ints, null is a value, what is undefined is absent", () => {
  const object = {
    replicas: 3,
    ratio: 0.5,
    big: 2 ** 60,
    nothing: null,
    missing: undefined,
    when: new Date(0),
    raw: new Uint8Array([1]),
    map: new Map<unknown, unknown>([
      [1, "one"],
      ["a", 2],
    ]),
    set: new Set([1]),
  };
  const run = (source: string): unknown => value(env.compile(source).evaluate({ object }));
  expect(run("object.replicas + 1")).toBe(4);
  expect(run("type(object.ratio) == double && type(object.big) == int")).toBe(true);
  expect(run("has(object.nothing) && object.nothing == null && !has(object.missing) && !('missing' in object)")).toBe(true);
  expect(run("object.when == timestamp('1970-01-01T00:00:00Z') && size(object.raw) == 1")).toBe(true);
  expect(run("object.map[1] + string(object.map.a) + string(object.set[0])")).toBe("one21");
});

test("evaluate() reads two fields of a large object, and no other", () => {
  const read: string[] = [];
  const object = new Proxy(
    { kind: "List", items: [], metadata: { name: "x" } },
    { get: (target, key, self) => (read.push(String(key)), Reflect.get(target, key, self) as unknown) },
  );
  env.compile("object.kind == 'List' && has(object.metadata)").evaluate({ object });
  expect(read.filter((key) => key !== "kind" && key !== "metadata")).toEqual([]);
  let made = 0;
  const bindings = {
    object: lazy(() => ({ count: ++made })),
    params: lazy(() => {
      throw new Error("no params");
    }),
  };
  expect(value(env.compile("object.count + object.count").evaluate(bindings))).toBe(2);
  expect(made).toBe(1);
  expect(value(env.compile("params.a == 1 || object.count == 2").evaluate(bindings))).toBe(true);
  expect(env.compile("params.a").evaluate(bindings)).toMatchObject({ kind: "error", message: "no params" });
});

test("a program says what it gives, costs and reads", () => {
  const program = env.compile(
    "object.spec.containers.all(c, c.image != '' && c.ports.exists(p, p.port in params.allowed)) && object.metadata['name'] == 'x'",
  );
  expect(program.type).toBe("bool");
  expect(program.references).toEqual([
    "object.metadata.name",
    "object.spec.containers[].image",
    "object.spec.containers[].ports[].port",
    "params.allowed",
  ]);
  expect(program.cost.max).toBe(Infinity);
  expect(env.compile("[1, 2].map(x, x + 1)").cost).toEqual({ min: 49, max: 49 });
  const sized = environment({
    version: "1.36",
    variables: {
      self: schemaType({ type: "object", properties: { tags: { type: "array", maxItems: 10, items: { type: "string", maxLength: 5 } } } }),
    },
  });
  expect(sized.compile("self.tags.all(t, t.startsWith('a'))").cost.max).toBeLessThan(100);
});

test("evaluate() ends at its budget, at the same cost each time", () => {
  const program = env.compile("object.list.map(x, x * 2).size() > 3");
  const object = { list: [1, 2, 3, 4, 5] };
  const { cost } = program.evaluate({ object });
  expect(program.evaluate({ object }, { budget: cost })).toMatchObject({ kind: "value", value: true, cost });
  expect(program.evaluate({ object }, { budget: cost - 1 })).toMatchObject({
    kind: "error",
    code: "cost",
    message: "the cost budget is used up",
    cost: cost - 1,
  });
  expect(program.evaluate({ object }, { budget: 0 })).toMatchObject({ kind: "error", code: "cost", cost: 0 });
});

test("evaluate({ explain: true }) gives every sub-expression that was evaluated", () => {
  const outcome = env.compile("object.a > 1 && (object.b || object.c == 'x')").evaluate({ object: { a: 2, c: "y" } }, { explain: true });
  expect(outcome.kind).toBe("error");
  expect(outcome.explanation).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ expression: "object.a > 1", value: true, line: 1, column: 10 }),
      expect.objectContaining({ expression: "object.b", error: "no such key: b" }),
      expect.objectContaining({ expression: 'object.c == "x"', value: false }),
    ]),
  );
  const short = env.compile("object.a == 1 || object.zzz").evaluate({ object: { a: 1 } }, { explain: true });
  expect(short.explanation?.map(({ expression }) => expression)).not.toContain("object.zzz");
});

test("evaluate({ unknowns }) says which inputs a result hangs on, and decides where it can", () => {
  const run = (source: string, unknowns: string[]): Outcome =>
    env.compile(source).evaluate({ object: { a: 1, list: [{ x: 1 }] } }, { unknowns });
  expect(run("object.a == 1 && params.b", ["params"])).toMatchObject({ kind: "unknown", on: ["params"] });
  expect(run("object.a == 2 && params.b", ["params"])).toMatchObject({ value: false });
  expect(run("params.b || object.a == 1", ["params"])).toMatchObject({ value: true });
  expect(run("params.a == params.b", ["params.a", "params.b"])).toMatchObject({ kind: "unknown", on: ["params.a"] });
  expect(run("params.a || object.status.ready", ["params.a", "object.status"])).toMatchObject({
    kind: "unknown",
    on: ["params.a", "object.status"],
  });
  expect(run("object.a == 1", ["object.status"])).toMatchObject({ value: true });
  expect(run("object.status.?ready.orValue(true)", ["object.status"])).toMatchObject({ kind: "unknown", on: ["object.status"] });
  expect(run("object.list.all(i, i.x == 1)", ["object.list"])).toMatchObject({ kind: "unknown", on: ["object.list"] });
  expect(run("object.list.all(i, i.x == params.c)", ["params.c"])).toMatchObject({ kind: "unknown", on: ["params.c"] });
  expect(run("has(object.status) ? 1 : 2", ["object.status"])).toMatchObject({ kind: "unknown" });
});

test("host functions and now() give what the host says; an exception is an error of the expression", () => {
  const host = environment({
    variables: { name: "string" },
    functions: {
      "owner(string) -> string": (name) => `team-${String(name)}`,
      "<string>.shout(int) -> string": (text, times) => String(text).toUpperCase() + "!".repeat(Number(times)),
      "fails() -> bool": () => {
        throw new Error("it does");
      },
    },
  });
  expect(value(host.compile("owner(name).shout(2)").evaluate({ name: "pay" }))).toBe("TEAM-PAY!!");
  expect(value(host.compile("fails() || true").evaluate())).toBe(true);
  expect(host.compile("fails()").evaluate()).toMatchObject({ kind: "error", message: "it does" });
  expect(
    value(
      host.compile("now() - duration('1h') < timestamp('2026-01-31T08:00:00Z')").evaluate({}, { now: new Date("2026-01-31T08:30:00Z") }),
    ),
  ).toBe(true);
  expect(host.compile("now()").evaluate()).toMatchObject({ kind: "error", message: expect.stringContaining("no time was given") });
});

test("an authorizer answers by the host, or is not evaluable: never a silent no", () => {
  const withAuthorizer = environment({ version: "1.36", variables: { authorizer: "kubernetes.authorization.Authorizer" } });
  const program = withAuthorizer.compile(
    "authorizer.serviceAccount('shop', 'orders').group('apps').resource('deployments').namespace('shop').name('x').check('update').allowed()",
  );
  const asked: unknown[] = [];
  const answering = authorizer((request) => (asked.push(request), { allowed: true, reason: "because" }));
  expect(program.evaluate({ authorizer: answering })).toMatchObject({ value: true, cost: 350_007 });
  expect(asked).toEqual([
    {
      verb: "update",
      group: "apps",
      resource: "deployments",
      namespace: "shop",
      name: "x",
      serviceAccount: "system:serviceaccount:shop:orders",
    },
  ]);
  expect(program.evaluate({ authorizer: authorizer() })).toMatchObject({
    kind: "error",
    message: expect.stringContaining("not evaluable"),
  });
  expect(value(withAuthorizer.compile("authorizer.path('/healthz').check('get').reason()").evaluate({ authorizer: answering }))).toBe(
    "because",
  );
});

test("schemaType() derives types as Kubernetes does, and data is read through them", () => {
  const self = schemaType(
    {
      type: "object",
      properties: {
        spec: {
          type: "object",
          properties: {
            weight: { type: "number" },
            count: { type: "integer" },
            namespace: { type: "string" },
            "x-y": { type: "string" },
            since: { type: "string", format: "date-time" },
            every: { type: "string", format: "duration" },
            port: { "x-kubernetes-int-or-string": true },
            labels: { type: "object", additionalProperties: { type: "string" } },
            weights: { type: "array", items: { type: "number" } },
            mode: { type: "string", default: "fast" },
            next: { $ref: "#/properties/spec" },
          },
        },
      },
    },
    { resource: true },
  );
  const typed = environment({ version: "1.36", variables: { self } });
  const data = {
    metadata: { name: "a" },
    spec: {
      weight: 1,
      count: 2,
      namespace: "n",
      "x-y": "z",
      since: "2026-01-31T08:00:00Z",
      every: "90s",
      port: "http",
      labels: { constructor: "c" },
      weights: [1, 2.5],
      extra: 1,
      next: { count: 1 },
    },
  };
  const run = (source: string): unknown => value(typed.compile(source).evaluate({ self: data }));
  expect(run("self.spec.weight + 0.5")).toBe(1.5);
  expect(run("self.spec.weights.sum()")).toBe(3.5);
  expect(run("self.spec.__namespace__ + self.spec.x__dash__y + self.metadata.name")).toBe("nza");
  expect(run("self.spec.since.getFullYear() + self.spec.every.getSeconds()")).toBe(2116);
  expect(run("self.spec.port == 'http' && self.spec.labels.constructor == 'c' && self.spec.next.count == 1")).toBe(true);
  expect(run("self.spec.mode")).toBe("fast");
  const refused = (source: string) => issues(source, { version: "1.36", variables: { self } });
  expect(refused("self.spec.extra")).toMatchObject([{ message: "undefined field 'extra'" }]);
  expect(refused("self.spec.cont")).toMatchObject([{ hint: "did you mean 'count'?" }]);
  expect(refused("self.spec.count + self.spec.weight")).toHaveLength(1);
  expect(refused("self.spec.namespace")).toHaveLength(1);
});

test("print() writes macros as they were called and keeps what parentheses mean", () => {
  for (const source of [
    "a.b.all(x, x > 1 && (x < 3 || x == 7))",
    "-(1) + (2 - (3 - 4)) * 5",
    '(a ? b : c) ? "x" : {"k": [1, ?o]}',
    "a.?b[?0].optMap(x, x + 1).orValue(r'\\d')",
    "!(a && b) || has(a.b.c)",
    "cel.block([], a + 1)",
  ])
    expect(print(environment({ check: false }).compile(print(environment({ check: false }).compile(source).ast)).ast), source).toBe(
      print(environment({ check: false }).compile(source).ast),
    );
});
