import type { Counts } from "./counters.ts";
import type { Indicator, Slo } from "./openslo.ts";

/** What a window holds: counts that are known to lie in it, and how many of its seconds are not known. */
export type WindowCounts = Counts & { unknownSeconds: number };

/** Two windows that must both burn: the long one for its weight, the short one to end soon after the cause. Source: Google SRE workbook, chapter 5. */
export interface BurnRule {
  id: string;
  severity: "page" | "ticket";
  longSeconds: number;
  shortSeconds: number;
  /** Share of the period's error budget that the long window may use up. */
  budgetShare: number;
  /** How long it must hold before it fires. */
  forSeconds: number;
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

export const BURN_RULES: readonly BurnRule[] = [
  { id: "page-1h", severity: "page", longSeconds: HOUR, shortSeconds: 5 * MINUTE, budgetShare: 0.02, forSeconds: MINUTE },
  { id: "page-6h", severity: "page", longSeconds: 6 * HOUR, shortSeconds: 30 * MINUTE, budgetShare: 0.05, forSeconds: MINUTE },
  { id: "ticket-1d", severity: "ticket", longSeconds: DAY, shortSeconds: 2 * HOUR, budgetShare: 0.1, forSeconds: 15 * MINUTE },
  { id: "ticket-3d", severity: "ticket", longSeconds: 3 * DAY, shortSeconds: 6 * HOUR, budgetShare: 0.1, forSeconds: 15 * MINUTE },
];

/** Every window that the rules and the SLO's own period look at, shortest first. */
export const windowsOf = (slo: Pick<Slo, "periodSeconds">): number[] =>
  [...new Set([...BURN_RULES.flatMap((rule) => [rule.shortSeconds, rule.longSeconds]), slo.periodSeconds])].sort((a, b) => a - b);

export interface Rate {
  windowSeconds: number;
  requests: number;
  bad: number;
  /** Share of bad requests; null where there were none at all. */
  rate: number | null;
  /** How many times faster than the budget allows; 1 uses it up in exactly the period. */
  burn: number | null;
  unknownSeconds: number;
}

export function rateOf(slo: Pick<Slo, "indicator" | "target">, windowSeconds: number, counts: WindowCounts): Rate {
  const bad = badOf(slo.indicator, counts);
  const rate = counts.requests === 0 ? null : bad / counts.requests;
  const burn = rate === null ? null : rate / (1 - slo.target);
  return { windowSeconds, requests: counts.requests, bad, rate, burn, unknownSeconds: counts.unknownSeconds };
}

export interface Burn {
  rule: string;
  severity: "page" | "ticket";
  /** From this burn rate on: budget share times period by long window. */
  factor: number;
  /** The same as a share of bad requests. */
  threshold: number;
  long: Rate;
  short: Rate;
  /** So many requests the long window needs before one bad request alone can't exceed the threshold. */
  meansSomethingFrom: number;
  state: "burning" | "ok" | "idle" | "unknown" | "unreachable";
  because: string;
}

/**
 * Whether a rule's two windows burn. One bad request alone never does. Where something is not known, what is known may still burn; it is never called ok.
 * The highest burn is 1 / (1 - target): a rule above it could never fire, and is called unreachable.
 */
export function burnOf(slo: Slo, rule: BurnRule, countsOf: (windowSeconds: number) => WindowCounts): Burn {
  const factor = (rule.budgetShare * slo.periodSeconds) / rule.longSeconds;
  const threshold = factor * (1 - slo.target);
  const long = rateOf(slo, rule.longSeconds, countsOf(rule.longSeconds));
  const short = rateOf(slo, rule.shortSeconds, countsOf(rule.shortSeconds));
  const meansSomethingFrom = Math.ceil(1 / threshold - 1e-9);
  const { severity } = rule;
  const judged = (state: Burn["state"], because: string): Burn => ({
    rule: rule.id,
    severity,
    factor,
    threshold,
    long,
    short,
    meansSomethingFrom,
    state,
    because,
  });
  const percent = (share: number) => `${Number((100 * share).toFixed(3))} %`;
  if (threshold >= 1)
    return judged(
      "unreachable",
      `a burn of ${round(factor)} can't be reached: at a target of ${percent(slo.target)} it ends at ${round(1 / (1 - slo.target))}`,
    );
  const exceeds = (rate: Rate) => rate.rate !== null && rate.rate > threshold;
  const spoken = (rate: Rate) => (rate.rate === null ? "no requests" : `${rate.bad} of ${rate.requests} (${percent(rate.rate)})`);
  const said = `bad in ${spanOf(rule.longSeconds)}: ${spoken(long)}, in ${spanOf(rule.shortSeconds)}: ${spoken(short)}; the limit is ${percent(threshold)}`;
  if (exceeds(long) && exceeds(short) && long.bad >= 2) return judged("burning", said);
  const unknown = Math.max(long.unknownSeconds, short.unknownSeconds);
  if (unknown > 0) return judged("unknown", `${said}; ${Math.round(unknown)} s of it are not known`);
  if (long.requests === 0) return judged("idle", `no requests in ${spanOf(rule.longSeconds)}`);
  return judged("ok", said);
}

export interface Budget {
  /** Share of good requests over the period; null where there were none. */
  compliance: number | null;
  /** Bad requests that the period allows, of those that it has had. */
  allowed: number;
  /** Share of the error budget that is left; below zero it is overdrawn. Null where there were no requests. */
  remaining: number | null;
  period: Rate;
}

export function budgetOf(slo: Slo, counts: WindowCounts): Budget {
  const period = rateOf(slo, slo.periodSeconds, counts);
  const allowed = (1 - slo.target) * period.requests;
  return {
    compliance: period.rate === null ? null : 1 - period.rate,
    allowed,
    remaining: period.burn === null ? null : 1 - period.burn,
    period,
  };
}

/** How many of the counted requests an indicator calls bad. */
export const badOf = (indicator: Indicator, counts: Counts): number =>
  indicator.kind === "errors" ? counts.errors : counts.requests - (counts.within[indicator.bucket] ?? 0);

/** A span as rules name it: 5m, 6h, 3d. */
export const spanOf = (seconds: number): string =>
  seconds % DAY === 0 ? `${seconds / DAY}d` : seconds % HOUR === 0 ? `${seconds / HOUR}h` : `${Math.round(seconds / MINUTE)}m`;

const round = (value: number): number => Number(value.toFixed(2));
