import { Fault } from "../kernel/faults.ts";

export const policyBroken = (where: string, because: string) =>
  new Fault("invalid", "policy.broken", `${where}: ${because}`, "Correct the rule; library/policies/README.md describes its form.");

export const decisionMissing = (id: string) =>
  new Fault("not_found", "policy.decision_missing", `There is no decision ${id}`, "Check the id: a release and a plan name theirs.");

export const exceptionUnknownRule = (rule: string, rules: readonly string[]) =>
  new Fault("invalid", "policy.exception_rule_unknown", `There is no rule ${rule}`, `The rules: ${rules.join(", ")}.`);

export const exceptionForRule = (rule: string) =>
  new Fault(
    "forbidden",
    "policy.exception_not_allowed",
    `The rule ${rule} allows no exception, whoever asks`,
    "Do what the rule asks: its decision says how.",
  );

export const exceptionTime = (until: Date, now: Date, maxDays: number) =>
  new Fault(
    "invalid",
    "policy.exception_time",
    `An exception can't end at ${until.toISOString()}: it is ${now.toISOString()}`,
    `Name an end that lies ahead, within ${maxDays} days. What is needed for longer is a change of the rule.`,
  );

export const exceptionMissing = (id: string) =>
  new Fault("not_found", "policy.exception_missing", `There is no exception ${id}`, "cairn exceptions lists them.");

export const exceptionEnded = (id: string, state: string) =>
  new Fault("conflict", "policy.exception_ended", `The exception ${id} holds no more: it is ${state}`, "There is nothing to end.");

export const exceptionEnvironment = (name: string, environments: readonly string[]) =>
  new Fault("invalid", "policy.exception_environment", `There is no environment ${name}`, `There are: ${environments.join(", ")}.`);
