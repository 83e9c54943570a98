import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import { transact, type Db, type Tx } from "../kernel/sql.ts";
import { Held } from "./gate.ts";
import { gateOfRelease, waitsForWord } from "./gate-store.ts";
import { Release, ReleaseState, Round, TestProgress } from "./model.ts";
import { RolloutRules } from "./rollout.ts";
import { answerRelease, find, releases, rounds, rulesOf } from "./store.ts";
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
    /** What it waits for before it begins, or what it was let through by; null where it has not come so far. */
    gate: z
      .object({ heldBy: z.array(Held), openBy: z.array(z.string()), since: z.coerce.date(), passedAt: z.coerce.date().nullable() })
      .nullable(),
  })
  .meta({ id: "ReleaseDetail" });

export const releasesRoutes =
  ({
    db,
    clock,
    ownerOf,
    servicesOf,
  }: {
    db: Db;
    clock: Clock;
    ownerOf: (service: string) => Promise<string | undefined>;
    servicesOf: (team: string) => Promise<string[]>;
  }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/releases",
      {
        schema: {
          operationId: "listReleases",
          tags: ["releases"],
          summary: "Releases, newest first; `active` are those that have not ended",
          querystring: z.object({
            service: z.string().optional(),
            team: z.string().max(200).optional(),
            environment: z.string().optional(),
            state: z.enum(["active", ...ReleaseState.options]).optional(),
            before: z.string().max(200).optional().describe("The id of a release: only older ones"),
            limit: z.coerce.number().int().min(1).max(500).default(50),
          }),
          response: { 200: ReleaseList },
        },
      },
      async (request) => {
        const { service, team, ...filter } = request.query;
        await request.can("read", service === undefined ? {} : { name: service });
        const ofTeam = team === undefined ? undefined : await servicesOf(team);
        const of = service === undefined ? ofTeam : [service].filter((name) => ofTeam?.includes(name) ?? true);
        return { releases: await releases(db, { ...filter, ...(of !== undefined && { service: of }) }) };
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
        const [kept, rules, gate] = await Promise.all([rounds(db, release.id), rulesOf(db, release.id), gateOfRelease(db, release.id)]);
        const last = kept.at(-1);
        return {
          ...release,
          rounds: kept,
          tests: last?.tests ?? [],
          rules,
          endsWhen: whatEndsIt(release, rules, last),
          gate: gate && (gate.passedAt || release.state === "planned") ? gate : null,
        };
      },
    );

    app.post(
      "/releases/:id/answer",
      {
        schema: {
          operationId: "answerRelease",
          tags: ["releases"],
          summary:
            "Roll back a release that is under way, or let one go on that is held, or that waits since what it brings was taken back",
          params: z.object({ id: z.string() }),
          body: z.object({ action: z.enum(["roll_back", "go_on"]), because: z.string().trim().min(1).max(1000) }),
          response: { 202: Release },
        },
      },
      async (request, reply) => {
        const { service } = await find(db, request.params.id);
        const owner = await ownerOf(service);
        await request.can("release.act", { name: service, ...(owner !== undefined && { owner }) });
        const { id } = request.params;
        const said = (tx: Tx) =>
          waitsForWord(tx, id).then((waits) => answerRelease(tx, clock, request.principal.ref, id, request.body, waits));
        return reply.code(202).send(await transact(db, said));
      },
    );
  };
