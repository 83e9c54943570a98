import { explainBreakGlass } from "./break-glass.ts";
import { explainChange } from "./change.ts";
import { explainCi } from "./ci-run.ts";
import { explainDecision } from "./decision.ts";
import { explainIncident } from "./incident.ts";
import { explainPlan } from "./plan.ts";
import { explainRelease } from "./release.ts";
import { explainRun } from "./run.ts";
import type { Why, WhyFacts } from "./model.ts";

/** The answer to "why?", from facts alone. */
export function explain(facts: WhyFacts): Why {
  switch (facts.kind) {
    case "change":
      return explainChange(facts);
    case "ci-run":
      return explainCi(facts);
    case "decision":
      return explainDecision(facts);
    case "release":
      return explainRelease(facts);
    case "plan":
      return explainPlan(facts);
    case "run":
      return explainRun(facts);
    case "break-glass":
      return explainBreakGlass(facts);
    case "incident":
      return explainIncident(facts);
  }
}
