import { Fault } from "../kernel/faults.ts";

export const policyBroken = (where: string, because: string) =>
  new Fault("invalid", "policy.broken", `${where}: ${because}`, "Correct the rule; library/policies/README.md describes its form.");

export const decisionMissing = (id: string) =>
  new Fault("not_found", "policy.decision_missing", `There is no decision ${id}`, "Check the id: a release and a plan name theirs.");
