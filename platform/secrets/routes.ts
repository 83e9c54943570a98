import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Db } from "../kernel/sql.ts";
import { secretKey, type SecretStore } from "./contract.ts";
import { environmentUnknown } from "./faults.ts";
import { SecretInfo, SecretName } from "./model.ts";
import { forgetUnused, secretsOf, setSecret, unsetSecret, type SecretTarget } from "./store.ts";

export interface SecretParts {
  db: Db;
  clock: Clock;
  secrets: SecretStore;
  /** Names of the platform's environments, in order. */
  environments: readonly string[];
  /** The owner of a service. Throws where there is no such service. */
  ownerOf: (service: string) => Promise<string>;
  /** Keys of set secrets that what was released last refers to; undefined where nothing was released that asks for any. */
  usedKeys: (target: SecretTarget) => Promise<string[] | undefined>;
}

const params = z.object({ name: z.string() });
const oneOf = params.extend({ secret: SecretName });
const SecretList = z.object({ secrets: z.array(SecretInfo) }).meta({ id: "SecretList" });
const environment = z.string().max(63).optional().describe("Without it: every environment");

/** Secrets that people set for their services. A value comes in here and leaves for the secret store alone: no answer, event, log line or plan holds it. */
export const secretRoutes =
  ({ db, clock, secrets, environments, ownerOf, usedKeys }: SecretParts): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/services/:name/secrets",
      {
        schema: {
          operationId: "listSecrets",
          tags: ["secrets"],
          summary: "Names of a service's secrets, who set them and when; never values",
          params,
          response: { 200: SecretList },
        },
      },
      async (request) => {
        const { name } = request.params;
        await request.can("read", { name, owner: await ownerOf(name) });
        return { secrets: await listed(name) };
      },
    );

    app.put(
      "/services/:name/secrets/:secret",
      {
        schema: {
          operationId: "setSecret",
          tags: ["secrets"],
          summary: "Set a secret; what runs keeps the value that it has until the next release",
          params: oneOf,
          body: z.strictObject({ value: z.string().describe("Up to 64 KiB of text; kept sealed, never shown again"), environment }),
          response: { 200: SecretList },
        },
      },
      async (request) => {
        const { name, secret } = request.params;
        await request.can("secret.set", { name, owner: await ownerOf(name) });
        const order = { service: name, environments: chosen(request.body.environment), name: secret };
        await setSecret({ db, clock, secrets }, request.principal.ref, { ...order, value: request.body.value });
        await sweep(order);
        const isOf = (one: SecretInfo) => one.name === secret && order.environments.includes(one.environment);
        return { secrets: (await listed(name)).filter(isOf) };
      },
    );

    app.delete(
      "/services/:name/secrets/:secret",
      {
        schema: {
          operationId: "unsetSecret",
          tags: ["secrets"],
          summary: "Take a secret away from the releases to come",
          params: oneOf,
          querystring: z.object({ environment }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { name, secret } = request.params;
        await request.can("secret.set", { name, owner: await ownerOf(name) });
        const order = { service: name, environments: chosen(request.query.environment), name: secret };
        await unsetSecret({ db, clock }, request.principal.ref, order);
        await sweep(order);
        return reply.code(204).send(null);
      },
    );

    function chosen(named: string | undefined): readonly string[] {
      if (named === undefined) return environments;
      if (!environments.includes(named)) throw environmentUnknown(named, environments);
      return [named];
    }

    /** What was released may need its versions again, and goes through the next promotion; where nothing was, they go at once. */
    async function sweep(order: { service: string; environments: readonly string[] }): Promise<void> {
      for (const one of order.environments) {
        const target = { service: order.service, environment: one };
        if ((await usedKeys(target)) === undefined) await forgetUnused(db, secrets, target, []);
      }
    }

    async function listed(service: string): Promise<SecretInfo[]> {
      const used = new Map<string, string[]>();
      for (const one of environments) used.set(one, (await usedKeys({ service, environment: one })) ?? []);
      return (await secretsOf(db, service)).map((row) => {
        const keys = used.get(row.environment) ?? [];
        const named = keys.some((key) => key.startsWith(`${row.name}.`));
        return { ...row, use: keys.includes(secretKey(row.name, row.version)) ? "current" : named ? "older" : "unused" };
      });
    }
  };
