import fc from "fast-check";
import { expect, test } from "vitest";
import { environment, print } from "../index.ts";
import { toPlain } from "../values/plain.ts";
import { arithmetic } from "../values/numbers.ts";
import { Double, Uint } from "../values/values.ts";
import { data, mutated, source } from "./arbitrary.ts";
import { compiled, environments, keepsLaws, sameTree } from "./laws.ts";
import { suites } from "./corpus.ts";

/** Seconds to fuzz, in all; CEL_FUZZ_SECONDS=5 for a short run. */
const fuzzSeconds = Number(process.env["CEL_FUZZ_SECONDS"] ?? 60);
/** The same cases in each ordinary run, so that a change is judged by what it changed; CEL_FUZZ_SEED=random looks for new ones. */
const fuzzSeed = process.env["CEL_FUZZ_SEED"] === "random" ? {} : { seed: Number(process.env["CEL_FUZZ_SEED"] ?? 1565560303) };
const fuzz = (part: number) => ({
  numRuns: 1_000_000,
  interruptAfterTimeLimit: fuzzSeconds * part * 1000,
  markInterruptAsFailure: false,
  ...fuzzSeed,
});

test("print() gives every expression of the corpus back as one that parses to the same tree", () => {
  let printed = 0;
  for (const { expr } of [...suites.conformance, ...suites.parsing, ...suites.checking, ...suites.comprehension]) {
    const program = compiled(environments[2], expr);
    if (program === undefined) continue;
    const again = compiled(environments[2], print(program.ast));
    expect(again !== undefined && sameTree(program.ast.root, again.ast.root), `${expr} -> ${print(program.ast)}`).toBe(true);
    printed++;
  }
  expect(printed).toBeGreaterThan(2400);
});

test("arithmetic() is that of 64 bits: exact, or an error", () => {
  const number = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.integer().map(BigInt),
    fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, -(2n ** 53n)),
  );
  const env = environment({ variables: { a: "int", b: "int" } });
  fc.assert(
    fc.property(number, number, fc.constantFrom("+", "-", "*", "/", "%"), (a, b, operator) => {
      const exact =
        operator === "+"
          ? a + b
          : operator === "-"
            ? a - b
            : operator === "*"
              ? a * b
              : b === 0n
                ? undefined
                : operator === "/"
                  ? a / b
                  : a % b;
      const fits = exact !== undefined && exact >= -(2n ** 63n) && exact < 2n ** 63n && !(a === -(2n ** 63n) && b === -1n);
      const outcome = env.compile(`a ${operator} b`).evaluate({ a, b });
      expect(outcome.kind).toBe(fits ? "value" : "error");
      if (outcome.kind === "value") expect(BigInt(outcome.value as number)).toBe(exact);
    }),
    { numRuns: 500 },
  );
  expect(arithmetic("+", new Uint(1n), new Double(1))).toBeUndefined();
});

test("data comes back from an evaluation as it went in", () => {
  const env = environment({ variables: { d: "dyn" } });
  const program = env.compile("d");
  const text = (value: unknown): string => JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? Number(part) : part));
  fc.assert(
    fc.property(fc.jsonValue(), (d) => {
      const outcome = program.evaluate({ d });
      expect(outcome.kind).toBe("value");
      if (outcome.kind === "value") expect(JSON.parse(text(outcome.value))).toEqual(JSON.parse(text(d)));
      expect(toPlain(null)).toBeNull();
    }),
    { numRuns: 300 },
  );
});

test("compile() gives a program or says where the fault is, for any text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: "binary", maxLength: 20 })), (text) => {
      for (const env of environments) compiled(env, text);
    }),
    { numRuns: 2000, ...(fuzzSeconds < 60 && { interruptAfterTimeLimit: fuzzSeconds * 100 }) },
  );
});

test(
  "whatever is written, evaluation is total, deterministic, within budget, of the checked type, and printing is inverse: fuzzed sources",
  () => {
    fc.assert(
      fc.property(source, data, (text, bindings) => keepsLaws(text, bindings)),
      fuzz(0.55),
    );
  },
  (fuzzSeconds + 60) * 1000,
);

test(
  "the same for sources near those of the corpus: fuzzed mutations",
  () => {
    fc.assert(
      fc.property(mutated, data, (text, bindings) => keepsLaws(text, bindings)),
      fuzz(0.35),
    );
  },
  (fuzzSeconds + 60) * 1000,
);
