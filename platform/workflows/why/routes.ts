import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../../identity/request.ts";
import { why, type WhyParts } from "./facts.ts";
import { Why } from "./model.ts";

/** Why something is as it is, and who or which command unblocks it. */
export const whyRoutes =
  (parts: WhyParts): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/why",
      {
        schema: {
          operationId: "explain",
          tags: ["workflows"],
          summary: "What something waits for or was refused by, which fact says so, and who or which command unblocks it",
          querystring: z.object({
            subject: z
              .string()
              .trim()
              .min(1)
              .max(400)
              .describe("a release, plan, decision, run, CI run, break-glass, change request (orders/2) or service"),
          }),
          response: { 200: Why },
        },
      },
      async (request) => {
        await request.can("read");
        return why(parts, request.query.subject, request.principal.ref);
      },
    );
  };
