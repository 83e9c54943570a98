import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Digest } from "../kernel/digest.ts";
import type { Db } from "../kernel/sql.ts";
import { CheckpointLine, type Checkpoints } from "./checkpoints.ts";
import { LedgerLine } from "./model.ts";
import { events, read } from "./store.ts";

const Audit = z.object({
  holds: z.boolean(),
  lines: z.number(),
  seq: z.number(),
  hash: z.string(),
  checkpoints: z.number(),
  coveredTo: z.number(),
  faults: z.array(z.object({ seq: z.number(), because: z.string() })),
});

const SignedCheckpoints = z.object({ publicKey: z.string(), checkpoints: z.array(CheckpointLine) });

export const ledgerRoutes =
  ({ db, checkpoints, publicKey }: { db: Db; checkpoints: Checkpoints; publicKey: string }): FastifyPluginAsyncZod =>
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
          response: { 200: z.object({ events: z.array(LedgerLine) }) },
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
    app.post(
      "/ledger/verify",
      {
        schema: {
          operationId: "verifyLedger",
          tags: ["ledger"],
          summary: "Read the whole ledger, and name what was changed, removed or put in; where it holds, it is signed to its end",
          response: { 200: Audit },
        },
      },
      async (request) => {
        await request.can("read");
        return checkpoints.verify();
      },
    );
    app.get(
      "/ledger/checkpoints",
      {
        schema: {
          operationId: "listCheckpoints",
          tags: ["ledger"],
          summary: "What the platform signed about the ledger, oldest first, and the key to check it with",
          response: { 200: SignedCheckpoints },
        },
      },
      async (request) => {
        await request.can("read");
        return { publicKey, checkpoints: await checkpoints.all() };
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
