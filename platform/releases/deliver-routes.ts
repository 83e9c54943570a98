import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";

/** What stands behind the route: the workflows know how to deliver. */
export interface Deliverer {
  /** Throws `workflows.nothing_merged`. */
  again(service: string, by: string, because: string): Promise<{ run: string }>;
}

export const deliverRoutes =
  ({ deliverer, ownerOf }: { deliverer: Deliverer; ownerOf: (service: string) => Promise<string> }): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      "/services/:name/deliver",
      {
        schema: {
          operationId: "deliverAgain",
          tags: ["releases"],
          summary: "Deliver what was merged last once more, with the secrets and rules of now",
          params: z.object({ name: z.string() }),
          body: z.object({ because: z.string().trim().min(1).max(1000) }),
          response: { 202: z.object({ run: z.string() }) },
        },
      },
      async (request, reply) => {
        const { name } = request.params;
        await request.can("release.act", { name, owner: await ownerOf(name) });
        return reply.code(202).send(await deliverer.again(name, request.principal.ref, request.body.because));
      },
    );
  };
