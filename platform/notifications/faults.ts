import { Fault } from "../kernel/faults.ts";

export const webhookMissing = (id: string) =>
  new Fault("not_found", "notifications.webhook_missing", `There is no webhook ${id}`, "List them: cairn webhooks list");

export const deliveryMissing = (id: string) =>
  new Fault("not_found", "notifications.delivery_missing", `There is no delivery ${id}`, "List them: cairn webhooks deliveries WEBHOOK");

export const deliveryPending = (id: string) =>
  new Fault(
    "conflict",
    "notifications.delivery_pending",
    `Delivery ${id} is still being tried`,
    "Wait for its next attempt; the list shows when.",
  );

export const webhookDisabled = (id: string, because: string) =>
  new Fault(
    "precondition",
    "notifications.webhook_disabled",
    `Webhook ${id} is switched off: ${because}`,
    "Remove it, and add it anew once its receiver answers.",
  );

export const webhookUrlRefused = (url: string, because: string, next: string) =>
  new Fault("invalid", "notifications.webhook_url", `${url} can't be a webhook: ${because}`, next);

export const addressRefused = (host: string, address: string, because: string) =>
  new Fault(
    "forbidden",
    "notifications.address_refused",
    `${host} is at ${address}, which is ${because}`,
    "Webhooks go to public addresses; one on this very machine must have been added with --this-machine.",
  );
