import type { SigningSecrets } from "../notifications/webhooks.ts";
import type { SecretStore } from "../secrets/contract.ts";

/** The dot keeps it apart from every service, whose names have none. */
const PLACE = { service: "platform.webhooks", environment: "all" };
const refOf = (webhook: string) => ({ ...PLACE, name: webhook, key: "signing-secret" });

/** Keeps the signing secrets of webhooks where the secrets of services lie. */
export const signingSecretsIn = (secrets: SecretStore): SigningSecrets => ({
  set: async (webhook, secret) => void (await secrets.set(refOf(webhook), secret)),
  reveal: (webhook) => secrets.reveal(refOf(webhook)),
  remove: (webhook) => secrets.remove({ ...PLACE, name: webhook }),
});
