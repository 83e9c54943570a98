import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Principal } from "../identity/model.ts";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { Delivery, InboxItem, NoticeKind, Webhook } from "./model.ts";
import { inbox, markRead, type Reader } from "./store.ts";
import { addWebhook, deliveries, queueTest, removeWebhook, retryDelivery, webhooks, type SigningSecrets } from "./webhooks.ts";

const Inbox = z
  .object({
    items: z.array(InboxItem),
    /** Of all that is addressed to the caller, however many are in this page. */
    unread: z.int(),
    /** What to pass as `before` for the next page; null where this is the last. */
    next: z.string().nullable(),
  })
  .meta({ id: "Inbox" });

const NewWebhook = z.strictObject({
  url: z.string().min(1).max(2000),
  description: z.string().max(200).default(""),
  kinds: z.array(NoticeKind).max(50).default([]).describe("empty for all"),
  thisMachine: z.boolean().default(false).describe("it may lie on this very machine"),
});
const WebhookAdded = z
  .object({ webhook: Webhook, secret: z.string().describe("signs what is sent; shown this once") })
  .meta({ id: "WebhookAdded" });

const readerOf = ({ ref, groups, administrator }: Principal): Reader => ({ ref, groups, administrator });

/** Everybody's own inbox; webhooks for administrators. */
export const notificationsRoutes =
  ({ db, clock, secrets }: { db: Db; clock: Clock; secrets: SigningSecrets }): FastifyPluginAsyncZod =>
  async (app) => {
    const tags = ["notifications"];
    const one = z.object({ id: z.string() });

    app.get(
      "/inbox",
      {
        schema: {
          operationId: "listInbox",
          tags,
          summary: "What the caller must know, newest first",
          querystring: z.object({
            unread: z.stringbool().optional(),
            before: z.string().optional(),
            limit: z.coerce.number().int().min(1).max(200).default(50),
          }),
          response: { 200: Inbox },
        },
      },
      async (request) => {
        await request.can("read");
        return inbox(db, readerOf(request.principal), request.query);
      },
    );

    app.post(
      "/inbox/read",
      {
        schema: {
          operationId: "markInboxRead",
          tags,
          summary: "Mark as read: the ones named, or all",
          body: z.strictObject({ ids: z.union([z.literal("all"), z.array(z.string().max(60)).max(500)]) }),
          response: { 200: z.object({ marked: z.int() }) },
        },
      },
      async (request) => {
        await request.can("inbox.mark");
        const { ids } = request.body;
        return { marked: await transact(db, (tx) => markRead(tx, clock, readerOf(request.principal), ids)) };
      },
    );

    app.get(
      "/webhooks",
      {
        schema: { operationId: "listWebhooks", tags, summary: "Webhooks", response: { 200: z.object({ webhooks: z.array(Webhook) }) } },
      },
      async (request) => {
        await request.can("platform.administer");
        return { webhooks: await webhooks(db) };
      },
    );

    app.post(
      "/webhooks",
      {
        schema: {
          operationId: "addWebhook",
          tags,
          summary: "Send notices to an address, signed; the secret is shown once",
          body: NewWebhook,
          response: { 201: WebhookAdded },
        },
      },
      async (request, reply) => {
        await request.can("platform.administer");
        return reply.code(201).send(await addWebhook(db, clock, secrets, request.principal.ref, request.body));
      },
    );

    app.delete(
      "/webhooks/:id",
      {
        schema: { operationId: "removeWebhook", tags, summary: "Remove a webhook with its log", params: one, response: { 204: z.null() } },
      },
      async (request, reply) => {
        await request.can("platform.administer");
        await removeWebhook(db, clock, secrets, request.principal.ref, request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.post(
      "/webhooks/:id/test",
      {
        schema: {
          operationId: "testWebhook",
          tags,
          summary: "Send a message that means nothing",
          params: one,
          response: { 202: Delivery },
        },
      },
      async (request, reply) => {
        await request.can("platform.administer");
        return reply.code(202).send(await transact(db, (tx) => queueTest(tx, clock, request.principal.ref, request.params.id)));
      },
    );

    app.get(
      "/webhooks/:id/deliveries",
      {
        schema: {
          operationId: "listWebhookDeliveries",
          tags,
          summary: "What was sent to a webhook, and how each attempt went; newest first",
          params: one,
          response: { 200: z.object({ deliveries: z.array(Delivery) }) },
        },
      },
      async (request) => {
        await request.can("platform.administer");
        return { deliveries: await deliveries(db, request.params.id) };
      },
    );

    app.post(
      "/webhooks/:id/deliveries/:delivery/retry",
      {
        schema: {
          operationId: "retryWebhookDelivery",
          tags,
          summary: "Try a message once more",
          params: z.object({ id: z.string(), delivery: z.string() }),
          response: { 202: Delivery },
        },
      },
      async (request, reply) => {
        await request.can("platform.administer");
        const { id, delivery } = request.params;
        return reply.code(202).send(await transact(db, (tx) => retryDelivery(tx, clock, request.principal.ref, id, delivery)));
      },
    );
  };
