import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Digest } from "../kernel/digest.ts";
import { transact, type Db } from "../kernel/sql.ts";
import type { Principal } from "../identity/model.ts";
import { Plan, PlanRow } from "./model.ts";
import type { Clock } from "../kernel/clock.ts";
import { approvalWanted, approve, find, type KeptPlan } from "./store.ts";

export const PlanOrder = z.object({
  goldenPath: z.string().describe("Name of a golden path: see GET /api/golden-paths"),
  answers: z.record(z.string(), z.unknown()),
});
export type PlanOrder = z.infer<typeof PlanOrder>;

export const DeletionOrder = z.object({
  service: z.string().min(1).max(63),
  dropData: z.boolean().default(false).describe("Databases that hold tables go too; else they are kept under another name"),
});
export type DeletionOrder = z.infer<typeof DeletionOrder>;

export const PlanAnswer = PlanRow.extend({ plan: Plan });
const params = z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) });

/** What stands behind the routes: the workflows know how to make and how to carry out each kind of plan. */
export interface Planner {
  make(order: PlanOrder, by: Principal): Promise<KeptPlan>;
  makeDeletion(order: DeletionOrder, by: Principal): Promise<KeptPlan>;
  apply(digest: Digest, by: Principal): Promise<{ run: string }>;
}

export const planRoutes =
  ({ db, clock, planner }: { db: Db; clock: Clock; planner: Planner }): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      "/plans",
      {
        schema: {
          operationId: "makePlan",
          tags: ["plans"],
          summary: "Plan a new service; changes nothing",
          body: PlanOrder,
          response: { 201: PlanAnswer },
        },
      },
      async (request, reply) => {
        await request.can("plan.make");
        return reply.code(201).send(await planner.make(request.body, request.principal));
      },
    );
    app.post(
      "/plans/deletions",
      {
        schema: {
          operationId: "planDeletion",
          tags: ["plans"],
          summary: "Plan to delete a service with all that it has; changes nothing",
          body: DeletionOrder,
          response: { 201: PlanAnswer },
        },
      },
      async (request, reply) => {
        await request.can("plan.make");
        return reply.code(201).send(await planner.makeDeletion(request.body, request.principal));
      },
    );
    app.get(
      "/plans/:digest",
      { schema: { operationId: "getPlan", tags: ["plans"], summary: "A plan as it was made", params, response: { 200: PlanAnswer } } },
      async (request) => {
        await request.can("read");
        return find(db, request.params.digest as Digest);
      },
    );
    app.post(
      "/plans/:digest/approve",
      {
        schema: {
          operationId: "approvePlan",
          tags: ["plans"],
          summary: "Approve exactly this plan; of one that differs by a byte nothing is approved",
          params,
          response: { 200: PlanAnswer },
        },
      },
      async (request) => {
        const digest = request.params.digest as Digest;
        const { plan } = await find(db, digest);
        const owner = typeof plan.payload.owner === "string" ? { owner: plan.payload.owner } : {};
        await request.can("plan.approve", { name: plan.about, ...owner, ...approvalWanted(plan) });
        await transact(db, (tx) => approve(tx, clock, request.principal, digest));
        return find(db, digest);
      },
    );
    app.post(
      "/plans/:digest/apply",
      {
        schema: {
          operationId: "applyPlan",
          tags: ["plans"],
          summary: "Carry out exactly this plan; refused when its basis changed",
          params,
          response: { 202: z.object({ run: z.string() }) },
        },
      },
      async (request, reply) => {
        const { plan } = await find(db, request.params.digest as Digest);
        await request.can("plan.apply", { name: plan.about, ...(typeof plan.payload.owner === "string" && { owner: plan.payload.owner }) });
        return reply.code(202).send(await planner.apply(request.params.digest as Digest, request.principal));
      },
    );
  };
