import { z } from "zod";
import { serviceName } from "../catalog/model.ts";
import { messageOf } from "../kernel/faults.ts";
import { NotYaml, yamlDocuments } from "../kernel/yaml.ts";
import { intentInvalid } from "./faults.ts";

const port = z.number().int().min(1).max(65535);
const dnsLabel = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "lower-case letters, digits and hyphens");
const cpu = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((text) => /^(\d+(\.\d+)?|\d+m)$/.test(text), "an amount of CPU such as 250m or 0.5");
const memory = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((text) => /^\d+(\.\d+)?([kMGT]i?|Ki)?$/.test(text), "an amount of memory such as 256Mi");

const amounts = z.strictObject({ cpu: cpu.optional(), memory: memory.optional() });
const probe = z.union([
  z.strictObject({
    httpGet: z.strictObject({
      path: z.string().startsWith("/"),
      port,
      scheme: z.enum(["HTTP", "HTTPS"]).optional(),
      host: z.string().optional(),
      httpHeaders: z.array(z.strictObject({ name: z.string(), value: z.string() })).optional(),
    }),
  }),
  z.strictObject({ exec: z.strictObject({ command: z.array(z.string()).min(1) }) }),
]);

const Container = z.strictObject({
  image: z.string().min(1),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  variables: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, "not a name for an environment variable"),
      z.union([z.string(), z.number(), z.boolean()]).transform(String),
    )
    .default({}),
  resources: z.strictObject({ requests: amounts.optional(), limits: amounts.optional() }).optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
});

const Resource = z.strictObject({
  type: z.string().min(1),
  class: z.string().default("default"),
  id: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  params: z.record(z.string(), z.unknown()).default({}),
});

/** What a workload needs, whatever it runs on: score.yaml as parsed. Source: Score specification, score.dev/v1b1. Files and volumes of containers are not supported yet and refused. */
export const Intent = z.strictObject({
  apiVersion: z.literal("score.dev/v1b1"),
  metadata: z.looseObject({ name: serviceName, annotations: z.record(z.string(), z.string()).optional() }),
  service: z
    .strictObject({
      ports: z.record(dnsLabel, z.strictObject({ port, protocol: z.enum(["TCP", "UDP"]).default("TCP"), targetPort: port.optional() })),
    })
    .optional(),
  containers: z
    .record(dnsLabel, Container)
    .refine((containers) => Object.keys(containers).length === 1, "exactly one container: the local runtime runs one process"),
  resources: z.record(dnsLabel, Resource).default({}),
});
export type Intent = z.infer<typeof Intent>;

/** Reads score.yaml. Throws `infra.intent_invalid` with the path in the document and what is wrong there. */
export function parseScore(text: string): Intent {
  let documents: unknown[];
  try {
    documents = yamlDocuments(text);
  } catch (error) {
    const line = error instanceof NotYaml ? error.line : undefined;
    throw intentInvalid(line === undefined ? "the document" : `line ${line}`, messageOf(error).replace(/^line \d+: /, ""));
  }
  if (documents.length > 1) throw intentInvalid("the document", "is followed by another; score.yaml holds one");
  const parsed = Intent.safeParse(documents[0]);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw intentInvalid(issue?.path.join(".") || "the document", issue ? sentence(issue) : "invalid");
}

function sentence(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return `${issue.keys.join(", ")}: not known here`;
  // Of alternatives, the one that came furthest is the one that was meant.
  if (issue.code === "invalid_union") {
    const deepest = issue.errors.flat().toSorted((a, b) => b.path.length - a.path.length)[0];
    return deepest ? `${deepest.path.join(".")}: ${sentence(deepest)}` : issue.message;
  }
  return issue.message;
}
