import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { ADMINISTRATORS, type Bundle } from "./bundle.ts";
import { exceptionEnvironment } from "./faults.ts";
import { endException, Exception, findException, grantersOf, grantException, listExceptions } from "./exceptions.ts";

const Because = z.string().trim().min(10, "say why, in ten letters at least").max(1000);
const Order = z.strictObject({
  service: z.string().regex(/^[a-z][a-z0-9-]*$/).max(63), // prettier-ignore
  /** Every environment where it is left out. */
  environment: z.string().min(1).max(63).optional(),
  rules: z.array(z.string().min(1).max(100)).min(1).max(50),
  /** When it ends: it must. */
  until: z.iso.datetime({ offset: true }),
  because: Because,
});
const ExceptionList = z.object({ exceptions: z.array(Exception) });

export interface ExceptionParts {
  db: Db;
  clock: Clock;
  bundle: Bundle;
  environments: readonly string[];
  /** The owning group of a service; undefined where the catalog knows none. */
  ownerOf: (service: string) => Promise<string | undefined>;
  /** Whose work an exception would let through: the authors of the service's changes that are open or were merged last. */
  authorsOf: (service: string) => Promise<string[]>;
}

/** Leave to go on although rules refuse, granted by somebody who has no part in it, with an end. */
export const exceptionRoutes =
  ({ db, clock, bundle, environments, ownerOf, authorsOf }: ExceptionParts): FastifyPluginAsyncZod =>
  async (app) => {
    const tags = ["policy"];
    const one = z.object({ id: z.string() });

    app.get(
      "/exceptions",
      {
        schema: {
          operationId: "listExceptions",
          tags,
          summary: "Exceptions from rules, newest first",
          querystring: z.object({ service: z.string().optional(), holding: z.stringbool().optional() }),
          response: { 200: ExceptionList },
        },
      },
      async (request) => {
        await request.can("read");
        return { exceptions: await listExceptions(db, clock.now(), request.query) };
      },
    );

    app.post(
      "/exceptions",
      {
        schema: {
          operationId: "grantException",
          tags,
          summary: "Grant a service an exception from rules, until a time",
          body: Order,
          response: { 201: Exception },
        },
      },
      async (request, reply) => {
        const { environment = null, until, ...order } = request.body;
        const granters = grantersOf(bundle, order.rules);
        await request.can("exception.grant", {
          name: order.service,
          grantedBy: granters.filter((granter) => granter !== ADMINISTRATORS),
          authors: await authorsOf(order.service),
        });
        if (environment !== null && !environments.includes(environment)) throw exceptionEnvironment(environment, environments);
        const granted = { ...order, environment, until: new Date(until) };
        return reply.code(201).send(await transact(db, (tx) => grantException(tx, clock, request.principal.ref, bundle, granted)));
      },
    );

    app.get(
      "/exceptions/:id",
      { schema: { operationId: "getException", tags, summary: "An exception", params: one, response: { 200: Exception } } },
      async (request) => {
        await request.can("read");
        return findException(db, request.params.id, clock.now());
      },
    );

    app.post(
      "/exceptions/:id/end",
      {
        schema: {
          operationId: "endException",
          tags,
          summary: "End an exception before its time",
          params: one,
          body: z.strictObject({ because: Because }),
          response: { 200: Exception },
        },
      },
      async (request) => {
        const { service, rules } = await findException(db, request.params.id, clock.now());
        const owner = await ownerOf(service);
        const known = rules.filter((rule) => bundle.rules.some(({ name }) => name === rule));
        const grantedBy = grantersOf(bundle, known).filter((granter) => granter !== ADMINISTRATORS);
        await request.can("exception.end", { name: service, grantedBy, ...(owner !== undefined && { owner }) });
        return transact(db, (tx) => endException(tx, clock, request.principal.ref, request.params.id, request.body.because));
      },
    );
  };
