import { z } from "zod";
import { canonicalJson, digestOf, sha256 } from "../kernel/digest.ts";
import { Tier } from "../catalog/model.ts";
import { bundleOf } from "./bundle.ts";
import { EVALUATOR } from "./evaluator.ts";
import { judge, type Judgement } from "./judge.ts";
import { Decision, Mode, Relief, type PolicySubject } from "./model.ts";

const Json = z.record(z.string(), z.unknown());

/** The rules in force with what of the platform they are judged by: all that `cairn check` needs to give the server's decision without it. */
export const RuleBundle = z
  .object({
    kind: z.literal("cairn.dev/policy-bundle"),
    /** Of `rules`: decisions name it. */
    digest: z.string(),
    evaluator: z.string(),
    rules: Json,
    /** In the order of promotion. */
    environments: z.array(z.object({ name: z.string(), production: z.boolean(), mode: Mode })),
    /** The groups that the catalog has: owners that exist. */
    groups: z.array(z.string()),
    /** What the catalog says how important each service is: a checkout that says less is judged by this. */
    tiers: z.record(z.string(), Tier),
    /** By group the name of its rotation: who has one needs to name none. */
    rotations: z.record(z.string(), z.string()).default({}),
    /** The exceptions and break-glasses that hold. */
    reliefs: z.array(Relief),
    takenAt: z.coerce.date(),
  })
  .meta({ id: "RuleBundle" });
export type RuleBundle = z.infer<typeof RuleBundle>;

/** A decision with all that it is a function of: what `cairn replay` needs to make it again, elsewhere. */
export const DecisionBundle = z
  .object({
    kind: z.literal("cairn.dev/decision-bundle"),
    decision: Decision,
    subject: Json,
    rules: Json,
    reliefs: z.array(Json),
    /** The digest of each single fact, by its path: so that a fact that was changed can be named. */
    facts: z.record(z.string(), z.string()),
  })
  .meta({ id: "DecisionBundle" });
export type DecisionBundle = z.infer<typeof DecisionBundle>;

/** The id of a decision is that of its content. */
export const decisionId = (judgement: Judgement): string => `dec_${digestOf(judgement).slice("sha256:".length, "sha256:".length + 26)}`;

export interface Replayed {
  decision: string;
  /** Whether the same came out, to the byte. */
  same: boolean;
  /** Digests of the decision as it was kept and as it was made again, without the id. */
  kept: string;
  again: string | null;
  outcome: Decision["outcome"] | null;
  /** What is not as it was, one sentence each. */
  differences: string[];
}

/** Makes a decision again from its bundle. Pure: it needs neither database nor server, and says what is not as it was. Throws `policy.broken` for rules that can't be read. */
export function replayed(content: unknown): Replayed {
  const { decision, subject, rules, reliefs, facts } = DecisionBundle.parse(content);
  const { id, ...kept } = decision;
  const differences: string[] = [];
  const compare = (what: string, was: string | null, is: string): boolean => {
    if (was !== is) differences.push(`${what}: the decision names ${was ?? "none"}, the bundle holds ${is}`);
    return was === is;
  };
  compare("The decision's id", id, decisionId(kept));
  compare("The evaluator", kept.evaluator, EVALUATOR);
  if (!compare("The facts", kept.subject, digestOf(subject))) differences.push(...changedFacts(subject, facts));
  compare("The rules", kept.bundle, digestOf(rules));
  compare("The exceptions and break-glasses", kept.reliefs, digestOf(reliefs));
  const again = judge(subject as PolicySubject, bundleOf(rules), kept.decidedAt, z.array(Relief).parse(reliefs));
  differences.push(...changedAnswers(kept, again));
  const [was, is] = [canonicalJson(kept), canonicalJson(again)];
  return {
    decision: id,
    same: was === is && differences.length === 0,
    kept: sha256(was),
    again: sha256(is),
    outcome: again.outcome,
    differences,
  };
}

/** The digest of each fact by its path. */
export function factDigests(value: unknown, path = "", into: Record<string, string> = {}): Record<string, string> {
  const members = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (members.length === 0) into[path] = digestOf(value ?? null);
  for (const [key, member] of members) if (member !== undefined) factDigests(member, path === "" ? key : `${path}.${key}`, into);
  return into;
}

function changedFacts(subject: unknown, before: Record<string, string>): string[] {
  const now = factDigests(subject);
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((path) => before[path] !== now[path])
    .toSorted()
    .map((path) => `The fact ${path} is ${now[path] === undefined ? "gone" : before[path] === undefined ? "new" : "another"}`);
}

function changedAnswers(kept: Judgement, again: Judgement): string[] {
  const names = [...new Set([...kept.results, ...again.results].map(({ rule }) => rule))];
  const lines = names.flatMap((name) => {
    const [was, is] = [kept, again].map(({ results }) => results.find(({ rule }) => rule === name));
    if (canonicalJson(was ?? null) === canonicalJson(is ?? null)) return [];
    return [
      `The rule ${name} answered ${was ? `${was.outcome} (${was.message})` : "nothing"}, and now ${is ? `${is.outcome} (${is.message})` : "nothing"}`,
    ];
  });
  return kept.outcome === again.outcome ? lines : [`The outcome was ${kept.outcome}, and is ${again.outcome}`, ...lines];
}
