import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import { checkDocuments, parseDocuments, REPOSITORY_KINDS } from "../catalog/descriptor.ts";
import { graphDiff } from "../catalog/graph-diff.ts";
import { GraphDiff, type Entity } from "../catalog/model.ts";
import type { Forge } from "../forge/contract.ts";

const FILE = "catalog-info.yaml";

/** What a change request does to the catalog's graph: its descriptor beside the one that it began from. What can't be read declares nothing. */
export async function changeGraph(
  forge: Pick<Forge, "change" | "readFile">,
  repository: string,
  number: number,
): Promise<GraphDiff & { readable: boolean }> {
  const { base, head } = await forge.change(repository, number);
  const [before, after] = [await declaredAt(forge, repository, base), await declaredAt(forge, repository, head)];
  return { ...graphDiff(before.entities, after.entities), readable: after.readable };
}

async function declaredAt(
  forge: Pick<Forge, "readFile">,
  repository: string,
  commit: string,
): Promise<{ entities: Entity[]; readable: boolean }> {
  const text = await forge.readFile(repository, commit, FILE);
  if (text === undefined) return { entities: [], readable: true };
  const { documents, findings } = parseDocuments(text);
  const checked = await checkDocuments(documents, REPOSITORY_KINDS);
  return { entities: checked.entities, readable: findings.length + checked.findings.length === 0 };
}

export const changeGraphRoutes =
  ({ forge }: { forge: Pick<Forge, "change" | "readFile"> }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/changes/:repository/:number/graph",
      {
        schema: {
          operationId: "getChangeGraph",
          tags: ["workflows"],
          summary: "What a change request does to the catalog's graph",
          params: z.object({ repository: z.string(), number: z.coerce.number().int().positive() }),
          response: { 200: GraphDiff.extend({ readable: z.boolean() }).meta({ id: "ChangeGraph" }) },
        },
      },
      async (request) => {
        await request.can("repository.read", { name: request.params.repository });
        return changeGraph(forge, request.params.repository, request.params.number);
      },
    );
  };
