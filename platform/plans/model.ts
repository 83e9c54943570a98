import { z } from "zod";

/** One thing that a plan makes, changes or removes, whichever subject it belongs to. */
export const PlannedChange = z.object({
  kind: z.enum(["repository", "file", "change_request", "entity", "resource", "release"]),
  action: z.enum(["create", "update", "delete", "none"]),
  /** What: a path, an entity reference, a resource address. */
  id: z.string(),
  environment: z.string().nullable().default(null),
  detail: z.string().default(""),
});
export type PlannedChange = z.infer<typeof PlannedChange>;

export const PlanKind = z.enum(["create-service", "deliver", "decommission-service"]);
export type PlanKind = z.infer<typeof PlanKind>;

/**
 * What will change, on what basis, at what cost, under which decisions, with its unknowns named. Content-addressed: its digest is what is approved and
 * applied. `payload` is what the workflow of its kind needs to carry it out, whole: nothing is rendered a second time.
 */
export const Plan = z.object({
  kind: PlanKind,
  /** Entity reference: `component:default/orders`. */
  about: z.string(),
  title: z.string(),
  /** What it was made on, by name: applying compares them with what holds then, and refuses where one differs. */
  basis: z.record(z.string(), z.string()),
  changes: z.array(PlannedChange),
  cost: z.object({ monthly: z.number().nullable(), currency: z.string(), unknown: z.array(z.string()) }),
  decisions: z.array(
    z.object({
      point: z.string(),
      environment: z.string().nullable(),
      outcome: z.enum(["allow", "warn", "deny"]),
      /** As policy answers: see its RuleResult. */
      results: z.array(
        z.object({
          rule: z.string(),
          outcome: z.string(),
          subject: z.string().default(""),
          message: z.string(),
          fix: z.string(),
          mode: z.string().default("enforce"),
          exceptionsBy: z.array(z.string()).default([]),
          relievedBy: z.string().nullable().default(null),
        }),
      ),
    }),
  ),
  rollout: z.array(z.object({ environment: z.string(), stepsPercent: z.array(z.number()), gates: z.array(z.string()) })),
  /** What can't be known before applying, one sentence each. */
  unknowns: z.array(z.string()),
  /** How it is undone; approving the plan approves that. */
  rollback: z.string(),
  payload: z.record(z.string(), z.unknown()),
});
export type Plan = z.infer<typeof Plan>;

export const PlanState = z.enum(["open", "applied", "stale"]);
export type PlanState = z.infer<typeof PlanState>;

/** What a plan says of its approval, in `payload.approval`; null or left out where it needs none. */
export const ApprovalWanted = z.object({
  /** Reference of the group that answers for what it changes. */
  owner: z.string(),
  /** Who took part in it, sorted: they can't approve it. */
  authors: z.array(z.string()),
});
export type ApprovalWanted = z.infer<typeof ApprovalWanted>;

export const PlanApproval = z.object({
  by: z.string(),
  at: z.coerce.date(),
  /** Who made the token that it was given with, where that was somebody else. */
  tokenBy: z.string().nullable(),
});
export type PlanApproval = z.infer<typeof PlanApproval>;

export const PlanRow = z.object({
  digest: z.string(),
  state: PlanState,
  createdBy: z.string(),
  createdAt: z.coerce.date(),
  appliedBy: z.string().nullable(),
  /** The workflow run that carries it out. */
  run: z.string().nullable(),
  /** Approvals of exactly this digest. */
  approvals: z.array(PlanApproval),
});
