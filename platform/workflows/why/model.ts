import { z } from "zod";
import type { CiRun } from "../../ci/contract.ts";
import type { ChangeReview } from "../../forge/model.ts";
import type { Incident, Suspect } from "../../incidents/model.ts";
import type { WorkflowRunWithSteps } from "../../orchestrator/model.ts";
import type { Plan, PlanState } from "../../plans/model.ts";
import type { BreakGlass, BreakGlassState } from "../../policy/break-glass.ts";
import type { Decision } from "../../policy/model.ts";
import type { Held } from "../../releases/gate.ts";
import type { Release } from "../../releases/model.ts";

const Reason = z.object({
  /** What kind of thing says so, and which one: a rule by its name, a check, a gate, a step, a fact. */
  kind: z.enum(["rule", "check", "gate", "step", "fact"]),
  name: z.string(),
  says: z.string(),
});

const Way = z.object({
  /** Who can do it: people, a group, or the platform by itself. */
  who: z.string(),
  what: z.string(),
  /** The command for it, where there is one. */
  command: z.string().nullable(),
});

/** Why something is as it is: what it waits for or what happened, which rule or fact says so, and who or which command unblocks it. */
export const Why = z
  .object({
    subject: z.object({
      kind: z.enum(["change", "ci-run", "plan", "decision", "release", "run", "break-glass", "incident"]),
      id: z.string(),
      title: z.string(),
      link: z.string(),
    }),
    /** `waits` for a person, another thing or the time; `under_way`: the platform works on it. */
    state: z.enum(["waits", "under_way", "refused", "failed", "done"]),
    /** One sentence. */
    summary: z.string(),
    because: z.array(Reason),
    unblock: z.array(Way),
    /** When it goes on by itself, where that is known. */
    until: z.coerce.date().nullable(),
  })
  .meta({ id: "Why" });
export type Why = z.infer<typeof Why>;
export type Reason = z.infer<typeof Reason>;
export type Way = z.infer<typeof Way>;

/** All that an answer rests on, by kind of subject. */
export type WhyFacts =
  | { kind: "change"; change: ChangeReview; ci: QueuedRun | null }
  | { kind: "ci-run"; run: CiRun; ahead: number }
  | { kind: "decision"; decision: Decision; reopened: string | null; service: ServiceOf }
  | { kind: "release"; release: Release; decision: Decision | null; reopened: string | null; service: ServiceOf; at: Place }
  | {
      kind: "plan";
      digest: string;
      plan: Plan;
      state: PlanState;
      run: string | null;
      differing: string[];
      owner: string;
      inner: Why | null;
    }
  | { kind: "run"; run: WorkflowRunWithSteps; inner: Why | null }
  | { kind: "break-glass"; glass: BreakGlass; state: BreakGlassState; owner: string }
  | { kind: "incident"; incident: Incident; suspect: Suspect | null; owner: string };

export interface QueuedRun {
  run: CiRun;
  /** Runs that were ordered before it and have not ended. */
  ahead: number;
}

export interface ServiceOf {
  name: string;
  /** Reference of the owning group, or "an administrator" where it has none. */
  owner: string;
}

/** Where a release stands, beside its own row. */
export interface Place {
  gate: { heldBy: Held[]; openBy: string[] } | null;
  /** The release whose end it waits for. */
  before: string | null;
  /** What would end its present step. */
  endsWhen: string[];
  stepEndsAt: Date | null;
  /** The run that carries it, and what that is doing. */
  run: { id: string; step: string; detail: string } | null;
}
