import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Db } from "../kernel/sql.ts";
import { dora } from "./dora.ts";
import { spanInvalid } from "./faults.ts";
import { Dora, Scorecard, type ScoreFacts } from "./model.ts";
import type { ScoreRules } from "./rules.ts";
import { score } from "./score.ts";
import { deployments } from "./store.ts";

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
}

export const scorecardRoutes =
  ({ db, clock, rules, production, factsOf, servicesOf }: ScorecardParts): FastifyPluginAsyncZod =>
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
