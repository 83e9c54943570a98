import type { Plan } from "../../plans/model.ts";
import type { RuleResult } from "../../policy/model.ts";
import type { Reason, Way, ServiceOf, Place } from "./model.ts";

export const PLATFORM = "the platform";
export const nothing = { because: [], unblock: [], until: null };

export const fact = (name: string, says: string): Reason => ({ kind: "fact", name, says });
export const gateSays = (name: string, says: string): Reason => ({ kind: "gate", name, says });
export const stepOf = (run: Place["run"]): Reason[] => (run ? [{ kind: "step", name: run.step, says: run.detail || `run ${run.id}` }] : []);

export const ruleSays = ({ rule, outcome, message, relievedBy }: RuleResult): Reason => ({
  kind: "rule",
  name: rule,
  says: `${outcome === "denied" || outcome === "warned" ? "" : `${outcome.replaceAll("_", " ")}: `}${message}${relievedBy ? `; it goes on by ${relievedBy}` : ""}`,
});

/** The same as policy's `denies`, of a result as a plan keeps it. */
export const deniesInPlan = ({ outcome, mode, relievedBy }: Plan["decisions"][number]["results"][number]): boolean =>
  outcome !== "passed" && mode === "enforce" && relievedBy === null;

/** How each rule is met; and who may let it pass for a while, by which command. */
export function waysAround(denied: readonly RuleResult[], service: ServiceOf, environment: string | undefined): Way[] {
  const ways: Way[] = denied.map(({ fix }) => ({ who: service.owner, what: fix, command: null }));
  const yielding = denied.filter(({ exceptionsBy }) => exceptionsBy.length > 0);
  const where = environment === undefined ? "" : ` -e ${environment}`;
  for (const { rule, exceptionsBy } of yielding)
    ways.push({
      who: exceptionsBy.join(" or "),
      what: `grant an exception from ${rule}, with an end`,
      command: `cairn exceptions grant ${service.name} ${rule}${where} --until 8h -b REASON`,
    });
  // One rule that yields to nobody keeps all of it from going on.
  if (denied.length > 0 && yielding.length === denied.length)
    ways.push({
      who: `a member of ${service.owner}, or an administrator`,
      what: "in an emergency: break the glass, before witnesses",
      command: breakGlassCommand(
        service,
        environment,
        denied.map(({ rule }) => rule),
      ),
    });
  return ways;
}

export const breakGlassCommand = ({ name }: ServiceOf, environment: string | undefined, rules: readonly string[]): string =>
  `cairn break-glass open -s ${name}${environment === undefined ? "" : ` -e ${environment}`} -r ${[...new Set(rules)].join(" ")} -f 1h -b REASON`;

/** "a member of team-a: cairn approve rel-1" as who and which command. */
export function wayOf(text: string): Way {
  const command = commandIn(text);
  const [who = text, ...rest] = text.split(": ");
  const what = rest.join(": ");
  return what === "" ? { who: text, what: "does it", command } : { who, what: command === what ? "does it" : what, command };
}

export const commandIn = (text: string): string | null => /\b(?:cairn|git) [^.;,()]*[^.;,()\s]/.exec(text)?.[0] ?? null;
export const environmentIn = (subject: string): string | undefined => / in ([a-z][a-z0-9-]*)$/.exec(subject)?.[1];

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
export const sentence = (text: string): string => text.replace(/^./, (letter) => letter.toUpperCase());
export const uncapitalised = (text: string): string => text.replace(/^It /, "it ");
export const listed = (items: readonly string[]): string =>
  items.length > 6 ? `${items.slice(0, 6).join(", ")} and ${items.length - 6} more` : items.join(", ");
