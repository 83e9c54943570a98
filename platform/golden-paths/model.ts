import { z } from "zod";
import { Tier } from "../catalog/model.ts";

const parameterName = z
  .string()
  .regex(/^[a-z][a-z0-9_]*$/, "a name of lower-case letters, digits and underscores that begins with a letter");
const common = { name: parameterName, description: z.string().default(""), required: z.boolean().default(false) };

/** A question that a golden path asks. What has no default and is not required may be left out: a string is then empty, a boolean false. */
export const Parameter = z.discriminatedUnion("type", [
  z.strictObject({
    ...common,
    type: z.literal("string"),
    pattern: z.string().refine(isPattern, "not a regular expression").optional(),
    default: z.string().optional(),
  }),
  z.strictObject({ ...common, type: z.literal("choice"), choices: z.array(z.string()).min(1), default: z.string().optional() }),
  z.strictObject({ ...common, type: z.literal("boolean"), default: z.boolean().optional() }),
]);
export type Parameter = z.infer<typeof Parameter>;

/** template.yaml. Both paths of an output are templates; a source that ends in `/` is a folder, a destination `/` the root of the repository. */
export const Template = z
  .strictObject({
    name: z.string().regex(/^[a-z]([a-z0-9-]*[a-z0-9])?$/, "lower-case letters, digits and hyphens"),
    version: z.string().regex(/^\d+\.\d+\.\d+$/, 'three numbers, quoted: "1.0.0"'),
    description: z.string().default(""),
    parameters: z.array(Parameter).default([]),
    outputs: z.array(z.strictObject({ source: z.string().min(1), destination: z.string().min(1) })).min(1),
  })
  .superRefine(({ parameters }, context) => {
    const seen = new Set<string>();
    for (const [index, parameter] of parameters.entries()) {
      const refuse = (field: string, message: string) => context.addIssue({ code: "custom", path: ["parameters", index, field], message });
      if (seen.has(parameter.name)) refuse("name", `${parameter.name} stands there twice`);
      if (RESERVED.has(parameter.name)) refuse("name", `${parameter.name} is what the platform itself tells templates`);
      seen.add(parameter.name);
      if (parameter.type !== "choice") continue;
      if (parameter.default !== undefined && !parameter.choices.includes(parameter.default)) refuse("default", "not one of the choices");
      if (parameter.default === undefined && !parameter.required) refuse("default", "a choice is required, or has a default");
    }
  });
export type Template = z.infer<typeof Template>;

/** golden-path.yaml beside a template: that it is offered, and as what. A template without it is a test case, and nobody is offered it. */
export const Offer = z.strictObject({ title: z.string().min(1), tier: Tier });
export type Offer = z.infer<typeof Offer>;

/** What the platform tells a template besides the answers; README.md lists it. */
export const RenderContext = z.strictObject({
  /** Where people reach portal and API, without a slash at its end. */
  platform_url: z.url(),
  /** Where the repository is cloned from and looked at. */
  repository_url: z.url(),
});
export type RenderContext = z.infer<typeof RenderContext>;
const RESERVED = new Set(["platform_url", "repository_url", "golden_path"]);

const Answer = z.union([z.string(), z.boolean()]);
export const Answers = z.record(z.string(), Answer);
export type Answers = z.infer<typeof Answers>;

/** A golden path as the API shows it: enough to draw a form. */
export const GoldenPathView = z.object({
  name: z.string(),
  version: z.string(),
  title: z.string(),
  description: z.string(),
  tier: Tier,
  digest: z.string(),
  parameters: z.array(
    z.object({
      name: z.string(),
      type: z.enum(["string", "choice", "boolean"]),
      description: z.string(),
      required: z.boolean(),
      pattern: z.string().nullable(),
      choices: z.array(z.string()).nullable(),
      default: Answer.nullable(),
    }),
  ),
});
export type GoldenPathView = z.infer<typeof GoldenPathView>;

/** cairn.lock: what a repository was generated from, so that a later version can be merged into it. */
export const Lock = z.object({
  lockVersion: z.literal(1),
  goldenPath: z.object({ name: z.string(), version: z.string(), digest: z.string() }),
  answers: Answers,
  context: RenderContext,
  /** Digest of each generated file as generated, by path. */
  files: z.record(z.string(), z.string()),
});
export type Lock = z.infer<typeof Lock>;

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, "u") instanceof RegExp;
  } catch {
    return false;
  }
}
