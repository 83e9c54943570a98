import { z } from "zod";

/** What people are told of. The name is also a webhook's event type. */
export const NoticeKind = z.enum([
  "approval.wanted",
  "check.failed",
  "release.refused",
  "release.held",
  "release.rolled_back",
  "release.failed",
  "break_glass.opened",
  "break_glass.follow_up",
  "break_glass.reviewed",
  "evidence.revoked",
  "runtime.found",
  "runtime.attempt_refused",
  "policy.breached",
  "incident.opened",
  "incident.paged",
  "incident.acknowledged",
  "incident.resolved",
  "webhook.test",
]);
export type NoticeKind = z.infer<typeof NoticeKind>;

/** Stands in an audience for everybody who is an administrator now. */
export const ADMINISTRATORS = "administrators";

/** Something that people must know, worded for them. */
export interface Notice {
  /** What it is told of, so that it is told once: the same key again is the same notice. */
  key: string;
  kind: NoticeKind;
  title: string;
  body: string;
  /** Where to look: a path of the portal. */
  link: string;
  /** What it is about, as the ledger names it. */
  about: string;
  /** References of groups and people, and `administrators`. */
  audience: string[];
  /** Who need not be told: they did it. */
  except: string[];
  /** Somebody should look now. */
  urgent: boolean;
}

export const InboxItem = z
  .object({
    id: z.string(),
    kind: NoticeKind,
    title: z.string(),
    body: z.string(),
    link: z.string(),
    about: z.string(),
    audience: z.array(z.string()),
    urgent: z.boolean(),
    at: z.coerce.date(),
    readAt: z.coerce.date().nullable(),
  })
  .meta({ id: "InboxItem" });
export type InboxItem = z.infer<typeof InboxItem>;

export const Webhook = z
  .object({
    id: z.string(),
    url: z.string(),
    description: z.string(),
    /** Event types; empty for all. */
    kinds: z.array(NoticeKind),
    /** It may lie on this very machine. Other private addresses are never called. */
    thisMachine: z.boolean(),
    createdBy: z.string(),
    createdAt: z.coerce.date(),
    /** Since when nothing is sent, and why. */
    disabled: z.object({ at: z.coerce.date(), because: z.string() }).nullable(),
  })
  .meta({ id: "Webhook" });
export type Webhook = z.infer<typeof Webhook>;

export const DeliveryState = z.enum(["pending", "delivered", "given_up"]);

export const Delivery = z
  .object({
    /** The message's id: the same in every attempt, so that a receiver can tell a repetition. */
    id: z.string(),
    webhook: z.string(),
    kind: NoticeKind,
    state: DeliveryState,
    createdAt: z.coerce.date(),
    /** When it is tried next; null when it is over. */
    nextAt: z.coerce.date().nullable(),
    attempts: z.array(
      z.object({
        number: z.int(),
        at: z.coerce.date(),
        /** The receiver's answer; null where there was none. */
        status: z.int().nullable(),
        detail: z.string(),
        seconds: z.number(),
      }),
    ),
  })
  .meta({ id: "WebhookDelivery" });
export type Delivery = z.infer<typeof Delivery>;
