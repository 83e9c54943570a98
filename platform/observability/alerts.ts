/** An alert that is not over. */
export interface OpenAlert {
  state: "pending" | "firing";
  pendingAt: Date;
}

/** What is found of its condition now. */
export type Finding = "holds" | "does_not_hold" | "unknown";

export type Transition = "pending" | "firing" | "resolved";

/** What becomes of an alert: null where nothing does. What is unknown changes nothing: it neither fires nor resolves. */
export function nextTransition(open: OpenAlert | null, finding: Finding, forSeconds: number, now: Date): Transition | null {
  if (finding === "unknown") return null;
  if (finding === "does_not_hold") return open ? "resolved" : null;
  if (!open) return "pending";
  const held = (now.getTime() - open.pendingAt.getTime()) / 1000;
  return open.state === "pending" && held >= forSeconds ? "firing" : null;
}
