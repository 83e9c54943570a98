import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Db } from "../kernel/sql.ts";
import { CiRun } from "./contract.ts";
import { LogPart, readLog } from "./log-file.ts";
import { find, list } from "./store.ts";

const params = z.object({ id: z.string() });

/** `folder` is the runner's: the logs lie in it. */
export const ciRoutes =
  ({ db, folder }: { db: Db; folder: string }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/ci-runs",
      {
        schema: {
          operationId: "listCiRuns",
          tags: ["ci"],
          summary: "CI runs, newest first",
          querystring: z.object({
            repository: z.string().optional(),
            commit: z.string().optional(),
            limit: z.coerce.number().int().min(1).max(200).default(50),
          }),
          response: { 200: z.object({ runs: z.array(CiRun) }) },
        },
      },
      async (request) => {
        await request.can("read");
        const { repository, commit, limit } = request.query;
        return {
          runs: await list(db, { limit, ...(repository !== undefined && { repository }), ...(commit !== undefined && { commit }) }),
        };
      },
    );
    app.get(
      "/ci-runs/:id",
      {
        schema: {
          operationId: "getCiRun",
          tags: ["ci"],
          summary: "A CI run with its stages as they are now",
          params,
          response: { 200: CiRun },
        },
      },
      async (request) => {
        await request.can("read");
        return find(db, request.params.id);
      },
    );
    app.get(
      "/ci-runs/:id/log",
      {
        schema: {
          operationId: "getCiRunLog",
          tags: ["ci"],
          summary: "What a CI run said, from a byte on: follow it by asking again from `next` until `done`",
          params,
          querystring: z.object({ from: z.coerce.number().int().min(0).default(0) }),
          response: { 200: LogPart },
        },
      },
      async (request) => {
        await request.can("read");
        // The state first: so that "done" never comes before the last line.
        const run = await find(db, request.params.id);
        return readLog(folder, run.id, request.query.from, run.endedAt !== null);
      },
    );
  };
