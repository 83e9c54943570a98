import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import { isFault } from "../kernel/faults.ts";
import type { Observation, Runtime } from "../runtime/contract.ts";
import { sloReport, telemetryNow, type EvaluationParts } from "./evaluate.ts";
import { exposition, EXPOSITION_TYPE } from "./exposition.ts";
import { callsOf } from "./calls.ts";
import { dependencyView, type Declared } from "./dependency-view.ts";
import { AlertView, DependencyView, ScrapeTargets, SloReport, Traffic } from "./model.ts";
import { DEFAULT_ENVIRONMENT } from "./openslo.ts";
import { openAlerts } from "./store.ts";
import { trafficOf } from "./traffic.ts";

const params = z.object({ name: z.string() });
const environment = z.string().default(DEFAULT_ENVIRONMENT);

export const observabilityRoutes =
  (
    parts: EvaluationParts & {
      requireService: (service: string) => Promise<void>;
      /** What the catalog says that a service needs, and that needs it. */
      declared: (service: string) => Promise<{ needs: Declared[]; neededBy: Declared[] }>;
    },
  ): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/services/:name/slos",
      {
        schema: {
          operationId: "getServiceSlos",
          tags: ["observability"],
          summary: "How a service's objectives stand: compliance, error budget, burn rates, open alerts, and why there is no data",
          params,
          querystring: z.object({ environment }),
          response: { 200: SloReport },
        },
      },
      async (request) => {
        const { name } = request.params;
        await request.can("read", { name });
        await parts.requireService(name);
        return sloReport(parts, { service: name, environment: request.query.environment });
      },
    );
    app.get(
      "/services/:name/traffic",
      {
        schema: {
          operationId: "getServiceTraffic",
          tags: ["observability"],
          summary: "Requests, failures and latency of a service over time, as its proxy counted them",
          params,
          querystring: z.object({
            environment,
            from: z.coerce.date().optional(),
            to: z.coerce.date().optional(),
          }),
          response: { 200: Traffic },
        },
      },
      async (request) => {
        const { name } = request.params;
        await request.can("read", { name });
        await parts.requireService(name);
        const target = { service: name, environment: request.query.environment };
        const now = parts.clock.now();
        const to = request.query.to ?? now;
        const from = request.query.from ?? new Date(to.getTime() - 3 * 3_600_000);
        return trafficOf(parts.db, target, { from, to }, now, await telemetryNow(parts, target));
      },
    );
    app.get(
      "/services/:name/dependency-view",
      {
        schema: {
          operationId: "getDependencyView",
          tags: ["observability"],
          summary: "What a service needs and what needs it: as declared, beside the calls that the proxy saw",
          params,
          response: { 200: DependencyView },
        },
      },
      async (request) => {
        const { name } = request.params;
        await request.can("read", { name });
        return dependencyView(name, await parts.declared(name), await callsOf(parts.db, name));
      },
    );
    app.get(
      "/alerts",
      {
        schema: {
          operationId: "listAlerts",
          tags: ["observability"],
          summary: "Alerts that are not over, those that fire first",
          querystring: z.object({ service: z.string().optional() }),
          response: { 200: z.object({ alerts: z.array(AlertView) }) },
        },
      },
      async (request) => {
        await request.can("read", request.query.service === undefined ? {} : { name: request.query.service });
        return { alerts: await openAlerts(parts.db, request.query) };
      },
    );
  };

/** For Prometheus, at the root: what to scrape, and each service's counters. Both want a token that may read. */
export const scrapeRoutes =
  (parts: {
    runtime: Runtime;
    /** Names of all services. */
    services: () => Promise<string[]>;
    requireService: (service: string) => Promise<void>;
  }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/prometheus/targets",
      {
        schema: {
          operationId: "listScrapeTargets",
          tags: ["observability"],
          summary: "Every service's metrics address, for Prometheus' HTTP service discovery",
          response: { 200: ScrapeTargets },
        },
      },
      async (request) => {
        await request.can("read");
        const names = await parts.services();
        return names.map((name) => ({ targets: [request.host], labels: { __metrics_path__: `/services/${name}/metrics`, job: name } }));
      },
    );
    app.get(
      "/services/:name/metrics",
      {
        schema: {
          operationId: "getServiceMetrics",
          tags: ["observability"],
          summary: "The proxy's counters of a service, by environment and revision, in Prometheus' text format",
          params,
          produces: [EXPOSITION_TYPE],
        },
      },
      async (request, reply) => {
        const { name } = request.params;
        await request.can("read", { name });
        await parts.requireService(name);
        return reply.type(EXPOSITION_TYPE).send(exposition(name, await observed(parts.runtime, name)));
      },
    );
  };

/** All that runs of a service; undefined where the runtime can't tell. */
async function observed(runtime: Runtime, service: string): Promise<Observation[] | undefined> {
  try {
    const targets = (await runtime.targets()).filter((target) => target.service === service);
    return await Promise.all(targets.map((target) => runtime.observe(target)));
  } catch (error) {
    if (isFault(error) && (error.kind === "unavailable" || error.kind === "failed" || error.kind === "not_found")) return undefined;
    throw error;
  }
}
