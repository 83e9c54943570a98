import { denies } from "../../policy/model.ts";
import type { Why, WhyFacts } from "./model.ts";
import { fact, ruleSays, waysAround, environmentIn, counted, listed } from "./words.ts";

export function explainDecision({ decision, reopened, service }: Extract<WhyFacts, { kind: "decision" }>): Why {
  const denied = decision.results.filter(denies);
  const where = denied[0]?.subject ?? decision.results[0]?.subject ?? decision.about;
  const subject = {
    kind: "decision" as const,
    id: decision.id,
    title: `Decision about ${where || decision.about} at the point ${decision.point}`,
    link: `/decisions/${decision.id}`,
  };
  const relieved = decision.results.filter(({ relievedBy }) => relievedBy !== null);
  const because = [...denied, ...relieved].map(ruleSays);
  if (reopened !== null) because.unshift(fact("re-opened", `It can't be relied on any more: ${reopened}`));
  if (decision.outcome === "deny")
    return {
      subject,
      state: "refused",
      summary: `${counted(denied.length, "rule")} denied it: ${listed(denied.map(({ rule }) => rule))}`,
      because,
      unblock: waysAround(denied, service, environmentIn(where)),
      until: null,
    };
  const warned = decision.results.filter(
    ({ outcome, relievedBy, mode }) => outcome !== "passed" && relievedBy === null && mode !== "audit",
  );
  const how =
    relieved.length > 0 ? `${counted(relieved.length, "rule")} would have denied it: ${listed(relieved.map(({ rule }) => rule))}` : "";
  return {
    subject,
    state: "done",
    summary: [
      decision.outcome === "warn"
        ? `It was allowed, with ${counted(relieved.length + warned.length, "warning")}`
        : "It was allowed: every rule that was asked holds",
      how,
    ]
      .filter((part) => part !== "")
      .join("; "),
    because: [...because, ...warned.map(ruleSays)],
    unblock: reopened === null ? [] : [{ who: service.owner, what: "merge a change, so that CI builds and proves anew", command: null }],
    until: null,
  };
}
