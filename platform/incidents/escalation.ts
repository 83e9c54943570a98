import type { EscalationStep, Rotation } from "../catalog/rotation.ts";
import type { Tier } from "../catalog/model.ts";
import type { Severity } from "./model.ts";
import { nextOnCall, onCallAt, type OnCall } from "./on-call.ts";

/** How long whoever was told has to acknowledge, where their rotation does not say. */
const MINUTES: Record<Tier, number> = { "tier-1": 5, "tier-2": 15, "tier-3": 60 };
/** What is no page waits for the next working day. */
const TICKET_MINUTES = 24 * 60;

/** Who is told next, why, and how long they have until the one after. */
export interface Page {
  /** 0 for whoever is on call, then one more each time. */
  level: number;
  /** References of people, or of the group where all of it is told. */
  audience: string[];
  because: string;
  /** Until the next is told; null where nobody is left. */
  seconds: number | null;
}

/** The steps after whoever is on call: as their rotation says, or the next of it and then all of the group, after the minutes of the tier. */
export function stepsOf(rotation: Rotation | undefined, tier: Tier, severity: Severity): EscalationStep[] {
  if (severity === "ticket") return [{ afterMinutes: TICKET_MINUTES, to: "group" }];
  if (rotation?.escalation) return rotation.escalation;
  const afterMinutes = MINUTES[tier];
  return rotation
    ? [
        { afterMinutes, to: "next" },
        { afterMinutes, to: "group" },
      ]
    : [{ afterMinutes, to: "group" }];
}

/**
 * Who is told at a level of the escalation, by who is on call and in the group at this moment. A step whose people have all been told already is passed over.
 * Where there is no group, or nobody in it, administrators are told, once. Undefined where nobody is left to be told.
 */
export function pageAt(
  level: number,
  facts: {
    group: string | undefined;
    rotation: Rotation | undefined;
    members: readonly string[];
    steps: readonly EscalationStep[];
    /** Who was told before, in this round. */
    told: readonly string[];
    administrators: string;
    now: Date;
  },
): Page | undefined {
  const { group, rotation, members, steps, told, now } = facts;
  const secondsAfter = (at: number): number | null => {
    const step = steps[at];
    return step === undefined ? null : step.afterMinutes * 60;
  };
  if (group === undefined || members.length === 0) {
    if (level > 0) return undefined;
    const because = group === undefined ? "it has no owner in the catalog" : `nobody is in ${group}`;
    return { level, audience: [facts.administrators], because, seconds: null };
  }
  if (level === 0) {
    const onCall: OnCall = onCallAt(group, rotation, members, now);
    return { level, audience: onCall.people, because: onCall.because, seconds: secondsAfter(0) };
  }
  const step = steps[level - 1];
  if (!step) return undefined;
  const minutes = `nobody acknowledged it within ${step.afterMinutes} min`;
  const next = step.to === "next" ? nextOnCall(rotation, members, told, now) : undefined;
  if (next !== undefined)
    return { level, audience: [next], because: `${minutes}; next in ${rotation?.name}`, seconds: secondsAfter(level) };
  return { level, audience: [group], because: `${minutes}; all of the group is asked`, seconds: secondsAfter(level) };
}
