import { z } from "zod";
import { breakGlassBounds, breakGlassEnvironmentUnknown, breakGlassRuleFirm, breakGlassRuleUnknown } from "./break-glass-faults.ts";
import type { Rule } from "./bundle.ts";
import type { Relief } from "./model.ts";

/** A break-glass lasts at least so long, and at most. */
const LEAST_SECONDS = 60;
const MOST_SECONDS = 4 * 3600;

/** What stands between a release and its environment beside the rules: a break-glass may pass these too. */
export const Gate = z.enum(["production-approval", "windows"]);
export type Gate = z.infer<typeof Gate>;

const Said = z.object({ by: z.string(), at: z.coerce.date(), because: z.string() });

/** Somebody's leave, taken by themselves and for a while, to go on although rules refuse. Its follow-up stays open until somebody else has reviewed it. */
export const BreakGlass = z
  .object({
    id: z.string(),
    service: z.string(),
    /** Null for every environment. */
    environment: z.string().nullable(),
    /** Names of rules and gates; `*` is every gate, and every rule that allows exceptions. */
    rules: z.array(z.string()).min(1),
    because: z.string(),
    openedBy: z.string(),
    openedAt: z.coerce.date(),
    /** It holds until just before this instant, whether anybody notes its end or not. */
    until: z.coerce.date(),
    /** Who was told at once; empty where there was no second person to tell. */
    witnesses: z.array(z.string()),
    /** Where it was ended before its time. */
    closed: Said.nullable(),
    /** Since when it asks for a review: its end, as noted. */
    followUpSince: z.coerce.date().nullable(),
    review: Said.nullable(),
  })
  .meta({ id: "BreakGlass" });
export type BreakGlass = z.infer<typeof BreakGlass>;

export const BreakGlassState = z.enum(["open", "to_review", "reviewed"]);
export type BreakGlassState = z.infer<typeof BreakGlassState>;

/** Whether it holds now: a comparison with the clock and nothing else, so that it ends on time whatever has crashed. */
export const holdsAt = ({ openedAt, until, closed }: BreakGlass, now: Date): boolean =>
  openedAt <= now && now < until && (closed === null || now < closed.at);

/** What it asks of people now. */
export const stateAt = (glass: BreakGlass, now: Date): BreakGlassState =>
  glass.review ? "reviewed" : holdsAt(glass, now) ? "open" : "to_review";

/** The same as rules are judged with it. */
export const reliefOf = (glass: BreakGlass): Relief => ({
  id: glass.id,
  kind: "break_glass",
  rules: glass.rules,
  service: glass.service,
  environment: glass.environment,
  from: glass.openedAt.toISOString(),
  until: (glass.closed && glass.closed.at < glass.until ? glass.closed.at : glass.until).toISOString(),
  because: glass.because,
  grantedBy: glass.openedBy,
});

/** The break-glass by which a gate of an environment may be passed now, if any; the oldest of several. */
export const passing = (glasses: readonly BreakGlass[], gate: Gate, environment: string, now: Date): BreakGlass | undefined =>
  glasses.find(
    (glass) =>
      holdsAt(glass, now) &&
      (glass.environment === null || glass.environment === environment) &&
      (glass.rules.includes("*") || glass.rules.includes(gate)),
  );

/** How long it is asked for. Throws `policy.break_glass_bounds`. */
export function secondsOf(asked: number): number {
  if (asked < LEAST_SECONDS || asked > MOST_SECONDS) throw breakGlassBounds(asked, LEAST_SECONDS, MOST_SECONDS);
  return asked;
}

/** What it is asked for; without a rule for all of them. Throws `policy.break_glass_rule_unknown`, `policy.break_glass_rule_firm`, `policy.break_glass_environment_unknown`. */
export function scopeOf(
  asked: { environment?: string | undefined; rules?: readonly string[] | undefined },
  known: { environments: readonly string[]; rules: readonly Pick<Rule, "name" | "exceptionsBy">[] },
): Pick<BreakGlass, "environment" | "rules"> {
  const { environment } = asked;
  if (environment !== undefined && !known.environments.includes(environment))
    throw breakGlassEnvironmentUnknown(environment, known.environments);
  const rules = [...new Set(asked.rules ?? [])];
  for (const name of rules) {
    if (name === "*" || Gate.options.some((gate) => gate === name)) continue;
    const rule = known.rules.find((each) => each.name === name);
    if (!rule) throw breakGlassRuleUnknown(name, [...Gate.options, ...known.rules.filter(mayYield).map((each) => each.name)]);
    if (!mayYield(rule)) throw breakGlassRuleFirm(name);
  }
  return { environment: environment ?? null, rules: rules.length === 0 ? ["*"] : rules };
}

const mayYield = ({ exceptionsBy }: Pick<Rule, "exceptionsBy">): boolean => exceptionsBy.length > 0;
