import { z } from "zod";
import type { Tier } from "../catalog/model.ts";
import { LATENCY_BOUNDS_SECONDS, type Reading } from "../runtime/contract.ts";
import { add, beginCanary, CanaryRules, CanaryState, Counts, nextStep, noCounts, observeBlock, type Block } from "./canary.ts";
import { environmentNamed, HealthRules, type Environments } from "./environments.ts";
import { thresholdNotMeasured } from "./faults.ts";
import type { Round } from "./model.ts";
import { answeredMove, nextMove, Position, stepEndsAt, type Answer, type Move } from "./next-move.ts";
import { progressOf, verdictOf } from "./verdict.ts";

const ArmRef = z.object({ revision: z.string(), artifactDigest: z.string() });
export type ArmRef = z.infer<typeof ArmRef>;

/** The rules that a release is judged by, fixed when it begins and kept with it. */
export const RolloutRules = z
  .object({
    ...Position.pick({ judgedBy: true, stepsPercent: true, deadlineSeconds: true, unknownAtDeadline: true, watchSeconds: true }).shape,
    canary: CanaryRules,
    health: HealthRules,
    /** A request slower than this is slow. Null where no SLO says: then errors alone are judged. */
    slowSeconds: z.number().nullable(),
  })
  .meta({ id: "RolloutRules" });
export type RolloutRules = z.infer<typeof RolloutRules>;

/** A rollout between two rounds: all that the next round needs beside new readings. Plain JSON, so that a workflow's checkpoint can hold it. */
export const Rollout = z.object({
  ...Position.shape,
  rules: RolloutRules,
  canary: ArmRef,
  baseline: ArmRef.nullable(),
  rounds: z.int(),
  analysis: CanaryState,
  /** Cumulative counters as last read, by revision. */
  seen: z.record(z.string(), z.object({ epoch: z.string(), counts: Counts })),
  totals: z.object({ canary: Counts, baseline: Counts }),
  unhealthySince: z.iso.datetime().nullable(),
  restartsBefore: z.number(),
  restarts: z.number(),
});
export type Rollout = z.infer<typeof Rollout>;

/** What a round looks at. `readings` is null where the runtime could not be observed; `smoke` is null until the smoke test has run. */
export interface Observed {
  readings: readonly Reading[] | null;
  smoke: { passed: boolean; detail: string } | null;
  /** What its owner said last, if anything. */
  answer?: Answer | null;
}

/**
 * The rules for one release. Without a baseline where a canary would be judged, all traffic goes to the new revision at once and it is watched.
 * Throws `releases.environment_unknown`, and `releases.slow_threshold` where the histogram has no such bound.
 */
export function rulesFor(
  environments: Environments,
  release: { environment: string; tier: Tier; hasBaseline: boolean; slowSeconds: number | null },
): RolloutRules {
  const environment = environmentNamed(environments, release.environment);
  const { stepsPercent, deadlineSeconds, unknownAtDeadline, firstWatchSeconds, ...canary } = environments.tiers[release.tier].canary;
  if (release.slowSeconds !== null) slowBucket(release.slowSeconds);
  const judgedBy = environment.judgedBy === "smoke" ? "smoke" : release.hasBaseline ? "canary" : "first";
  return {
    judgedBy,
    stepsPercent: judgedBy === "canary" ? stepsPercent : [100],
    deadlineSeconds: environment.deadlineSeconds ?? deadlineSeconds,
    unknownAtDeadline,
    watchSeconds: judgedBy === "smoke" ? environment.watchSeconds : firstWatchSeconds,
    canary,
    health: environments.health,
    slowSeconds: release.slowSeconds,
  };
}

/** A rollout at 0 %. `readings` are those of the moment: what a revision did before does not count. */
export function startRollout(
  rules: RolloutRules,
  arms: { canary: ArmRef; baseline: ArmRef | null },
  readings: readonly Reading[],
  now: Date,
): Rollout {
  const canary = readings.find(({ revision }) => revision === arms.canary.revision);
  return {
    judgedBy: rules.judgedBy,
    stepsPercent: rules.stepsPercent,
    deadlineSeconds: rules.deadlineSeconds,
    unknownAtDeadline: rules.unknownAtDeadline,
    watchSeconds: rules.watchSeconds,
    percent: 0,
    healthy: canary?.health === "healthy",
    stepStartedAt: now.toISOString(),
    rules,
    ...arms,
    rounds: 0,
    analysis: beginCanary(rules.slowSeconds === null ? ["errors"] : ["errors", "slow"]),
    seen: Object.fromEntries(
      readings.map((reading) => [reading.revision, { epoch: reading.epoch, counts: countsOf(reading, rules.slowSeconds) }]),
    ),
    totals: { canary: noCounts, baseline: noCounts },
    unhealthySince: null,
    restartsBefore: canary?.restarts ?? 0,
    restarts: canary?.restarts ?? 0,
  };
}

/**
 * One round: readings become a block, the block evidence, the evidence a verdict, the verdict a move. Pure. The move is not carried out yet:
 * after a shift go on with `enterStep`.
 */
export function roundOf(rollout: Rollout, observed: Observed, now: Date): { rollout: Rollout; round: Round; move: Move } {
  const after = observed.readings === null ? rollout : observe(rollout, observed.readings, now);
  const next: Rollout = { ...after, rounds: rollout.rounds + 1 };
  const verdict = verdictOf(next, observed, now);
  const move = answeredMove(next, nextMove(next, verdict, now), observed.answer ?? null);
  const round: Round = {
    number: next.rounds,
    at: now,
    percent: next.percent,
    canary: { ...next.canary, ...next.totals.canary },
    baseline: next.baseline && { ...next.baseline, ...next.totals.baseline },
    tests: next.judgedBy === "canary" ? progressOf(next) : [],
    verdict,
    move: sentence(move),
    stepEndsAt: stepEndsAt(next),
  };
  return { rollout: next, round, move };
}

/** The rollout after its traffic was shifted: a step of its own, with its own deadline, where "not worse" must be shown anew. */
export const enterStep = (rollout: Rollout, toPercent: number, now: Date): Rollout => ({
  ...rollout,
  percent: toPercent,
  stepStartedAt: now.toISOString(),
  analysis: nextStep(rollout.analysis),
});

function observe(rollout: Rollout, readings: readonly Reading[], now: Date): Rollout {
  const { canary, baseline } = rollout;
  const canaryReading = readings.find(({ revision }) => revision === canary.revision);
  const baselineReading = baseline ? readings.find(({ revision }) => revision === baseline.revision) : undefined;
  const block: Block = {
    canary: growth(rollout, canaryReading),
    baseline: baseline && growth(rollout, baselineReading),
  };
  const seen = { ...rollout.seen };
  for (const reading of [canaryReading, baselineReading])
    if (reading) seen[reading.revision] = { epoch: reading.epoch, counts: countsOf(reading, rollout.rules.slowSeconds) };
  const healthy = canaryReading?.health === "healthy";
  return {
    ...rollout,
    seen,
    healthy,
    unhealthySince: healthy ? null : (rollout.unhealthySince ?? now.toISOString()),
    restartsBefore: Math.min(rollout.restartsBefore, canaryReading?.restarts ?? rollout.restartsBefore),
    restarts: canaryReading?.restarts ?? rollout.restarts,
    totals: { canary: add(rollout.totals.canary, block.canary), baseline: add(rollout.totals.baseline, block.baseline ?? noCounts) },
    analysis: observeBlock(rollout.analysis, block, rollout.rules.canary),
  };
}

/** What a revision did since it was last read. Another epoch began at zero; one that is read for the first time says nothing about this block. */
function growth(rollout: Rollout, reading: Reading | undefined): Counts {
  if (!reading) return noCounts;
  const before = rollout.seen[reading.revision];
  if (!before) return noCounts;
  const counts = countsOf(reading, rollout.rules.slowSeconds);
  const from = before.epoch === reading.epoch ? before.counts : noCounts;
  const requests = Math.max(0, counts.requests - from.requests);
  // A request is counted at its end in one place and timed in another: no share is ever above one.
  const within = (count: number) => Math.min(requests, Math.max(0, count));
  return { requests, errors: within(counts.errors - from.errors), slow: within(counts.slow - from.slow) };
}

const countsOf = (reading: Reading, slowSeconds: number | null): Counts => ({
  requests: reading.requests,
  errors: reading.errors,
  slow: slowSeconds === null ? 0 : reading.latency.slice(slowBucket(slowSeconds)).reduce((sum, count) => sum + count, 0),
});

/** The first bucket of the histogram that is slower than the threshold. Throws `releases.slow_threshold`. */
function slowBucket(slowSeconds: number): number {
  const bound = LATENCY_BOUNDS_SECONDS.findIndex((seconds) => seconds === slowSeconds);
  if (bound === -1) throw thresholdNotMeasured(slowSeconds);
  return bound + 1;
}

function sentence(move: Move): string {
  if (move.kind === "shift") return `shift to ${move.toPercent} %: ${move.because}`;
  return `${{ wait: "wait", hold: "hold for the owner", promote: "promote", rollBack: "roll back" }[move.kind]}: ${move.because}`;
}
