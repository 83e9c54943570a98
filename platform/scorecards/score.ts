import type { Program } from "@cairn/cel";
import type { KeptPoint, ScoreFacts, Scorecard, ScorePoint } from "./model.ts";
import type { ScoreRules } from "./rules.ts";

/** What one expression may cost, in Kubernetes' units. */
const BUDGET = 100_000;

/** Scores a service by the rules, of its facts alone. A rule that can't be evaluated is unknown, and says why. Pure. */
export function score(facts: ScoreFacts, rules: ScoreRules, now: Date): Scorecard {
  const { name, tier } = facts.service;
  const points = rules.points.map(({ id, title, tiers, what, programs }): ScorePoint => {
    const unknown = valueOf<string>(programs.unknown, facts);
    const missing = unknown.broken ?? unknown.value ?? "";
    const met = missing === "" ? valueOf<boolean>(programs.met, facts) : undefined;
    const state = met?.value === undefined ? "unknown" : met.value ? "met" : "missed";
    const because = missing !== "" ? missing : (met?.broken ?? valueOf<string>(programs.because, facts).value ?? "");
    const link = valueOf<string>(programs.link, facts).value ?? `/services/${name}`;
    return {
      id,
      title,
      state,
      required: tiers.some((each) => each === tier),
      because,
      fact: valueOf<string>(programs.fact, facts).value ?? `/services/${name}`,
      next: state === "met" ? null : { what, link, command: valueOf<string>(programs.command, facts).value ?? "" },
    };
  });
  const required = points.filter((point) => point.required);
  return {
    service: name,
    tier,
    at: now,
    met: required.filter(({ state }) => state === "met").length,
    required: required.length,
    points,
    rules: rules.digest,
  };
}

/** A scorecard's points with since when each is as it is, going by the points that were kept before. Pure. */
export function sinceWhen({ points, at }: Pick<Scorecard, "points" | "at">, before: readonly KeptPoint[]): KeptPoint[] {
  const known = new Map(before.map((point) => [point.id, point]));
  return points.map((point) => {
    const last = known.get(point.id);
    return { ...point, since: last?.state === point.state ? last.since : at };
  });
}

function valueOf<T>(program: Program, facts: ScoreFacts): { value?: T; broken?: string } {
  const outcome = program.evaluate(facts, { budget: BUDGET });
  if (outcome.kind === "value") return { value: outcome.value as T };
  return { broken: `the rule could not be evaluated: ${outcome.kind === "error" ? outcome.message : "something is not known"}` };
}
