import type { Why, Reason, WhyFacts } from "./model.ts";
import { nothing, PLATFORM, fact, wayOf, commandIn, sentence, uncapitalised, listed } from "./words.ts";

export function explainRun({ run, inner }: Extract<WhyFacts, { kind: "run" }>): Why {
  const subject = {
    kind: "run" as const,
    id: run.id,
    title: `${sentence(run.workflow)}, about ${run.about}`,
    link: `/runs/${encodeURIComponent(run.id)}`,
  };
  if (run.state === "success") return { ...nothing, subject, state: "done", summary: "Every step succeeded" };
  if (run.state === "failed" || run.state === "rolled_back") {
    const step = run.steps.find(({ state }) => state === "failed");
    const undone = run.steps.filter(({ state }) => state === "rolled_back").map(({ name }) => name);
    const error = run.error;
    return {
      subject,
      state: "failed",
      summary: error ? error.message : `It failed in the step ${step?.name ?? run.currentStep ?? "before its first"}`,
      because: [
        ...(step ? [{ kind: "step" as const, name: step.name, says: step.detail || "failed" }] : []),
        ...(error ? [fact(error.code, error.message)] : []),
        ...(undone.length > 0 ? [fact("rolled back", `What had been done was undone: ${listed(undone)}`)] : []),
        ...(run.cancelled ? [fact("cancelled", `${run.cancelled.by}: ${run.cancelled.because}`)] : []),
        ...(inner?.because ?? []),
      ],
      unblock: [
        ...(error ? [{ who: "whoever started it", what: error.next, command: commandIn(error.next) }] : []),
        ...(inner?.unblock ?? []),
      ],
      until: null,
    };
  }
  const step =
    run.steps.find(({ name }) => name === run.currentStep) ?? run.steps.find(({ state }) => state === "running" || state === "waiting");
  if (run.state === "rolling_back")
    return {
      ...nothing,
      subject,
      state: "under_way",
      summary: "It undoes what it had done",
      because: step ? [{ kind: "step", name: step.name, says: step.detail }] : [],
      unblock: [{ who: PLATFORM, what: "ends by itself", command: null }],
    };
  if (!step)
    return {
      ...nothing,
      subject,
      state: "under_way",
      summary: "It has not begun its first step",
      unblock: [{ who: PLATFORM, what: "begins by itself", command: null }],
    };
  const here: Reason = {
    kind: "step",
    name: step.name,
    says: step.waitsFor ? `waits for ${step.waitsFor}` : step.detail || "is under way",
  };
  // What it works on knows better what it waits for.
  if (inner && inner.state !== "done")
    return { ...inner, subject, summary: `In the step ${step.name}: ${uncapitalised(inner.summary)}`, because: [here, ...inner.because] };
  if (step.waitsFor)
    return {
      subject,
      state: "waits",
      summary: `In the step ${step.name} it waits for ${step.waitsFor}`,
      because: [here],
      unblock: [wayOf(step.waitsFor)],
      until: null,
    };
  return {
    subject,
    state: "under_way",
    summary: `It is in the step ${step.name}${step.detail ? `: ${step.detail}` : ""}`,
    because: [here, ...(step.attempts > 1 ? [fact("attempts", `It is the attempt number ${step.attempts}`)] : [])],
    unblock: [{ who: PLATFORM, what: "goes on by itself", command: `cairn runs show "${run.id}" --watch` }],
    until: null,
  };
}
