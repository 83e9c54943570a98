import { z } from "zod";
import { AtDeadline, StepsPercent } from "./environments.ts";
import type { Verdict } from "./model.ts";

/** What to do next. Plain JSON; times are ISO instants. */
export const Move = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("shift"), toPercent: z.number(), because: z.string() }),
  z.object({ kind: z.literal("wait"), until: z.iso.datetime(), because: z.string() }),
  z.object({ kind: z.literal("hold"), because: z.string() }),
  z.object({ kind: z.literal("promote"), because: z.string() }),
  z.object({ kind: z.literal("rollBack"), because: z.string() }),
]);
export type Move = z.infer<typeof Move>;

/** Where a rollout stands, as far as the next move depends on it. */
export const Position = z.object({
  /**
   * `canary`: compared with a baseline, step by step. `first`: nothing served before, so there is nothing to compare with.
   * `smoke`: health and a smoke test, as before production.
   */
  judgedBy: z.enum(["canary", "first", "smoke"]),
  percent: z.number(),
  healthy: z.boolean(),
  stepsPercent: StepsPercent,
  stepStartedAt: z.iso.datetime(),
  deadlineSeconds: z.number(),
  unknownAtDeadline: AtDeadline,
  /** How long health is watched at 100 % where no canary is judged. */
  watchSeconds: z.number(),
});
export type Position = z.infer<typeof Position>;

/** The deadline of the present step. */
export const stepEndsAt = (position: Position): Date => after(position.stepStartedAt, position.deadlineSeconds);

/**
 * The next move, from facts alone. A rollback wins over everything. Holding is not an end: judging goes on, and evidence may still end it.
 * At a deadline without a verdict a canary follows its tier's rule; where health or smoke test are what is not known, it rolls back in every tier.
 */
export function nextMove(position: Position, verdict: Verdict, now: Date): Move {
  if (verdict.kind === "worse") return { kind: "rollBack", because: verdict.because };
  if (position.percent === 0 && position.healthy) return forward(position, "the revision is healthy");
  if (verdict.kind === "not_worse") return forward(position, `not worse than the baseline at ${position.percent} %`);
  if (verdict.kind === "no_baseline") {
    const watchedUntil = after(position.stepStartedAt, position.watchSeconds);
    if (now < watchedUntil) return { kind: "wait", until: watchedUntil.toISOString(), because: verdict.because };
    return { kind: "promote", because: verdict.because };
  }
  const deadline = stepEndsAt(position);
  if (now < deadline) return { kind: "wait", until: deadline.toISOString(), because: verdict.because };
  const late = `${verdict.because}, and the step's ${position.deadlineSeconds} s are over`;
  if (position.judgedBy !== "canary" || !position.healthy || position.unknownAtDeadline === "roll_back")
    return { kind: "rollBack", because: `unknown: ${late}` };
  if (position.unknownAtDeadline === "hold") return { kind: "hold", because: `unknown: ${late}` };
  return forward(position, `unknown, accepted by rule: ${late}`);
}

/** What the owner of a release says to it. Going on is said to the step in which it was held; rolling back to the release. */
export const Answer = z.object({ action: z.enum(["roll_back", "go_on"]), because: z.string(), by: z.string(), percent: z.number() });
export type Answer = z.infer<typeof Answer>;

/** The move once its owner has answered: back at any time; on where it is held. Evidence that it is worse is above any answer. */
export function answeredMove(position: Position, move: Move, answer: Answer | null): Move {
  if (!answer || move.kind === "rollBack" || move.kind === "promote") return move;
  const because = `${answer.by} decided: ${answer.because}`;
  if (answer.action === "roll_back") return { kind: "rollBack", because };
  return move.kind === "hold" && answer.percent === position.percent ? forward(position, because) : move;
}

/** To the next step, or past the last one: at 100 % there is no baseline left to judge by. */
function forward(position: Position, because: string): Move {
  const toPercent = position.stepsPercent.find((percent) => percent > position.percent) ?? 100;
  if (toPercent === 100 && position.judgedBy === "canary") return { kind: "promote", because };
  return position.percent === 100 ? { kind: "promote", because } : { kind: "shift", toPercent, because };
}

const after = (instant: string, seconds: number): Date => new Date(new Date(instant).getTime() + seconds * 1000);
