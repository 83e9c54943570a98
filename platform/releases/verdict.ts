import { ceilingBroken, requestsNeeded, thresholdOf, type Metric } from "./canary.ts";
import type { TestProgress, Verdict } from "./model.ts";
import type { Observed, Rollout } from "./rollout.ts";

/** What the evidence says now. What speaks against the canary comes first; what is not known is unknown, never good. */
export function verdictOf(rollout: Rollout, observed: Observed, now: Date): Verdict {
  const worse = whatIsWorse(rollout, observed, now);
  if (worse !== undefined) return { kind: "worse", because: worse };
  if (observed.readings === null) return { kind: "unknown", because: "the runtime could not be observed" };
  if (!rollout.healthy) return { kind: "unknown", because: "the new revision is not healthy" };
  if (rollout.judgedBy === "canary") return canaryVerdict(rollout);
  if (rollout.judgedBy === "first")
    return { kind: "no_baseline", because: `no baseline: nothing served before; healthy, ${failures(rollout)}` };
  if (!observed.smoke) return { kind: "unknown", because: "the smoke test has not run" };
  return { kind: "no_baseline", because: `healthy, and the smoke test passed: ${observed.smoke.detail}` };
}

/** How far each test is. */
export function progressOf({ analysis, rules }: Rollout): TestProgress[] {
  const threshold = thresholdOf(analysis, rules.canary);
  return analysis.tests.map((test) => ({
    metric: test.metric,
    process: test.process,
    logE: test.logE,
    threshold,
    decided: test.decided,
    requestsNeeded: requestsNeeded(test, threshold) ?? null,
  }));
}

function whatIsWorse(rollout: Rollout, { smoke }: Observed, now: Date): string | undefined {
  const { analysis, rules, unhealthySince } = rollout;
  const ceiling = ceilingBroken(analysis, rules.canary);
  if (ceiling)
    return `${ceiling.errors} of the last ${ceiling.requests} requests to the new revision failed, more than the ceiling of ${percent(rules.canary.ceiling.errorShare)}`;
  const decided = rollout.judgedBy === "canary" && analysis.tests.find((test) => test.process === "worse" && test.decided);
  if (decided) return `${compared(rollout, decided.metric)}: worse by more than ${percent(rules.canary.tolerance)}`;
  const unhealthySeconds = unhealthySince === null ? 0 : (now.getTime() - new Date(unhealthySince).getTime()) / 1000;
  if (unhealthySeconds >= rules.health.unhealthySeconds)
    return `the new revision has not been healthy for ${Math.round(unhealthySeconds)} s`;
  const restarts = rollout.restarts - rollout.restartsBefore;
  if (restarts > rules.health.maxRestarts) return `the new revision was restarted ${restarts} times`;
  if (rollout.judgedBy === "smoke" && smoke && !smoke.passed) return `the smoke test failed: ${smoke.detail}`;
  return undefined;
}

function canaryVerdict({ analysis, rules, totals }: Rollout): Verdict {
  const notWorse = analysis.tests.filter((test) => test.process === "not_worse");
  if (notWorse.every((test) => test.decided)) return { kind: "not_worse" };
  if (totals.canary.requests === 0) return { kind: "unknown", because: "no request has reached the canary" };
  if (totals.baseline.requests === 0) return { kind: "unknown", because: "no request has reached the baseline to compare with" };
  const threshold = thresholdOf(analysis, rules.canary);
  const needed = notWorse.map((test) => requestsNeeded(test, threshold));
  const known = needed.filter((requests) => requests !== undefined);
  if (known.length < needed.length) return { kind: "unknown", because: `${totals.canary.requests} canary requests point neither way yet` };
  const more = Math.max(...known);
  return { kind: "unknown", because: `about ${more} more canary ${more === 1 ? "request is" : "requests are"} needed` };
}

function compared({ totals }: Rollout, metric: Metric): string {
  const share = (arm: typeof totals.canary) => percent(arm.requests === 0 ? 0 : arm[metric] / arm.requests);
  const did = metric === "errors" ? "failed" : "were slow";
  return `${share(totals.canary)} of ${totals.canary.requests} canary requests ${did}, against ${share(totals.baseline)} of ${totals.baseline.requests} to the stable revision`;
}

const failures = ({ totals }: Rollout): string =>
  totals.canary.requests === 0 ? "no request yet" : `${totals.canary.errors} of ${totals.canary.requests} requests failed`;

const percent = (share: number): string => `${Number((share * 100).toFixed(1))} %`;
