import { expect, test } from "vitest";
import { CompileError } from "../index.ts";
import { parse } from "../syntax/parser.ts";
import { MacroTable, existsOneMacro, optionalMacros, standardMacros } from "../syntax/macros.ts";
import { check } from "../check/checker.ts";
import { needsMessages, suites, type Case } from "./corpus.ts";
import { debugString, typeText } from "./debug-string.ts";
import exceptions from "./data/exceptions.json" with { type: "json" };
import { runCase, scopeOf } from "./run-case.ts";

type Exceptions = Readonly<Record<string, string>>;

/** Every case passes but those listed, and each of those still fails: a list that is too long is a fault too. */
function holds(cases: readonly Case[], listed: Exceptions, run: (test: Case) => string | undefined): void {
  const failing = new Map(cases.map((one) => [one.path, run(one)] as const).filter(([, fault]) => fault !== undefined));
  const surprises = [...failing].filter(([path]) => !(path in listed)).map(([path, fault]) => `${path}: ${fault}`);
  expect(surprises, "cases that fail").toEqual([]);
  expect(
    Object.keys(listed).filter((path) => !failing.has(path)),
    "cases that are listed as exceptions but pass",
  ).toEqual([]);
}

const plain = suites.conformance.filter((one) => !needsMessages(one));

test("the corpus is whole: no case is left out unseen", () => {
  expect(Object.fromEntries(Object.entries(suites).map(([name, cases]) => [name, cases.length]))).toEqual({
    conformance: 2344,
    parsing: 194,
    checking: 135,
    comprehension: 92,
  });
  expect(plain.length).toBe(1639);
});

test("evaluate() gives what the CEL specification says, in at least 99 % of the cases that need no protobuf messages", () => {
  holds(plain, exceptions.conformance, runCase);
  expect(Object.keys(exceptions.conformance).length / plain.length).toBeLessThan(0.01);
});

const macros = new MacroTable(standardMacros, existsOneMacro, optionalMacros);

/** The tree as cel-go prints it, or that it was refused. The corpus was parsed without optional syntax where it complains of that. */
function treeFault({ expr, ast, error }: Case, depth = 250): string | undefined {
  const extended = !/unsupported syntax/.test(error ?? "");
  try {
    const tree = debugString(parse(expr, { macros, optionals: extended, quotedIdentifiers: extended, depth }).root);
    return tree === ast ? undefined : `gave ${tree.slice(0, 200)}`;
  } catch (fault) {
    if (!(fault instanceof CompileError)) throw fault;
    return ast === undefined ? undefined : fault.message;
  }
}

test("parse() gives cel-go's trees, and refuses what cel-go refuses", () => {
  holds(suites.parsing, exceptions.parsing, (one) => treeFault(one, 32));
  holds(suites.checking, {}, (one) => treeFault(one));
  holds(suites.comprehension, {}, (one) => treeFault(one));
});

/** The type and the meaning of every node, as cel-go prints them, or that the checker refused. */
function checkFault(one: Case): string | undefined {
  if (one.ast === undefined) return undefined;
  const { scope, ids } = scopeOf(one);
  const ast = parse(one.expr, { macros, optionals: true, quotedIdentifiers: true });
  const checked = check(ast, scope);
  if (Array.isArray(checked)) return one.checkedAst === undefined ? undefined : checked.map(({ message }) => message).join("; ");
  if (one.checkedAst === undefined) return "was not refused";
  if (one.type !== undefined && typeText(checked.type) !== one.type) return `type ${checked.type}, expected ${one.type}`;
  const shown = Object.entries(ids).reduce(
    (text, [signature, id]) => text.replaceAll(`^${signature}`, `^${id}`),
    debugString(ast.root, checked),
  );
  return shown === one.checkedAst ? undefined : `gave ${shown}`;
}

test("check() gives cel-go's types and overloads, and refuses what cel-go refuses", () => {
  holds(
    suites.checking.filter((one) => !needsMessages(one)),
    exceptions.checking,
    checkFault,
  );
});

test("two-variable comprehensions do what cel-go's own tests of them ask", () => {
  holds(suites.comprehension, exceptions.comprehension, runCase);
});
