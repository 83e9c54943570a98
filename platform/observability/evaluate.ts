import type { Clock } from "../kernel/clock.ts";
import type { Db } from "../kernel/sql.ts";
import type { Target } from "../runtime/contract.ts";
import { BURN_RULES, windowsOf, type WindowCounts } from "./burn-rate.ts";
import { minuteOf } from "./counters.ts";
import type { SloReport, SloView, Telemetry } from "./model.ts";
import { NO_DATA_SAID, STALE_SECONDS, whyNoData, type TelemetryFacts } from "./no-data.ts";
import type { Objectives, ObjectivesReader } from "./objectives.ts";
import { sloView, telemetryOf } from "./report.ts";
import { noteAlert, openAlerts, seenTargets, windowCounts, type Found, type SeenTarget } from "./store.ts";

export interface EvaluationParts {
  db: Db;
  clock: Clock;
  objectives: ObjectivesReader;
  /** Where a release is under way. */
  deploying: (service?: string) => Promise<Target[]>;
}

const TELEMETRY = { slo: "telemetry", rule: "telemetry-broken", severity: "ticket", forSeconds: 900 } as const;

/** How a service's objectives stand in an environment. */
export async function sloReport(parts: EvaluationParts, target: Target): Promise<SloReport> {
  const { db, clock, objectives } = parts;
  const now = clock.now();
  const [own, seen, deploying, alerts] = await Promise.all([
    objectives.of(target.service),
    seenTargets(db, target.service),
    parts.deploying(target.service),
    openAlerts(db, target),
  ]);
  const last = seen.find(({ environment }) => environment === target.environment);
  const to = endOf(last, now);
  const slos = (own?.slos ?? []).filter(({ environment }) => environment === target.environment);
  const windows = [...new Set([3600, ...slos.flatMap(windowsOf)])];
  const counts = await windowCounts(db, [{ ...target, seenAt: last?.seenAt ?? null }], windows, to);
  const facts = factsOf(target, last, deploying);
  return {
    ...target,
    at: to,
    source: own ? { repository: own.repository, commit: own.commit, present: own.present } : null,
    telemetry: telemetryOf(facts, last?.firstAt ?? null, counts(target, 3600), now),
    slos: slos.map((slo) => sloView(slo, facts, (seconds) => counts(target, seconds), now)),
    problems: own?.problems ?? [],
    alerts: alerts.filter(({ environment }) => environment === target.environment),
  };
}

/** Why a target has no data of the last hour, if it has none. */
export async function telemetryNow(parts: EvaluationParts, target: Target): Promise<Telemetry> {
  const now = parts.clock.now();
  const [seen, deploying] = await Promise.all([seenTargets(parts.db, target.service), parts.deploying(target.service)]);
  const last = seen.find(({ environment }) => environment === target.environment);
  const counts = await windowCounts(parts.db, [{ ...target, seenAt: last?.seenAt ?? null }], [3600], endOf(last, now));
  return telemetryOf(factsOf(target, last, deploying), last?.firstAt ?? null, counts(target, 3600), now);
}

/** Looks at every objective and moves its alerts; also those of targets whose counters can't be read. */
export async function evaluateAll(parts: EvaluationParts): Promise<void> {
  const { db, clock } = parts;
  const now = clock.now();
  const [all, seen, deploying, open] = await Promise.all([parts.objectives.all(), seenTargets(db), parts.deploying(), openAlerts(db)]);
  const watched = all.flatMap((own) =>
    own.slos.map((slo) => ({ own, slo, target: { service: own.service, environment: slo.environment } })),
  );
  const targets = watched.flatMap(({ target }) => {
    const last = seenOf(seen, target);
    return last ? [{ ...target, seenAt: last.seenAt, to: endOf(last, now).getTime() }] : [];
  });
  const windows = [...new Set(watched.flatMap(({ slo }) => windowsOf(slo)))];
  const ends = [...new Set(targets.map(({ to }) => to))];
  const counted = new Map<number, (target: Target, seconds: number) => WindowCounts>();
  for (const to of ends) counted.set(to, await windowCounts(db, unique(targets.filter((one) => one.to === to)), windows, new Date(to)));

  const found: Found[] = [];
  for (const { own, slo, target } of watched) {
    const last = seenOf(seen, target);
    const facts = factsOf(target, last, deploying);
    const counts = last && counted.get(endOf(last, now).getTime());
    if (!counts) continue;
    const view = sloView(slo, facts, (seconds) => counts(target, seconds), now);
    for (const rule of BURN_RULES) found.push(burnFound(own, target, last, view, rule));
  }
  for (const last of seen)
    found.push(
      telemetryFound(
        all.find(({ service }) => service === last.service),
        last,
        deploying,
        now,
      ),
    );
  for (const one of found) if (one.finding === "holds" || open.some((alert) => isOf(alert, one))) await noteAlert(db, clock, one);
  // What is no longer watched burns no more: its objective was removed, or its target.
  for (const alert of open)
    if (!found.some((one) => isOf(alert, one)))
      await noteAlert(db, clock, { ...alert, forSeconds: 0, finding: "does_not_hold", because: "it is no longer watched here", facts: {} });
}

function burnFound(own: Objectives, target: Target, last: SeenTarget, view: SloView, rule: (typeof BURN_RULES)[number]): Found {
  const burn = view.burns.find((one) => one.rule === rule.id);
  const broken = view.noData === "telemetry_broken";
  const finding = burn?.state === "burning" ? "holds" : broken || burn?.state === "unknown" ? "unknown" : "does_not_hold";
  return {
    ...target,
    slo: view.name,
    rule: rule.id,
    severity: rule.severity,
    forSeconds: rule.forSeconds,
    finding: broken ? "unknown" : finding,
    because: burn?.because ?? view.because,
    facts: {
      owner: own.owner,
      title: view.title,
      target: view.target,
      serving: last.serving,
      factor: burn?.factor,
      long: burn?.long,
      short: burn?.short,
      budgetRemaining: view.budget.remaining,
    },
  };
}

function telemetryFound(own: Objectives | undefined, last: SeenTarget, deploying: readonly Target[], now: Date): Found {
  const cause = whyNoData({ ...factsOf(last, last, deploying), requests: 1 }, now);
  const broken = cause === "telemetry_broken" && last.serving.length > 0;
  return {
    service: last.service,
    environment: last.environment,
    ...TELEMETRY,
    finding: broken ? "holds" : "does_not_hold",
    because: broken
      ? `${NO_DATA_SAID.telemetry_broken} since ${last.seenAt.toISOString()}: its objectives are unknown`
      : "its counters are read",
    facts: { owner: own?.owner ?? null, serving: last.serving, seenAt: last.seenAt.toISOString() },
  };
}

/** Windows end at the last minute that has been read whole; of a target that can't be read they end now, and what is missing is unknown. */
function endOf(last: SeenTarget | undefined, now: Date): Date {
  const isStale = !last || now.getTime() - last.seenAt.getTime() > STALE_SECONDS * 1000;
  return minuteOf(isStale || last.seenAt > now ? now : last.seenAt);
}

const factsOf = (target: Target, last: SeenTarget | undefined, deploying: readonly Target[]): Omit<TelemetryFacts, "requests"> => ({
  seenAt: last?.seenAt ?? null,
  serving: (last?.serving.length ?? 0) > 0,
  deploying: deploying.some((one) => one.service === target.service && one.environment === target.environment),
});

const seenOf = (seen: readonly SeenTarget[], target: Target): SeenTarget | undefined =>
  seen.find(({ service, environment }) => service === target.service && environment === target.environment);

const isOf = (alert: Target & { slo: string; rule: string }, found: Found): boolean =>
  alert.service === found.service && alert.environment === found.environment && alert.slo === found.slo && alert.rule === found.rule;

const unique = <T extends Target>(targets: readonly T[]): T[] => [
  ...new Map(targets.map((target) => [`${target.service}/${target.environment}`, target])).values(),
];
