import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { Tier } from "../catalog/model.ts";
import { digestOf, type Digest } from "../kernel/digest.ts";
import { messageOf } from "../kernel/faults.ts";
import { Mode } from "../policy/model.ts";
import { CanaryRules } from "./canary.ts";
import { environmentsBroken, environmentUnknown } from "./faults.ts";

const seconds = z.number().positive();

/** Steps of a rollout in percent; the last is 100, and the canary is judged below it. */
export const StepsPercent = z
  .array(z.number().positive().max(100))
  .min(1)
  .refine((steps) => steps.at(-1) === 100 && steps.every((step, n) => n === 0 || step > (steps[n - 1] ?? 0)), "steps rise and end at 100");

/** What becomes of a canary of which nothing is known at the deadline of its step. */
export const AtDeadline = z.enum(["roll_back", "hold", "promote"]);

export const EnvironmentDefinition = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/),
  description: z.string(),
  production: z.boolean(),
  /** The strictest that rules of policy are meant here: `enforce`, `warn` or `audit`. */
  mode: Mode.default("enforce"),
  /** `canary`: against the stable revision, step by step. `smoke`: health and one request, all traffic at once. */
  judgedBy: z.enum(["canary", "smoke"]),
  /** How long health is watched before promotion where a smoke test judges. */
  watchSeconds: z.number().min(0).default(0),
  /** Where the environment wants another deadline than the tier's. */
  deadlineSeconds: seconds.optional(),
});
export type EnvironmentDefinition = z.infer<typeof EnvironmentDefinition>;

export const TierRules = z.strictObject({
  title: z.string(),
  changeRequest: z.strictObject({ approvedBy: z.enum(["code-owner-other-than-author", "none-but-warned"]) }),
  productionApproval: z.strictObject({ by: z.enum(["other-than-author", "none"]), boundTo: z.enum(["plan-digest", "none"]) }),
  /** What a scan must not exceed; null is no demand. Whether it is demanded at all is said by the rule scan-clean. */
  evidence: z.strictObject({
    scan: z.strictObject({ maxAgeDays: z.number().positive().nullable(), maxCritical: z.int().min(0).nullable() }),
  }),
  canary: z
    .strictObject({
      stepsPercent: StepsPercent,
      ...CanaryRules.shape,
      deadlineSeconds: seconds,
      unknownAtDeadline: AtDeadline,
      /** How long a first release in production is watched: it has no baseline. */
      firstWatchSeconds: seconds,
    })
    .refine((canary) => canary.tolerance < canary.margin, "tolerance lies below margin"),
  windows: z.array(z.enum(["windows", "freezes"])),
});
export type TierRules = z.infer<typeof TierRules>;

/** When a revision counts as unhealthy, for every tier. */
export const HealthRules = z.strictObject({
  /** Unhealthy for so long without a break. */
  unhealthySeconds: seconds,
  /** Restarted more often than this during the release. */
  maxRestarts: z.int().min(0),
});
export type HealthRules = z.infer<typeof HealthRules>;

export const EnvironmentsFile = z.strictObject({ environments: z.array(EnvironmentDefinition).min(1) });
export const TiersFile = z.strictObject({ health: HealthRules, tiers: z.record(Tier, TierRules) });

/** The environments in the order in which a commit walks through them, and what each tier demands. */
export interface Environments {
  environments: EnvironmentDefinition[];
  tiers: Record<Tier, TierRules>;
  health: HealthRules;
  digest: Digest;
}

/** Reads environments.yaml and tiers.yaml from a folder. Throws `releases.environments_broken`, naming file and place. */
export async function loadEnvironments(folder: string): Promise<Environments> {
  const { environments } = await readYaml(folder, "environments.yaml", EnvironmentsFile);
  const { tiers, health } = await readYaml(folder, "tiers.yaml", TiersFile);
  const names = environments.map(({ name }) => name);
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice) throw environmentsBroken("environments.yaml", "environments", `${twice} stands there twice`);
  return { environments, tiers, health, digest: digestOf({ environments, tiers, health }) };
}

/** One environment by its name. Throws `releases.environment_unknown`. */
export function environmentNamed({ environments }: Environments, name: string): EnvironmentDefinition {
  const found = environments.find((environment) => environment.name === name);
  if (!found)
    throw environmentUnknown(
      name,
      environments.map((environment) => environment.name),
    );
  return found;
}

async function readYaml<T>(folder: string, file: string, schema: z.ZodType<T>): Promise<T> {
  let content: unknown;
  try {
    content = parse(await readFile(join(folder, file), "utf8"));
  } catch (error) {
    throw environmentsBroken(file, "the file", messageOf(error));
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw environmentsBroken(file, issue?.path.join(".") || "the file", issue?.message ?? "invalid");
}
