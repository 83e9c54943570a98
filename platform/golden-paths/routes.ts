import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { findGoldenPath, loadGoldenPaths, type GoldenPath } from "./load.ts";
import { GoldenPathView } from "./model.ts";

/** Golden paths that are offered. They are read anew for each request: a platform team edits them in place. */
export const goldenPathRoutes =
  ({ library }: { library: string }): FastifyPluginAsyncZod =>
  async (app) => {
    const tags = ["golden-paths"];

    app.get(
      "/golden-paths",
      {
        schema: {
          operationId: "listGoldenPaths",
          tags,
          summary: "Golden paths that are offered",
          response: { 200: z.object({ goldenPaths: z.array(GoldenPathView) }) },
        },
      },
      async (request) => {
        await request.can("read");
        return { goldenPaths: (await loadGoldenPaths(library)).flatMap(viewOf) };
      },
    );

    app.get(
      "/golden-paths/:name",
      {
        schema: {
          operationId: "getGoldenPath",
          tags,
          summary: "A golden path and its questions",
          params: z.object({ name: z.string() }),
          response: { 200: GoldenPathView },
        },
      },
      async (request) => {
        await request.can("read");
        const [found] = viewOf(await findGoldenPath(library, request.params.name));
        return found;
      },
    );
  };

function viewOf({ template, offer, digest }: GoldenPath): GoldenPathView[] {
  if (!offer) return [];
  const { name, version, description, parameters } = template;
  return [
    {
      name,
      version,
      ...offer,
      description,
      digest,
      parameters: parameters.map((parameter) => ({
        name: parameter.name,
        type: parameter.type,
        description: parameter.description,
        required: parameter.required,
        pattern: parameter.type === "string" ? (parameter.pattern ?? null) : null,
        choices: parameter.type === "choice" ? parameter.choices : null,
        default: parameter.default ?? null,
      })),
    },
  ];
}
