import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { isFault } from "../kernel/faults.ts";
import type { Observation, Runtime } from "./contract.ts";
import { ServiceEnvironment, ServiceLogs } from "./model.ts";

const params = z.object({ name: z.string() });

export const runtimeRoutes =
  ({ runtime }: { runtime: Runtime }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/services/:name/environments",
      {
        schema: {
          operationId: "listServiceEnvironments",
          tags: ["runtime"],
          summary: "Where a service runs, and which revisions",
          params,
          response: { 200: z.array(ServiceEnvironment) },
        },
      },
      async (request) => {
        const { name } = request.params;
        await request.can("read", { name });
        const targets = (await runtime.targets()).filter(({ service }) => service === name);
        const observed = await Promise.all(targets.map((target) => runtime.observe(target).catch(removedMeanwhile)));
        return observed.flatMap((observation) => (observation ? [environmentOf(observation)] : []));
      },
    );
    app.get(
      "/services/:name/logs",
      {
        schema: {
          operationId: "listServiceLogs",
          tags: ["runtime"],
          summary: "The last lines of a service in an environment, oldest first",
          params,
          querystring: z.object({
            environment: z.string(),
            revision: z.string().optional(),
            limit: z.coerce.number().int().min(1).max(2000).default(200),
            after: z.coerce.date().optional(),
          }),
          response: { 200: ServiceLogs },
        },
      },
      async (request) => {
        const { name } = request.params;
        await request.can("read", { name });
        const { environment, ...options } = request.query;
        return runtime.logs({ service: name, environment }, options);
      },
    );
  };

const environmentOf = ({ target, url, readings, findings }: Observation): ServiceEnvironment => ({
  environment: target.environment,
  url,
  findings,
  revisions: readings.map(({ revision, epoch: _epoch, latency: _latency, ...reading }) => ({ id: revision, ...reading })),
});

function removedMeanwhile(error: unknown): undefined {
  if (isFault(error) && error.code === "runtime.target_unknown") return undefined;
  throw error;
}
