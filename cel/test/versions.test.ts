import { expect, test } from "vitest";
import { CompileError, environment } from "../index.ts";
import functions from "./data/kubernetes-functions.json" with { type: "json" };

const versions = Array.from({ length: 15 }, (_, i) => 23 + i);

/** Where we go by the Kubernetes that first had something, and the API server's environments of older versions are more generous. */
const later: Record<string, number> = { "first list_first": 34, "last list_last": 34 };
const crossType = /^_[<>]=?_ \w+_(?:int64|uint64|double)_(?:int64|uint64|double)$/;

function issuesOf(version: string, source: string): string {
  try {
    environment({ version, variables: { l: "list(int)", object: "dyn" } }).compile(source);
    return "";
  } catch (fault) {
    if (fault instanceof CompileError) return fault.message;
    throw fault;
  }
}

test.each(versions)("environment({ version: '1.%i' }) has exactly the functions of that Kubernetes", (minor) => {
  const recorded = Object.entries(functions.added)
    .filter(([version]) => Number(version.slice(2)) <= minor)
    .flatMap(([, added]) => added);
  const expected = recorded.filter((one) => (later[one] ?? 0) <= minor && !(crossType.test(one) && minor < 28)).map(goNames);
  const { scope } = environment({ version: `1.${minor}` });
  const ours = [...scope.options.functions.values()].flatMap(({ name, overloads }) => overloads.map(({ id }) => goNames(`${name} ${id}`)));
  expect(ours.sort()).toEqual(expected.sort());
});

/** The list functions of Kubernetes write timestamp and duration long in some overload ids, short in others. */
const goNames = (id: string): string =>
  id.replace(
    /list_google\.protobuf\.(Duration|Timestamp)_(is_sorted|min|max|sum)/,
    (_, type: string, name: string) => `list_${type.toLowerCase()}_${name}`,
  );

test.each([
  ["1.27", "object.?a.hasValue()", "1.28"],
  ["1.27", "quantity('1').isInteger()", "1.28"],
  ["1.28", "sets.contains(l, l)", "1.29"],
  ["1.28", "'%s'.format([l])", "1.29"],
  ["1.29", "ip('::1').family() == 6", "1.30"],
  ["1.29", "isCIDR('10.0.0.0/8')", "1.30"],
  ["1.30", "format.dns1123Label().validate('a').hasValue()", "1.31"],
  ["1.31", "l.all(i, v, v > i)", "1.32"],
  ["1.31", "l.transformList(i, v, v)", "1.32"],
  ["1.32", "semver('1.2.3').major()", "1.33"],
  ["1.33", "l.sort()", "1.34"],
  ["1.33", "l.sortBy(v, -v)", "1.34"],
  ["1.36", "l.includes(1)", "1.37"],
])("environment({ version: '%s' }) refuses %s and says that Kubernetes has it since %s", (version, source, since) => {
  expect(issuesOf(version, source)).toContain(`since ${since}`);
  expect(issuesOf(since, source)).toBe("");
});

test.each([
  "math.greatest(1, 2)",
  "base64.encode(b'a')",
  "cel.bind(x, 1, x)",
  "'a'.reverse()",
  "now()",
  "l.existsOne(v, v == 1)",
  "object.`a-b`",
])("environment() refuses %s in every Kubernetes, but has it without a version", (source) => {
  for (const minor of versions) expect(issuesOf(`1.${minor}`, source), `1.${minor}`).not.toBe("");
  expect(() => environment({ variables: { l: "list(int)", object: "dyn" } }).compile(source)).not.toThrow();
});

test.each(["1.22", "1.38", "2.0", "latest", "1", ""])("environment() refuses the version %j", (version) => {
  expect(() => environment({ version })).toThrow(RangeError);
});

test("compile() refuses literals of mixed types in Kubernetes, but for the arguments of format()", () => {
  expect(issuesOf("1.36", "[1, 'a']")).toContain("expected type 'int' but found 'string'");
  expect(issuesOf("1.36", "{'a': 1, 'b': dyn('c')}")).toContain("expected type 'int' but found 'dyn'");
  expect(issuesOf("1.36", "'%s %d'.format(['a', 1])")).toBe("");
  for (const wrong of [
    "'%d'.format(['a'])",
    "'%s %s'.format(['a'])",
    "'%s'.format(['a', 'b'])",
    "'%q'.format([1])",
    "'%s'.format([url('https://a')])",
  ])
    expect(issuesOf("1.36", wrong), wrong).not.toBe("");
  expect(environment().compile("[1, 'a']").type).toBe("list(dyn)");
});
