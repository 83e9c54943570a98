import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { Tier } from "../catalog/model.ts";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Db } from "../kernel/sql.ts";
import { dora } from "./dora.ts";
import { pointUnknown, spanInvalid } from "./faults.ts";
import { Dora, KeptScore, PointCount, PointState, Scorecard, type ScoreFacts } from "./model.ts";
import type { ScoreRules } from "./rules.ts";
import { score } from "./score.ts";
import { countStates, deployments, keptScores } from "./store.ts";

const DAY = 86_400_000;
/** What came before the span is read too, so that a first deployment after a failure is known as rework. */
const BEFORE_DAYS = 30;

export interface ScorecardParts {
  db: Db;
  clock: Clock;
  rules: ScoreRules;
  /** The environments that count as production. */
  production: readonly string[];
  /** What is known of a service now. Throws `catalog.service_not_found`. */
  factsOf: (service: string) => Promise<ScoreFacts>;
  servicesOf: (team: string) => Promise<string[]>;
  /** How many services the catalog has. */
  countServices: (filter: { team?: string | undefined; tier?: Tier | undefined }) => Promise<number>;
}

export const scorecardRoutes =
  ({ db, clock, rules, production, factsOf, servicesOf, countServices }: ScorecardParts): FastifyPluginAsyncZod =>
  async (app) => {
    const tags = ["scorecards"];
    app.get(
      "/services/:name/scorecard",
      {
        schema: {
          operationId: "getScorecard",
          tags,
          summary: "A service's scorecard: each point with the fact that it rests on, and what to do next",
          params: z.object({ name: z.string() }),
          response: { 200: Scorecard },
        },
      },
      async (request) => {
        await request.can("read", { name: request.params.name });
        return score(await factsOf(request.params.name), rules, clock.now());
      },
    );
    app.get(
      "/scorecards",
      {
        schema: {
          operationId: "listScorecards",
          tags,
          summary: "Services by how well they are kept, the worst first, as they were scored last; and of each point how many meet it",
          querystring: z.object({
            team: z.string().optional(),
            tier: Tier.optional(),
            point: z
              .string()
              .max(63)
              .optional()
              .describe("id of a point: services that it is asked of and that do not meet it, or are in `state`"),
            state: PointState.optional().describe("of `point`; without it, of any point"),
            limit: z.coerce.number().int().min(1).max(500).default(50),
            offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
          }),
          response: {
            200: z.object({
              items: z.array(KeptScore),
              total: z.int(),
              unscored: z.int().describe("services of the team and tier that have no scorecard yet"),
              points: z.array(PointCount).describe("of all services of the team and tier, whatever `point` and `state`"),
            }),
          },
        },
      },
      async (request) => {
        await request.can("read");
        const { team, tier, point, state, limit, offset } = request.query;
        const ids = rules.points.map(({ id }) => id);
        if (point !== undefined && !ids.includes(point)) throw pointUnknown(point, ids);
        const page = await keptScores(db, { team, tier, point, state }, { limit, offset });
        const counts = await countStates(db, { team, tier });
        const scored = counts.reduce((sum, { services }) => sum + services, 0);
        // Counted one after the other: a service may have come or gone in between.
        const unscored = Math.max(0, (await countServices({ team, tier })) - scored);
        return { ...page, unscored, points: countPoints(rules, counts) };
      },
    );
    app.get(
      "/dora",
      {
        schema: {
          operationId: "getDora",
          tags,
          summary: "DORA's five metrics of a service, a team or all, with the deployments that each number rests on",
          querystring: z.object({
            service: z.string().optional(),
            team: z.string().optional(),
            from: z.coerce.date().optional(),
            to: z.coerce.date().optional(),
          }),
          response: { 200: Dora },
        },
      },
      async (request) => {
        const { service, team } = request.query;
        await request.can("read", service === undefined ? {} : { name: service });
        const to = request.query.to ?? clock.now();
        const from = request.query.from ?? new Date(to.getTime() - 30 * DAY);
        if (from >= to || to.getTime() - from.getTime() > 366 * DAY) throw spanInvalid(`${from.toISOString()} to ${to.toISOString()}`);
        const services = service !== undefined ? [service] : team !== undefined ? await servicesOf(team) : undefined;
        const before = new Date(from.getTime() - BEFORE_DAYS * DAY);
        return dora(await deployments(db, { environments: production, services, from: before, to }), from, to);
      },
    );
  };

/** Of each of the rules' points how many services it is asked of, and how they stand. Pure. */
function countPoints(rules: ScoreRules, counts: Awaited<ReturnType<typeof countStates>>): PointCount[] {
  return rules.points.map(({ id, title, tiers }) => {
    const of = (state: PointState) => counts.reduce((sum, { states, services }) => sum + (states[id] === state ? services : 0), 0);
    const [met, missed, unknown] = [of("met"), of("missed"), of("unknown")];
    return { id, title, tiers, asked: met + missed + unknown, met, missed, unknown };
  });
}
