import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { digestOf, type Digest } from "../kernel/digest.ts";
import { messageOf } from "../kernel/faults.ts";
import { compiler, type Program } from "./evaluator.ts";
import { policyBroken } from "./faults.ts";
import { Mode, Point } from "./model.ts";

const expression = z.string().min(1);
/** They may grant every exception that anybody may. */
export const ADMINISTRATORS = "administrators";

/**
 * A rule in the shape of a ValidatingAdmissionPolicy (admissionregistration.k8s.io/v1). What Cairn adds stands in annotations:
 * `cairn.dev/points` (where it is asked), `cairn.dev/mode` and `cairn.dev/unknown` (how strictly a refusal and not knowing are meant, by tier and environment),
 * `cairn.dev/unknown-when` (an expression that says what is not known, "" where all is), `cairn.dev/exceptions` (who may grant one), `cairn.dev/fix` and `cairn.dev/description`.
 */
export const PolicyDocument = z.strictObject({
  apiVersion: z.literal("admissionregistration.k8s.io/v1"),
  kind: z.literal("ValidatingAdmissionPolicy"),
  metadata: z.strictObject({
    name: z.string().regex(/^[a-z][a-z0-9-]*$/),
    annotations: z.strictObject({
      "cairn.dev/description": z.string().min(1),
      "cairn.dev/points": z.string().min(1),
      "cairn.dev/mode": z.string().min(1),
      "cairn.dev/unknown": z.string().default("enforce"),
      "cairn.dev/exceptions": z.string().min(1).default(ADMINISTRATORS),
      "cairn.dev/unknown-when": expression.optional(),
      "cairn.dev/fix": z.string().min(1),
    }),
  }),
  spec: z.strictObject({
    /** Only Fail: a rule that can't be evaluated is not a pass. */
    failurePolicy: z.literal("Fail").default("Fail"),
    matchConditions: z
      .array(z.strictObject({ name: z.string(), expression }))
      .max(64)
      .default([]),
    variables: z.array(z.strictObject({ name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), expression })).default([]),
    validations: z
      .array(
        z.strictObject({
          expression,
          message: z.string().optional(),
          messageExpression: expression.optional(),
          reason: z.enum(["Unauthorized", "Forbidden", "RequestEntityTooLarge", "Invalid"]).optional(),
        }),
      )
      .min(1),
  }),
});
export type PolicyDocument = z.infer<typeof PolicyDocument>;

/** Content-addressed: all that a decision depends on beside subject, time and evaluator. */
export const BundleDocument = z.object({ policies: z.array(PolicyDocument) });
export type BundleDocument = z.infer<typeof BundleDocument>;

export interface Rule {
  name: string;
  description: string;
  points: Point[];
  modes: Modes;
  unknown: Modes;
  fix: string;
  /** Groups, and `administrators`; empty where nobody may. */
  exceptionsBy: string[];
  unknownWhen: Program | undefined;
  matchConditions: Program[];
  variables: { name: string; program: Program }[];
  validations: { program: Program; message: string | undefined; messageProgram: Program | undefined }[];
}

/**
 * How strictly it is meant, by place. Keys from the most to the least particular: `tier-1/production`, `tier-1`, `production`, `default`; the word production
 * means every production environment, another word the environment of that name.
 */
export type Modes = Record<string, Mode>;

export interface Bundle {
  digest: Digest;
  document: BundleDocument;
  rules: Rule[];
}

/** Reads `<folder>/<rule>/policy.yaml` of every rule. Throws `policy.broken`, naming file, place and cause. */
export async function loadPolicies(folder: string): Promise<Bundle> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const policies: unknown[] = [];
  for (const name of names.sort()) {
    const where = `${name}/policy.yaml`;
    try {
      policies.push(parse(await readFile(join(folder, name, "policy.yaml"), "utf8")));
    } catch (error) {
      throw policyBroken(where, messageOf(error));
    }
    const parsed = PolicyDocument.safeParse(policies.at(-1));
    if (!parsed.success) throw policyBroken(where, problemsOf(parsed.error));
    if (parsed.data.metadata.name !== name) throw policyBroken(where, `metadata.name is ${parsed.data.metadata.name}, its folder ${name}`);
  }
  return bundleOf({ policies });
}

/** A bundle from its document, ready to judge. Throws `policy.broken`. */
export function bundleOf(content: unknown): Bundle {
  const parsed = BundleDocument.safeParse(content);
  if (!parsed.success) throw policyBroken("bundle", problemsOf(parsed.error));
  const document = { policies: parsed.data.policies.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)) };
  return { digest: digestOf(document), document, rules: document.policies.map(ruleOf) };
}

function ruleOf({ metadata: { name, annotations }, spec }: PolicyDocument): Rule {
  const { compile, declare } = compiler();
  const program = (
    where: string,
    expression: string,
    { gives, make = compile }: { gives?: string; make?: typeof compile } = {},
  ): Program => {
    try {
      const made = make(expression);
      if (gives !== undefined && made.type !== gives && made.type !== "dyn")
        throw new Error(`it gives ${made.type}, and must give ${gives}`);
      return made;
    } catch (error) {
      throw policyBroken(`${name}: ${where}`, messageOf(error));
    }
  };
  // In the order in which they may use one another: conditions see no variables, and a variable those before it.
  const matchConditions = spec.matchConditions.map((condition) => program(`matchCondition ${condition.name}`, condition.expression, BOOL));
  const variables = spec.variables.map((variable) => ({
    name: variable.name,
    program: program(`variable ${variable.name}`, variable.expression, { make: (expression) => declare(variable.name, expression) }),
  }));
  const unknownWhen = annotations["cairn.dev/unknown-when"];
  return {
    name,
    description: annotations["cairn.dev/description"].trim(),
    points: annotations["cairn.dev/points"].split(",").map((point) => oneOf(Point, point.trim(), `${name}: cairn.dev/points`)),
    modes: modesOf(annotations["cairn.dev/mode"], `${name}: cairn.dev/mode`),
    unknown: modesOf(annotations["cairn.dev/unknown"], `${name}: cairn.dev/unknown`),
    fix: annotations["cairn.dev/fix"].trim(),
    exceptionsBy: grantersOf(annotations["cairn.dev/exceptions"], `${name}: cairn.dev/exceptions`),
    unknownWhen: unknownWhen === undefined ? undefined : program("cairn.dev/unknown-when", unknownWhen, STRING),
    matchConditions,
    variables,
    validations: spec.validations.map((validation, n) => ({
      program: program(`validation ${n + 1}`, validation.expression, BOOL),
      message: validation.message,
      messageProgram:
        validation.messageExpression === undefined
          ? undefined
          : program(`messageExpression ${n + 1}`, validation.messageExpression, STRING),
    })),
  };
}

const BOOL = { gives: "bool" };
const STRING = { gives: "string" };

/** `enforce`, or a list such as `default: warn, tier-1/production: enforce`. */
function modesOf(text: string, where: string): Modes {
  const entries = text.split(",").map((part): [string, Mode] => {
    const [key = "", value] = part.split(":").map((side) => side.trim());
    return value === undefined ? ["default", oneOf(Mode, key, where)] : [key, oneOf(Mode, value, where)];
  });
  const modes = Object.fromEntries(entries);
  if (!modes.default) throw policyBroken(where, "it says nothing for the places that it does not name: add a default");
  return modes;
}

/** `nobody`, `administrators`, or groups by reference: then administrators may too. */
function grantersOf(text: string, where: string): string[] {
  if (text.trim() === "nobody") return [];
  const groups = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== ADMINISTRATORS);
  const wrong = groups.find((group) => !/^group:[a-z0-9-]+\/[a-z0-9._-]+$/.test(group));
  if (wrong !== undefined) throw policyBroken(where, `${wrong} is no group: write group:default/NAME, administrators or nobody`);
  return [...groups, ADMINISTRATORS];
}

function oneOf<T extends string>(schema: z.ZodType<T>, value: string, where: string): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw policyBroken(where, `${value} is not allowed: ${parsed.error.issues[0]?.message ?? ""}`);
  return parsed.data;
}

const problemsOf = (error: z.ZodError): string => error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
