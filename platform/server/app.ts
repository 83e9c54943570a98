import fastifyCookie from "@fastify/cookie";
import fastifySwagger from "@fastify/swagger";
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyPluginAsync, type FastifyReply } from "fastify";
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type FastifyPluginAsyncZod,
} from "fastify-type-provider-zod";
import type { Log } from "../kernel/log.ts";
import { refuseSlowBodies } from "./bodies.ts";
import { healthRoutes } from "./health.ts";
import { portalFiles, portalPage } from "./portal.ts";
import { answerFaults, problemOf, refuseMalformed } from "./problems.ts";

export const VERSION = "0.1.0";

type Plugin = FastifyPluginAsync | FastifyPluginAsyncZod;

export interface Surface {
  log: Log;
  /** Says whether the platform can work, and what it lacks. */
  ready: () => Promise<{ ready: boolean; parts: Record<string, string> }>;
  /** Finds out who calls, and refuses routes that need somebody. First of all, before any route. */
  access: Plugin;
  /** Routes below /api. */
  api: Plugin[];
  /** Routes at the root: /services, /git. */
  root: Plugin[];
  /** The portal's built files; undefined where it is not built. */
  portalFolder: string | undefined;
}

/** The HTTP surface: one OpenAPI document, one place for faults, one for access. */
export async function buildApp(surface: Surface): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: surface.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 5 * 1024 * 1024,
    // A run is called by its service, its commit and its step: longer than the 100 that a parameter may have otherwise.
    routerOptions: { maxParamLength: 500 },
    requestTimeout: 0,
    forceCloseConnections: "idle",
    clientErrorHandler: refuseMalformed,
    // What goes wrong before there is a route, such as an address that is no UTF-8.
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const problem = problemOf(error);
      void reply.code(problem.status).type("application/problem+json").send(problem);
    },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  const { portalFolder } = surface;
  answerFaults(app, portalFolder === undefined ? undefined : (reply) => portalPage(reply, portalFolder));
  refuseSlowBodies(app, 30);
  await app.register(fastifyCookie);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Cairn",
        version: VERSION,
        description:
          "The control plane's one contract: portal, CLI and programs use these operations. Refusals are problem details (RFC 9457) with a stable `code` and `next`.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: {
        securitySchemes: { token: { type: "http", scheme: "bearer" }, session: { type: "apiKey", in: "cookie", name: "cairn_session" } },
      },
      security: [{ token: [] }, { session: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  app.addHook("onSend", async (_request, reply) => {
    reply.header("x-content-type-options", "nosniff").header("referrer-policy", "same-origin").header("x-frame-options", "DENY");
  });
  await app.register(surface.access);
  await app.register(healthRoutes({ ready: surface.ready }));
  await app.register(
    async (api) => {
      for (const plugin of surface.api) await api.register(plugin as FastifyPluginAsync);
    },
    { prefix: "/api" },
  );
  for (const plugin of surface.root) await app.register(plugin as FastifyPluginAsync);
  app.get("/openapi.json", { config: { open: true }, schema: { hide: true } }, async () => app.swagger());
  if (portalFolder) await app.register(portalFiles({ folder: portalFolder }));
  return app;
}
