import type { Why, Way, WhyFacts } from "./model.ts";
import { nothing, PLATFORM, fact, deniesInPlan, counted, listed } from "./words.ts";

export function explainPlan(facts: Extract<WhyFacts, { kind: "plan" }>): Why {
  const { digest, plan, state, run, differing, owner, inner } = facts;
  const subject = { kind: "plan" as const, id: digest, title: plan.title, link: `/plans/${digest}` };
  if (inner) return { ...inner, subject };
  if (state === "applied")
    return {
      ...nothing,
      subject,
      state: "done",
      summary: "It was applied",
      unblock: run ? [{ who: PLATFORM, what: "carries it out", command: `cairn why "${run}"` }] : [],
    };
  const denied = plan.decisions.flatMap(({ environment, results, outcome }) =>
    outcome === "deny" ? results.filter(deniesInPlan).map((result) => ({ ...result, environment })) : [],
  );
  const again: Way = { who: "whoever wants it", what: "make the plan anew, look at what is different, and apply that one", command: null };
  if (state === "stale" || differing.length > 0)
    return {
      subject,
      state: "refused",
      summary: `What it was made on has changed: ${listed(differing)}`,
      because: differing.map((name) => fact(name, `was ${plan.basis[name] ?? "not there"} when the plan was made`)),
      unblock: [again],
      until: null,
    };
  if (denied.length > 0) {
    const rules = [...new Set(denied.map(({ rule }) => rule))];
    return {
      subject,
      state: "refused",
      summary: `${counted(rules.length, "rule")} denied it: ${listed(rules)}`,
      because: denied.map(({ rule, message, environment }) => ({
        kind: "rule",
        name: rule,
        says: `${message}${environment ? ` (in ${environment})` : ""}`,
      })),
      unblock: [...new Map(denied.map(({ rule, fix }) => [rule, { who: "whoever wants it", what: fix, command: null }])).values(), again],
      until: null,
    };
  }
  return {
    subject,
    state: "waits",
    summary: "Nothing is in its way: it waits for somebody to apply it",
    because: [fact("policy", plan.decisions.length > 0 ? "Every rule that was asked lets it through" : "No rule was asked about it")],
    unblock: [{ who: `a member of ${owner}, or an administrator`, what: "apply exactly this plan", command: `cairn apply ${digest}` }],
    until: null,
  };
}
