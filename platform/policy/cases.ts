import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { messageOf } from "../kernel/faults.ts";
import { aSubject } from "./a-subject.ts";
import { bundleOf, type PolicyDocument } from "./bundle.ts";
import { policyBroken } from "./faults.ts";
import { judge } from "./judge.ts";

const Cases = z.array(
  z.strictObject({
    title: z.string(),
    set: z.record(z.string(), z.unknown()).default({}),
    expect: z.strictObject({
      outcome: z.enum(["passed", "warned", "denied", "unknown", "not_evaluable", "not asked"]),
      /** What the rule alone makes of the decision. */
      decision: z.enum(["allow", "warn", "deny"]).optional(),
      /** Part of the message. */
      message: z.string().optional(),
    }),
  }),
);
export type Case = z.infer<typeof Cases>[number];

/** The cases of a rule, from `cases.yaml` in its folder. Throws `policy.broken`. */
export async function casesOf(folder: string): Promise<Case[]> {
  const file = join(folder, "cases.yaml");
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw policyBroken(file, messageOf(error));
  });
  const read = Cases.safeParse(parse(text));
  if (!read.success) throw policyBroken(file, z.prettifyError(read.error));
  return read.data;
}

/** What is not as a case expects it, one sentence each; none where it holds. Pure. */
export function failuresOf(policy: PolicyDocument, { set, expect }: Case, now: Date): string[] {
  const judgement = judge(aSubject(set), bundleOf({ policies: [policy] }), now, []);
  const result = judgement.results[0];
  const outcome = result?.outcome ?? "not asked";
  const { decision, message } = expect;
  return [
    ...(outcome === expect.outcome ? [] : [`it is ${outcome}, not ${expect.outcome}${result ? `: ${result.message}` : ""}`]),
    ...(decision === undefined || decision === judgement.outcome ? [] : [`the decision is ${judgement.outcome}, not ${decision}`]),
    ...(message === undefined || result?.message.includes(message) ? [] : [`it says "${result?.message ?? ""}", without "${message}"`]),
  ];
}
