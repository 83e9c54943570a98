import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";

/** What stands behind the route: the workflows know how to release. */
export interface GoBack {
  /** Throws `workflows.nothing_to_go_back_to`, `workflows.wrong_way_back`, `releases.environment_unknown`. */
  start(
    order: { service: string; environment: string; to?: string | undefined; because: string },
    by: string,
  ): Promise<{ run: string; to: string }>;
}

export const goBackRoutes =
  ({ goBack, ownerOf }: { goBack: GoBack; ownerOf: (service: string) => Promise<string> }): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      "/services/:name/rollback",
      {
        schema: {
          operationId: "goBack",
          tags: ["releases"],
          summary: "Bring back what served before in an environment, or a release that is named; waits for no window and no approval",
          params: z.object({ name: z.string() }),
          body: z.object({ environment: z.string(), to: z.string().optional(), because: z.string().trim().min(1).max(1000) }),
          response: { 202: z.object({ run: z.string(), to: z.string() }) },
        },
      },
      async (request, reply) => {
        const { name } = request.params;
        await request.can("release.act", { name, owner: await ownerOf(name) });
        return reply.code(202).send(await goBack.start({ service: name, ...request.body }, request.principal.ref));
      },
    );
  };
