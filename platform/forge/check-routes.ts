import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";

/** What stands behind the route: the workflows know what is checked. */
export interface Checker {
  /** Throws `workflows.change_ended`, and what the forge throws for one that is not there. */
  again(repository: string, number: number, by: string): Promise<{ run: string }>;
}

export const checkRoutes =
  ({ checker, ownerOf }: { checker: Checker; ownerOf: (repository: string) => Promise<string | undefined> }): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      "/changes/:repository/:number/check",
      {
        schema: {
          operationId: "checkAgain",
          tags: ["forge"],
          summary: "Check what a change request holds now once more: with the rules and teams of now, and in a new build",
          params: z.object({ repository: z.string(), number: z.coerce.number().int().min(1) }),
          response: { 202: z.object({ run: z.string() }) },
        },
      },
      async (request, reply) => {
        const { repository, number } = request.params;
        const owner = await ownerOf(repository);
        await request.can("repository.push", { name: repository, ...(owner !== undefined && { owner }) });
        return reply.code(202).send(await checker.again(repository, number, request.principal.ref));
      },
    );
  };
