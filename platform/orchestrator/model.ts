import { z } from "zod";

/** A run is `waiting` while a person or another system must act, `failed` where nothing was rolled back or a rollback failed too. */
export const RunState = z.enum(["running", "waiting", "success", "failed", "rolling_back", "rolled_back"]);
export type RunState = z.infer<typeof RunState>;

export const StepState = z.enum(["pending", "running", "waiting", "success", "failed", "rolled_back"]);
export type StepState = z.infer<typeof StepState>;

/** What went wrong, and what to do about it. */
export const RunError = z.object({ code: z.string(), message: z.string(), next: z.string() });
export type RunError = z.infer<typeof RunError>;

export const WorkflowStep = z.object({
  name: z.string(),
  /** From 0, in the order of the outline; steps that it did not name come after. */
  position: z.number(),
  state: StepState,
  /** How far it is, or why it failed. */
  detail: z.string(),
  /** Who or what unblocks it, while it waits. */
  waitsFor: z.string().nullable(),
  /** Executions of the newest round; more than one after a retry or a crash. */
  attempts: z.number(),
  /** How often it was taken: more than one where the workflow repeats it. */
  rounds: z.number(),
  /** The run that does this step's work, where it is a workflow of its own. */
  childRun: z.string().nullable(),
  startedAt: z.coerce.date().nullable(),
  endedAt: z.coerce.date().nullable(),
});
export type WorkflowStep = z.infer<typeof WorkflowStep>;

export const WorkflowRun = z.object({
  id: z.string(),
  workflow: z.string(),
  /** What it is about: an entity reference. */
  about: z.string(),
  startedBy: z.string(),
  parent: z.string().nullable(),
  state: RunState,
  /** The name of the step that it is in, or was in last. */
  currentStep: z.string().nullable(),
  error: RunError.nullable(),
  /** Asked to stop, and why. */
  cancelled: z.object({ because: z.string(), by: z.string() }).nullable(),
  output: z.unknown(),
  createdAt: z.coerce.date(),
  updatedAt: z.coerce.date(),
  endedAt: z.coerce.date().nullable(),
});
export type WorkflowRun = z.infer<typeof WorkflowRun>;

export const WorkflowRunWithSteps = WorkflowRun.extend({ steps: z.array(WorkflowStep) });
export type WorkflowRunWithSteps = z.infer<typeof WorkflowRunWithSteps>;
