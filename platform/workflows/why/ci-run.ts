import type { Why, WhyFacts } from "./model.ts";
import { nothing, PLATFORM, fact, counted, sentence } from "./words.ts";

export function explainCi({ run, ahead }: Extract<WhyFacts, { kind: "ci-run" }>): Why {
  const subject = {
    kind: "ci-run" as const,
    id: run.id,
    title: `CI of ${run.repository} at ${run.commit.slice(0, 12)}`,
    link: `/ci-runs/${run.id}`,
  };
  if (run.state === "queued")
    return {
      subject,
      state: "waits",
      summary: ahead > 0 ? `It waits in the queue behind ${counted(ahead, "run")}` : "It is next in the queue",
      because: [fact("queue", "CI makes a few runs at once, in the order in which they were asked for")],
      unblock: [{ who: PLATFORM, what: "begins it when those before it have ended", command: null }],
      until: null,
    };
  if (run.state === "running") {
    const stage = run.stages.find(({ state }) => state === "running");
    const says = stage ? `It is at ${stage.name}${stage.command ? `: ${stage.command}` : ""}` : "It has begun";
    return {
      subject,
      state: "under_way",
      summary: says,
      because: run.stages
        .filter(({ state }) => state === "running" || state === "passed")
        .map(({ name, state }) => ({ kind: "step", name, says: state })),
      unblock: [{ who: PLATFORM, what: "ends it by itself, at its time limit at the latest", command: null }],
      until: null,
    };
  }
  if (run.state === "passed") return { ...nothing, subject, state: "done", summary: "Every stage passed" };
  const failed = run.stages.filter(({ state }) => state === "failed");
  return {
    subject,
    state: "failed",
    summary: sentence(run.because ?? "it failed"),
    because: failed.map(({ name, detail, command }) => ({ kind: "step", name, says: detail ?? command ?? "failed" })),
    unblock: [
      run.purpose === "change"
        ? { who: "the author", what: "mend it and push to the branch", command: "git push" }
        : { who: "the owning team", what: "mend it by another change request", command: null },
    ],
    until: null,
  };
}
