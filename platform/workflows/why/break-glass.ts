import type { Why, WhyFacts } from "./model.ts";
import { nothing, fact } from "./words.ts";

export function explainBreakGlass({ glass, state, owner }: Extract<WhyFacts, { kind: "break-glass" }>): Why {
  const where = `${glass.service}${glass.environment === null ? "" : ` in ${glass.environment}`}`;
  const subject = { kind: "break-glass" as const, id: glass.id, title: `Break-glass for ${where}`, link: `/break-glass/${glass.id}` };
  const because = [
    fact("reason", `${glass.openedBy}: ${glass.because}`),
    fact("witnesses", glass.witnesses.join(", ") || "there was no second person to tell"),
  ];
  if (state === "open")
    return {
      subject,
      state: "under_way",
      summary: `It is open until ${glass.until.toISOString()}`,
      because,
      unblock: [
        {
          who: `a member of ${owner}, or an administrator`,
          what: "end it sooner",
          command: `cairn break-glass close ${glass.id} -b REASON`,
        },
      ],
      until: glass.until,
    };
  if (state === "reviewed")
    return {
      ...nothing,
      subject,
      state: "done",
      summary: `It was reviewed by ${glass.review?.by ?? ""}: ${glass.review?.because ?? ""}`,
      because,
    };
  return {
    subject,
    state: "waits",
    summary: `It is over and waits for a review by somebody other than ${glass.openedBy}`,
    because,
    unblock: [
      {
        who: `a member of ${owner}, or an administrator, except ${glass.openedBy}`,
        what: "look at what was done under it (cairn break-glass show), and say what you found",
        command: `cairn break-glass review ${glass.id} -b FINDING`,
      },
    ],
    until: null,
  };
}
