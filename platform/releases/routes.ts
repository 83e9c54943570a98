import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Db } from "../kernel/sql.ts";
import { Release, Round, TestProgress } from "./model.ts";
import { RolloutRules } from "./rollout.ts";
import { find, releases, rounds, rulesOf } from "./store.ts";
import { whatEndsIt } from "./what-ends-it.ts";

export const ReleaseList = z.object({ releases: z.array(Release) }).meta({ id: "ReleaseList" });

/** A release with everything that it was and is judged by. */
export const ReleaseDetail = z
  .object({
    ...Release.shape,
    /** The last 500 that said anything new, oldest first. */
    rounds: z.array(Round),
    /** Evidence so far. */
    tests: z.array(TestProgress),
    /** What it is judged by; null until it began. */
    rules: RolloutRules.nullable(),
    /** What would end its present step, one sentence each. */
    endsWhen: z.array(z.string()),
  })
  .meta({ id: "ReleaseDetail" });

export const releasesRoutes =
  ({ db }: { db: Db }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/releases",
      {
        schema: {
          operationId: "listReleases",
          tags: ["releases"],
          summary: "Releases, newest first",
          querystring: z.object({
            service: z.string().optional(),
            environment: z.string().optional(),
            limit: z.coerce.number().int().min(1).max(500).default(50),
          }),
          response: { 200: ReleaseList },
        },
      },
      async (request) => {
        await request.can("read", request.query.service === undefined ? {} : { name: request.query.service });
        return { releases: await releases(db, request.query) };
      },
    );

    app.get(
      "/releases/:id",
      {
        schema: {
          operationId: "getRelease",
          tags: ["releases"],
          summary: "A release: its rounds, the evidence so far, and what would end it",
          params: z.object({ id: z.string() }),
          response: { 200: ReleaseDetail },
        },
      },
      async (request) => {
        const release = await find(db, request.params.id);
        await request.can("read", { name: release.service });
        const [kept, rules] = await Promise.all([rounds(db, release.id), rulesOf(db, release.id)]);
        const last = kept.at(-1);
        return { ...release, rounds: kept, tests: last?.tests ?? [], rules, endsWhen: whatEndsIt(release, rules, last) };
      },
    );
  };
