import { environment, schemaType, Type, type Program as CelProgram, type Schema } from "@cairn/cel";
import { z } from "zod";
import { PolicySubject } from "./model.ts";

/** Stands in every decision: another evaluator may judge otherwise. */
export const EVALUATOR = "@cairn/cel 0.1.0 for Kubernetes 1.36";
/** What one rule may cost in Kubernetes' units, all its expressions together: far above what a sound rule takes. */
export const RULE_BUDGET = 1_000_000;

/** An expression that was parsed and checked. Opaque: only this file knows what it is. */
export interface Program {
  readonly expression: string;
  /** Of its value, as CEL writes it; `dyn` where only evaluating tells. */
  readonly type: string;
  readonly cel: CelProgram;
}

/** Compiles the expressions of one rule: over `object`, typed as the subject is, and over the variables that were declared before. */
export interface Compiler {
  /** Throws an Error that says what is wrong with the expression, and where. */
  compile(expression: string): Program;
  /** The same, and makes its value known as `variables.<name>` to what is compiled after it. */
  declare(name: string, expression: string): Program;
}

export function compiler(): Compiler {
  const variables = new Map<string, { type: Type; key: string }>();
  const compile = (expression: string): Program => {
    const types = { object: subjectType, variables: new Type("struct", "variables", [], new Map(variables)) };
    const cel = environment({ version: "1.36", variables: types }).compile(expression);
    return { expression, type: cel.type, cel };
  };
  return {
    compile,
    declare(name, expression) {
      const program = compile(expression);
      variables.set(name, { type: program.cel.checked.type, key: name });
      return program;
    },
  };
}

/** What is left for a rule to spend. */
export interface Purse {
  left: number;
}

/** The value of a program as plain data. Throws what evaluation gives instead of a value: a key that is missing, types that do not fit, a budget that is used up. */
export function evaluate({ cel }: Program, bindings: Record<string, unknown>, purse: Purse): unknown {
  const outcome = cel.evaluate(bindings, { budget: purse.left });
  purse.left -= outcome.cost;
  if (outcome.kind === "value") return outcome.value;
  throw new Error(outcome.kind === "error" ? `${outcome.message}, in ${outcome.expression}` : `${outcome.on.join(", ")} is not known`);
}

const subjectType = schemaType(forCel(z.toJSONSchema(PolicySubject, { reused: "inline" })) as Schema, { name: "object" });

/** CEL compares objects with null, and nothing else: what else may be null has no type of its own. */
function forCel(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(forCel);
  if (typeof schema !== "object" || schema === null) return schema;
  const { anyOf, ...rest } = schema as { anyOf?: Schema[]; type?: unknown };
  if (anyOf?.some(({ type }) => type === "null")) {
    const [only, ...others] = anyOf.filter(({ type }) => type !== "null");
    return only?.properties && others.length === 0 ? forCel(only) : {};
  }
  if (Array.isArray(rest.type)) return {};
  return Object.fromEntries(Object.entries({ ...rest, ...(anyOf && { anyOf }) }).map(([key, value]) => [key, forCel(value)]));
}
