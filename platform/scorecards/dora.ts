import type { Deployment, Dora } from "./model.ts";

/** A deployment as the ledger has it, before anything is reckoned from it. */
export type DeploymentFact = Omit<Deployment, "leadSeconds" | "failed" | "recoverySeconds" | "rework"> & {
  openedAt: Date | null;
  /** When what served before a release that was taken back had all traffic again. */
  backAt: Date | null;
};

/**
 * The five metrics as DORA defines them (dora.dev/guides/dora-metrics): throughput by lead time, frequency and recovery, instability by the share of deployments that failed and of
 * those that mended one. `facts` may begin before `from`, so that what came after a failure just before it is known as rework. Pure.
 */
export function dora(facts: readonly DeploymentFact[], from: Date, to: Date): Dora {
  const lastFailed = new Map<string, boolean>();
  const deployments = facts
    .toSorted((a, b) => a.endedAt.getTime() - b.endedAt.getTime() || (a.release < b.release ? -1 : 1))
    .map(({ openedAt, backAt, ...fact }): Deployment => {
      const arrived = fact.outcome === "promoted";
      const failed = !arrived || fact.takenBackAt !== null;
      const mendedAt = arrived ? backAt : fact.endedAt;
      const place = `${fact.service}/${fact.environment}`;
      const rework = lastFailed.get(place) === true;
      lastFailed.set(place, failed);
      return {
        ...fact,
        failed,
        rework,
        leadSeconds: arrived && openedAt ? seconds(openedAt, fact.endedAt) : null,
        recoverySeconds: failed && mendedAt ? seconds(fact.startedAt, mendedAt) : null,
      };
    })
    .filter(({ endedAt }) => endedAt >= from && endedAt < to);
  const arrived = deployments.filter(({ outcome }) => outcome === "promoted");
  return {
    from,
    to,
    deploymentFrequency: { perDay: arrived.length / Math.max(1, seconds(from, to) / 86_400), of: arrived.length },
    leadTime: span(deployments.map(({ leadSeconds }) => leadSeconds)),
    changeFailRate: share(deployments.filter(({ failed }) => failed).length, deployments.length),
    recoveryTime: span(deployments.map(({ recoverySeconds }) => recoverySeconds)),
    reworkRate: share(deployments.filter(({ rework }) => rework).length, deployments.length),
    deployments: deployments.toReversed(),
  };
}

const seconds = (from: Date, to: Date): number => (to.getTime() - from.getTime()) / 1000;

const share = (part: number, of: number) => ({ value: of === 0 ? null : part / of, of });

function span(values: readonly (number | null)[]) {
  const known = values.filter((value) => value !== null).toSorted((a, b) => a - b);
  return { medianSeconds: quantile(known, 0.5), p90Seconds: quantile(known, 0.9), of: known.length };
}

/** Between the two nearest values, as PostgreSQL's percentile_cont does it. */
function quantile(sorted: readonly number[], q: number): number | null {
  const at = (sorted.length - 1) * q;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low === undefined || high === undefined ? null : low + (high - low) * (at - Math.floor(at));
}
