import { BURN_RULES, budgetOf, burnOf, type Burn, type WindowCounts } from "./burn-rate.ts";
import type { SloView, Telemetry } from "./model.ts";
import { NO_DATA_SAID, whyNoData, type NoData, type TelemetryFacts } from "./no-data.ts";
import type { Slo } from "./openslo.ts";

type Facts = Omit<TelemetryFacts, "requests">;

/** How an objective stands, of what the windows hold and what is known of the target. Pure: the same facts give the same report. */
export function sloView(slo: Slo, facts: Facts, countsOf: (windowSeconds: number) => WindowCounts, now: Date): SloView {
  const { compliance, allowed, remaining, period } = budgetOf(slo, countsOf(slo.periodSeconds));
  const burns = BURN_RULES.map((rule) => burnOf(slo, rule, countsOf));
  const noData = whyNoData({ ...facts, requests: period.requests }, now);
  const { state, because } = stateOf(slo, { remaining, burns, noData, unknownSeconds: period.unknownSeconds });
  const { indicator, name, title, description, environment, target, periodSeconds, isPlaceholder } = slo;
  return {
    name,
    title,
    description,
    environment,
    target,
    periodSeconds,
    isPlaceholder,
    bad: indicator.kind,
    thresholdSeconds: indicator.kind === "slow" ? indicator.thresholdSeconds : null,
    state,
    because,
    noData,
    compliance,
    budget: { allowed, used: period.bad, remaining },
    period,
    burns,
  };
}

/** The order matters: what is bad for certain is said first, what is good only when nothing is unknown. */
function stateOf(
  slo: Slo,
  {
    remaining,
    burns,
    noData,
    unknownSeconds,
  }: { remaining: number | null; burns: readonly Burn[]; noData: NoData | null; unknownSeconds: number },
): Pick<SloView, "state" | "because"> {
  if (noData === "telemetry_broken") return { state: "unknown", because: NO_DATA_SAID[noData] };
  const burning = burns.filter(({ state }) => state === "burning");
  if (remaining !== null && remaining < 0) return { state: "missed", because: `the error budget of ${days(slo)} is overdrawn` };
  if (burning[0]) return { state: "at_risk", because: burning[0].because };
  if (noData !== null) return { state: "unknown", because: NO_DATA_SAID[noData] };
  const unsure = Math.max(
    unknownSeconds,
    ...burns.filter(({ state }) => state === "unknown").map(({ long, short }) => Math.max(long.unknownSeconds, short.unknownSeconds)),
  );
  if (unsure > 0) return { state: "unknown", because: `nothing bad is known, but ${Math.round(unsure / 60)} min of it are not known` };
  return { state: "met", because: `within its error budget of ${days(slo)}` };
}

export function telemetryOf(facts: Facts, firstAt: Date | null, lastHour: WindowCounts, now: Date): Telemetry {
  const noData = whyNoData({ ...facts, requests: lastHour.requests }, now);
  return { seenAt: facts.seenAt, firstAt, noData, because: noData === null ? "its counters are read" : NO_DATA_SAID[noData] };
}

const days = ({ periodSeconds }: Slo): string => `${periodSeconds / 86_400} days`;
