import { z } from "zod";
import { localTime, timeZone } from "../kernel/local-time.ts";

/** The version that a Rotation is written in: a kind of Cairn's own beside those of Backstage. */
export const ROTATION_API_VERSION = "cairn.dev/v1alpha1";

const person = z.string().min(1).max(200);

/** Who is told where nobody has acknowledged: the next of the rotation, or everybody in the group. */
const EscalationStep = z.strictObject({
  /** Since the step before; since the incident was opened for the first one. */
  afterMinutes: z.number().int().min(1).max(10_080),
  to: z.enum(["next", "group"]),
});
export type EscalationStep = z.infer<typeof EscalationStep>;

/**
 * Who of a group is on call, when. The field names are those that schedules as code have elsewhere: members take turns from `start` on, each for
 * `interval` days or weeks. Times are those on the wall in the named zone.
 */
export const RotationSpec = z.strictObject({
  owner: z.string().min(1).max(200),
  timeZone,
  /** The first handover: its hour, and of a weekly rotation its day of the week, are those of every handover. */
  start: localTime,
  frequency: z.enum(["daily", "weekly"]).default("weekly"),
  interval: z.number().int().min(1).max(52).default(1),
  members: z.array(person).min(1, "name at least one member").max(100),
  /** Somebody else for a while; of several that hold at once the last one. */
  overrides: z
    .array(
      z.strictObject({ person, from: localTime, until: localTime }).refine(({ from, until }) => from < until, "it ends before it begins"),
    )
    .max(500)
    .default([]),
  /** Left out, the tier of the service decides. */
  escalation: z.array(EscalationStep).max(10).optional(),
});
export type RotationSpec = z.infer<typeof RotationSpec>;

/** A rotation as it is kept, with full references. */
export const Rotation = z
  .object({
    name: z.string(),
    title: z.string(),
    /** Reference of the group whose services it answers for. */
    group: z.string(),
    timeZone: z.string(),
    start: z.string(),
    frequency: z.enum(["daily", "weekly"]),
    interval: z.int(),
    /** In the order in which they take turns. */
    members: z.array(z.string()),
    overrides: z.array(z.object({ person: z.string(), from: z.string(), until: z.string() })),
    escalation: z.array(EscalationStep).nullable(),
  })
  .meta({ id: "Rotation" });
export type Rotation = z.infer<typeof Rotation>;
