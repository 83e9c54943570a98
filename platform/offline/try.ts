import { readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { parse } from "yaml";
import { messageOf } from "../kernel/faults.ts";
import { BundleDocument, bundleOf, loadPolicies, type Bundle } from "../policy/bundle.ts";
import { casesOf, failuresOf } from "../policy/cases.ts";
import { policyBroken } from "../policy/faults.ts";
import { judge, type Judgement } from "../policy/judge.ts";
import type { PolicySubject, Relief, RuleResult } from "../policy/model.ts";

export { bundleOf } from "../policy/bundle.ts";

/** What one place would be told by other rules. */
export interface Tried {
  service: string;
  environment: string;
  point: PolicySubject["point"];
  today: Judgement["outcome"];
  proposed: Judgement["outcome"];
  /** What the other rules answer otherwise than today's; a rule that is gone or not asked is not among them. */
  answers: RuleResult[];
}

/**
 * Rules that are not in force: a folder of rules takes the place of all, that of one rule its place among today's. Throws `policy.broken`, naming file, place and cause.
 */
export async function proposedRules(path: string, present: unknown): Promise<Bundle> {
  const folder = resolve(path);
  const file = join(folder, "policy.yaml");
  if (!(await stat(file).catch(() => undefined))) {
    const proposed = await loadPolicies(folder).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT" || error.code === "ENOTDIR" ? policyBroken(path, "it is no folder of rules") : error;
    });
    if (proposed.rules.length === 0) throw policyBroken(path, "it holds no rule: name a rule's folder, or the folder of all");
    return proposed;
  }
  const name = basename(folder);
  const others = BundleDocument.parse(present).policies.filter(({ metadata }) => metadata.name !== name);
  try {
    return bundleOf({ policies: [...others, parse(await readFile(file, "utf8"))] });
  } catch (error) {
    throw policyBroken(`${name}/policy.yaml`, messageOf(error));
  }
}

export interface TestedRule {
  rule: string;
  cases: number;
  /** By the case's title. */
  failures: { title: string; because: string[] }[];
}

/** Judges the cases of a rule's folder, or of each rule in a folder. Throws `policy.broken`. */
export async function testRules(path: string, now: Date): Promise<TestedRule[]> {
  const folder = resolve(path);
  const one = await stat(join(folder, "policy.yaml")).then(() => true, () => false); // prettier-ignore
  const { document } = one ? await proposedRules(folder, { policies: [] }) : await loadPolicies(folder);
  const tested = document.policies.map(async (policy) => {
    const { name } = policy.metadata;
    const cases = await casesOf(one ? folder : join(folder, name));
    const failures = cases.map((each) => ({ title: each.title, because: failuresOf(policy, each, now) }));
    return { rule: name, cases: cases.length, failures: failures.filter(({ because }) => because.length > 0) };
  });
  return Promise.all(tested);
}

/** Judges the same facts by today's rules and by others. Pure. */
export function tryRules(
  facts: readonly PolicySubject[],
  { present, proposed, reliefs, now }: { present: Bundle; proposed: Bundle; reliefs: readonly Relief[]; now: Date },
): Tried[] {
  return facts.map((subject) => {
    const before = judge(subject, present, now, reliefs);
    const after = judge(subject, proposed, now, reliefs);
    const same = (result: RuleResult) =>
      before.results.some(({ rule, outcome, mode, message }) => rule === result.rule && outcome === result.outcome && mode === result.mode && message === result.message); // prettier-ignore
    return {
      service: subject.service.name,
      environment: subject.environment?.name ?? "",
      point: subject.point,
      today: before.outcome,
      proposed: after.outcome,
      answers: after.results.filter((result) => !same(result)),
    };
  });
}
