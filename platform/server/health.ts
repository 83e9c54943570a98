import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { collectDefaultMetrics, Histogram, Registry } from "prom-client";
import { z } from "zod";

const Readiness = z.object({ ready: z.boolean(), parts: z.record(z.string(), z.string()) });

/** Liveness, readiness and the server's own metrics in Prometheus' text format. */
export const healthRoutes =
  ({ ready }: { ready: () => Promise<z.infer<typeof Readiness>> }): FastifyPluginAsyncZod =>
  async (app) => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const duration = new Histogram({
      name: "http_server_request_duration_seconds",
      help: "Time to answer a request, by route",
      labelNames: ["http_request_method", "http_route", "http_response_status_code"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    });
    app.addHook("onResponse", async (request, reply) => {
      duration.observe(
        {
          http_request_method: request.method,
          http_route: request.routeOptions.url ?? "none",
          http_response_status_code: reply.statusCode,
        },
        reply.elapsedTime / 1000,
      );
    });
    app.get(
      "/healthz",
      {
        config: { open: true },
        schema: {
          operationId: "health",
          tags: ["server"],
          summary: "The process is alive",
          response: { 200: z.object({ status: z.literal("ok") }) },
        },
      },
      async () => ({ status: "ok" as const }),
    );
    app.get(
      "/readyz",
      {
        config: { open: true },
        schema: {
          operationId: "readiness",
          tags: ["server"],
          summary: "The platform can work; else what it lacks",
          response: { 200: Readiness, 503: Readiness },
        },
      },
      async (_request, reply) => {
        const readiness = await ready();
        return reply.code(readiness.ready ? 200 : 503).send(readiness);
      },
    );
    app.get("/metrics", { config: { open: true }, schema: { hide: true } }, async (_request, reply) =>
      reply.type(registry.contentType).send(await registry.metrics()),
    );
  };
