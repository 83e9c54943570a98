import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Digest } from "../kernel/digest.ts";
import type { Db } from "../kernel/sql.ts";
import { events, read } from "./store.ts";

const LedgerEvent = z.object({
  seq: z.number(),
  at: z.coerce.date(),
  type: z.string(),
  about: z.string(),
  actor: z.string(),
  data: z.record(z.string(), z.unknown()),
  hash: z.string(),
});

export const ledgerRoutes =
  ({ db }: { db: Db }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/ledger",
      {
        schema: {
          operationId: "listLedger",
          tags: ["ledger"],
          summary: "Who did what, newest first; with `after` oldest first from there",
          querystring: z.object({
            about: z.string().optional(),
            actor: z.string().optional(),
            type: z.string().optional(),
            after: z.coerce.number().int().min(0).optional(),
            before: z.coerce.number().int().min(1).optional(),
            limit: z.coerce.number().int().min(1).max(500).default(100),
          }),
          response: { 200: z.object({ events: z.array(LedgerEvent) }) },
        },
      },
      async (request) => {
        const { about, actor, type, after, before, limit } = request.query;
        await request.can("read");
        const found = await events(db, {
          limit,
          newestFirst: after === undefined,
          ...(about !== undefined && { about }),
          ...(actor !== undefined && { actor }),
          ...(type !== undefined && { types: [type] }),
          ...(after !== undefined && { afterSeq: after }),
          ...(before !== undefined && { beforeSeq: before }),
        });
        return { events: found };
      },
    );
    app.get(
      "/documents/:digest",
      {
        schema: {
          operationId: "getDocument",
          tags: ["ledger"],
          summary: "A document by its digest: the facts and rules that decisions rest on",
          params: z.object({ digest: z.string() }),
          response: { 200: z.object({ digest: z.string(), document: z.unknown() }) },
        },
      },
      async (request) => {
        await request.can("read");
        const { digest } = request.params;
        return { digest, document: await read(db, digest as Digest) };
      },
    );
  };
