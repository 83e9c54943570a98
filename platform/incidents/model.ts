import { z } from "zod";

export const IncidentState = z.enum(["open", "acknowledged", "resolved"]);
export type IncidentState = z.infer<typeof IncidentState>;

/** `page`: somebody must look now. `ticket`: in working hours. */
export const Severity = z.enum(["page", "ticket"]);
export type Severity = z.infer<typeof Severity>;

const Said = z.object({ by: z.string(), at: z.coerce.date() });

/** Something is wrong with a service, and somebody answers for it until it is over. */
export const Incident = z
  .object({
    id: z.string(),
    title: z.string(),
    /** Null where what reported it named no service that the catalog knows. */
    service: z.string().nullable(),
    environment: z.string().nullable(),
    /** Name of the SLO or of Alertmanager's alert; null where a person opened it. */
    alert: z.string().nullable(),
    source: z.enum(["slo", "alertmanager", "person"]),
    severity: Severity,
    state: IncidentState,
    because: z.string(),
    /** When its condition began to hold, as far as is known. */
    beganAt: z.coerce.date(),
    openedAt: z.coerce.date(),
    openedBy: z.string(),
    acknowledged: Said.nullable(),
    resolved: Said.extend({ because: z.string() }).nullable(),
    /** Alerts of its severity that fire now, and how often any began to fire. */
    firing: z.int(),
    fired: z.int(),
    /** 1, and one more each time that it opened again. */
    round: z.int(),
    escalation: z.object({
      /** 0 where whoever is on call was told; one more each time that nobody acknowledged. */
      level: z.int(),
      told: z.array(z.string()),
      /** When the next is told; null where nobody is left, or it was acknowledged. */
      nextAt: z.coerce.date().nullable(),
    }),
    /** What was learnt: nothing yet, a draft in a change request, or merged. */
    review: z.object({ state: z.enum(["none", "drafted", "done"]), change: z.string().nullable() }),
    /** An address of what reported it, where it gave one. */
    link: z.string().nullable(),
  })
  .meta({ id: "Incident" });
export type Incident = z.infer<typeof Incident>;

/** A way back from a change: one operation of the API, or what a person does. */
export const WayBack = z.object({
  what: z.string(),
  /** The command for it. */
  command: z.string(),
  /** The operation for it, where one alone does it; `because` is for whoever asks to say. */
  operation: z.object({ method: z.enum(["POST", "PUT", "DELETE"]), path: z.string(), body: z.record(z.string(), z.unknown()) }).nullable(),
});
export type WayBack = z.infer<typeof WayBack>;

/** A change that may have caused it. */
export const Suspect = z
  .object({
    kind: z.enum(["release", "dependency_release", "infrastructure", "policy", "secret", "catalog"]),
    /** The release, the resource, the rule. */
    id: z.string(),
    title: z.string(),
    service: z.string().nullable(),
    environment: z.string().nullable(),
    at: z.coerce.date(),
    by: z.string(),
    /** From 0 to 1, the likeliest first: for the order, no probability. */
    weight: z.number(),
    because: z.string(),
    /** A page of the portal. */
    link: z.string(),
    wayBack: WayBack.nullable(),
  })
  .meta({ id: "Suspect" });
export type Suspect = z.infer<typeof Suspect>;

export const TimelineEntry = z
  .object({
    seq: z.int(),
    at: z.coerce.date(),
    type: z.string(),
    actor: z.string(),
    /** One sentence. */
    text: z.string(),
    link: z.string().nullable(),
  })
  .meta({ id: "IncidentTimelineEntry" });
export type TimelineEntry = z.infer<typeof TimelineEntry>;
