import { Fault } from "../kernel/faults.ts";

export const breakGlassMissing = (id: string) =>
  new Fault("not_found", "policy.break_glass_missing", `There is no break-glass ${id}`, "List them: cairn break-glass list");

export const breakGlassBounds = (seconds: number, leastSeconds: number, mostSeconds: number) =>
  new Fault(
    "invalid",
    "policy.break_glass_bounds",
    `A break-glass of ${seconds} s is ${seconds < leastSeconds ? "too short" : "too long"}`,
    `Ask for at least ${leastSeconds / 60} minute and at most ${mostSeconds / 3600} hours; another can be opened when it is over.`,
  );

export const breakGlassEnvironmentUnknown = (environment: string, known: readonly string[]) =>
  new Fault(
    "invalid",
    "policy.break_glass_environment_unknown",
    `There is no environment ${environment}`,
    `Name one of ${known.join(", ")}, or leave it out for all of them.`,
  );

export const breakGlassRuleUnknown = (rule: string, known: readonly string[]) =>
  new Fault(
    "invalid",
    "policy.break_glass_rule_unknown",
    `There is no rule ${rule}`,
    `Name one of ${known.join(", ")}, or leave it out for all of them.`,
  );

export const breakGlassRuleFirm = (rule: string) =>
  new Fault(
    "forbidden",
    "policy.break_glass_rule_firm",
    `The rule ${rule} allows no exception, and so no break-glass`,
    "Meet the rule: `cairn policies` says how.",
  );

export const breakGlassNotOpen = (id: string, since: Date) =>
  new Fault(
    "conflict",
    "policy.break_glass_not_open",
    `Break-glass ${id} has ended at ${since.toISOString()}`,
    `What is left to do is its review, by somebody else than who opened it: cairn break-glass review ${id}`,
  );

export const breakGlassStillOpen = (id: string, until: Date) =>
  new Fault(
    "precondition",
    "policy.break_glass_still_open",
    `Break-glass ${id} is open until ${until.toISOString()}: what is done under it is not over`,
    `Review it then, or end it first: cairn break-glass close ${id}`,
  );

export const breakGlassOwnReview = (id: string) =>
  new Fault(
    "forbidden",
    "policy.break_glass_own_review",
    `You opened break-glass ${id}, or made the token that you use: its review by yourself says nothing`,
    "Ask another member of the owning team, or an administrator. It stays open until then.",
  );

export const breakGlassNoPerson = () =>
  new Fault("forbidden", "policy.break_glass_no_person", "Only a person opens or reviews a break-glass", "Sign in as yourself.");

export const breakGlassReviewed = (id: string, by: string) =>
  new Fault("conflict", "policy.break_glass_reviewed", `Break-glass ${id} was reviewed by ${by}`, "Nothing is left to do about it.");
