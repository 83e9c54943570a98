import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Db } from "../kernel/sql.ts";
import { RunState, WorkflowRun, WorkflowRunWithSteps } from "./model.ts";
import { run, runs } from "./store.ts";

export const orchestratorRoutes =
  ({ db }: { db: Db }): FastifyPluginAsyncZod =>
  async (app) => {
    const tags = ["orchestrator"];
    app.get(
      "/runs",
      {
        schema: {
          operationId: "listRuns",
          tags,
          summary: "Runs of workflows, newest first",
          querystring: z.object({
            about: z.string().optional(),
            except: z.string().optional().describe("Leaves out what is about this, such as platform:audit"),
            state: RunState.optional(),
            limit: z.coerce.number().int().min(1).max(500).default(50),
          }),
          response: { 200: z.object({ runs: z.array(WorkflowRun) }) },
        },
      },
      async (request) => {
        const { about, except, state, limit } = request.query;
        await request.can("read");
        const filter = { limit, ...(about !== undefined && { about }), ...(except !== undefined && { except }) };
        return { runs: await runs(db, { ...filter, ...(state !== undefined && { state }) }) };
      },
    );
    app.get(
      "/runs/:id",
      {
        schema: {
          operationId: "getRun",
          tags,
          summary: "A run with its steps: what is done, what it does, what it waits for",
          params: z.object({ id: z.string() }),
          response: { 200: WorkflowRunWithSteps },
        },
      },
      async (request) => {
        await request.can("read");
        return run(db, request.params.id);
      },
    );
  };
