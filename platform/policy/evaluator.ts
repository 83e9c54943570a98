import { createContext, Script } from "node:vm";
import { Environment } from "@marcbachmann/cel-js";

/** Stands in every decision: another evaluator may judge otherwise. */
export const EVALUATOR = "@marcbachmann/cel-js 8.0.0";

/** A CEL value: integers are bigint, objects are Maps, so that keys such as `constructor` are only keys. */
export type CelValue = null | boolean | string | number | bigint | CelValue[] | Map<string, CelValue>;

/** An expression that was parsed. Opaque: only `evaluate` knows what it is. */
export interface Program {
  readonly expression: string;
  readonly run: (bindings: Record<string, CelValue>) => unknown;
}

const environment = new Environment({
  enableOptionalTypes: true,
  limits: { maxAstNodes: 5000, maxDepth: 60, maxListElements: 500, maxMapEntries: 200, maxCallArguments: 16 },
})
  .registerVariable("object", "dyn")
  .registerVariable("variables", "dyn");

/** Parses and checks an expression over `object` and `variables`. Throws an Error that says what is wrong with it. */
export function compile(expression: string): Program {
  const parsed = environment.parse(expression);
  const checked = parsed.check();
  if (!checked.valid) throw checked.error ?? new Error("the types do not fit");
  return { expression, run: parsed };
}

/**
 * The value of a program. Throws what evaluation throws: a key that is missing, types that do not fit, and a rule that does not come to an end.
 * The limit is far above what a sound rule takes, so that a busy machine does not change a decision.
 */
export function evaluate(program: Program, bindings: Record<string, CelValue>): unknown {
  cage.rule = () => program.run(bindings);
  try {
    return guard.runInContext(cage, { timeout: RUNAWAY_MILLIS });
  } finally {
    cage.rule = undefined;
  }
}

/** JSON as CEL sees it: an integral number is an int, any other a double. Convert a document once, not once per rule. */
export function celOf(value: unknown): CelValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map(celOf);
  if (typeof value === "object") {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return new Map(members.map(([key, member]) => [key, celOf(member)]));
  }
  throw new TypeError(`CEL can't hold a ${typeof value}`);
}

const RUNAWAY_MILLIS = 1000;
const cage: { rule?: (() => unknown) | undefined } = createContext({});
const guard = new Script("rule()", { filename: "policy-rule" });
