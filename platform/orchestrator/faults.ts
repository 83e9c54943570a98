import { Fault, isFault, messageOf, type FaultKind } from "../kernel/faults.ts";

export const runUnknown = (id: string) =>
  new Fault("not_found", "orchestrator.run_unknown", `There is no run ${id}`, "List the runs to find the one you mean.");

export const runEnded = (id: string, state: string) =>
  new Fault("conflict", "orchestrator.run_ended", `Run ${id} has ended: ${state}`, "Nothing is left to cancel. Look at its result.");

export const pastReturn = (id: string) =>
  new Fault(
    "conflict",
    "orchestrator.past_return",
    `Run ${id} has passed the point of no return`,
    "Let it finish; then undo what it did by a change of its own.",
  );

export const cancelled = (because: string, by: string) =>
  new Fault("conflict", "orchestrator.cancelled", `Cancelled by ${by}: ${because}`, "Start it again when the reason is gone.");

export const stepTimedOut = (name: string, seconds: number) =>
  new Fault(
    "failed",
    "orchestrator.step_timed_out",
    `Step "${name}" was not done after ${seconds} s`,
    "See how far it came in its detail and in the log, then start it again.",
  );

export const stepsOverlap = (name: string) =>
  new Fault(
    "failed",
    "orchestrator.steps_overlap",
    `"${name}" began before the step before it had ended`,
    "Await every call on run before the next. This is a defect of the workflow.",
  );

export const resultNotData = (step: string, because: string) =>
  new Fault(
    "failed",
    "orchestrator.result_not_data",
    `What step "${step}" gave can't be kept: ${because}`,
    "Return plain data from the step, or nothing. This is a defect of the workflow.",
  );

export const workflowChanged = (id: string, expected: string, found: string) =>
  new Fault(
    "failed",
    "orchestrator.workflow_changed",
    `Run ${id} recorded "${found}" where its workflow now has "${expected}"`,
    "The workflow was changed while this run was under way. Undo by hand what its steps did, and start it again.",
  );

export const workflowUnknown = (name: string) =>
  new Fault(
    "failed",
    "orchestrator.workflow_unknown",
    `This process knows no workflow "${name}"`,
    "Give it to startOrchestrator, or start the version of the platform that has it.",
  );

export const startedOtherwise = (id: string, name: string) =>
  new Fault("conflict", "orchestrator.id_taken", `Run ${id} is of another workflow: "${name}"`, "Choose another id.");

/** Whatever was thrown, as a fault. */
export const faultOf = (error: unknown): Fault =>
  isFault(error)
    ? error
    : new Fault(
        "failed",
        "orchestrator.step_failed",
        messageOf(error),
        "See the log of the server for where it came from, then start it again.",
      );

export const stopping = () =>
  new Fault("unavailable", "orchestrator.stopping", "This process is stopping", "Ask again: what is under way goes on at the next start.");

/** A fault as a checkpoint keeps it: field by field, so that it comes back as one. */
export interface KeptFault {
  kind: FaultKind;
  code: string;
  message: string;
  next: string;
  facts: Record<string, unknown>;
}

export const keep = (fault: Fault): KeptFault => ({
  kind: fault.kind,
  code: fault.code,
  message: fault.message,
  next: fault.next,
  facts: fault.facts,
});
export const revive = (kept: KeptFault): Fault => new Fault(kept.kind, kept.code, kept.message, kept.next, kept.facts);
