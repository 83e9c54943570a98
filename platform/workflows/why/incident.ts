import type { Way, Why, WhyFacts } from "./model.ts";
import { fact, nothing } from "./words.ts";

export function explainIncident({ incident, suspect, owner }: Extract<WhyFacts, { kind: "incident" }>): Why {
  const { id, title, state, escalation, acknowledged, resolved, review } = incident;
  const subject = { kind: "incident" as const, id, title, link: `/incidents/${id}` };
  const because = [
    fact(incident.alert ?? "report", incident.because === "" ? title : incident.because),
    ...(suspect ? [fact("suspect", `${suspect.title}: ${suspect.because}`)] : []),
  ];
  const back: Way[] = suspect?.wayBack
    ? [{ who: `a member of ${owner}, or an administrator`, what: suspect.wayBack.what, command: suspect.wayBack.command }]
    : [];
  if (resolved) {
    const summary = `It is over: ${resolved.because}`;
    if (review.state === "done") return { ...nothing, subject, state: "done", summary, because };
    const command = review.change === null ? `cairn incidents review ${id}` : `cairn merge ${review.change}`;
    const what = review.change === null ? "draft its review" : "fill in the draft of its review, and merge it";
    return { subject, state: "done", summary, because, unblock: [{ who: `a member of ${owner}`, what, command }], until: null };
  }
  if (state === "acknowledged") {
    const over = {
      who: acknowledged?.by ?? owner,
      what: "say that it is over, and what ended it",
      command: `cairn incidents resolve ${id} -b WHAT_ENDED_IT`,
    };
    return {
      subject,
      state: "waits",
      summary: `${acknowledged?.by ?? ""} looks at it; it waits for its end`,
      because,
      unblock: [...back, over],
      until: null,
    };
  }
  const told = escalation.told.join(", ") || "whoever is on call";
  return {
    subject,
    state: "waits",
    summary: `It waits for ${told} to acknowledge it${escalation.nextAt ? `; at ${escalation.nextAt.toISOString()} the next is told` : ""}`,
    because,
    unblock: [{ who: `${told}, or a member of ${owner}`, what: "take it", command: `cairn incidents ack ${id}` }, ...back],
    until: escalation.nextAt,
  };
}
