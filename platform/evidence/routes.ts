import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Db } from "../kernel/sql.ts";
import "../identity/request.ts";
import { Artifact, Envelope, Evidence } from "./model.ts";
import { artifactOf, evidenceFor, find } from "./store.ts";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hex digits");

/** `artifact` is null where no such artifact was filed; then there is no evidence either. */
const ArtifactEvidence = z.object({ artifact: Artifact.omit({ path: true }).nullable(), evidence: z.array(Evidence) });
const SignedEvidence = z.object({ evidence: Evidence, envelope: Envelope });

export const evidenceRoutes =
  ({ db }: { db: Db }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/evidence",
      {
        schema: {
          operationId: "listEvidence",
          tags: ["evidence"],
          summary: "What was proven about an artifact",
          querystring: z.object({ artifact: digest }),
          response: { 200: ArtifactEvidence },
        },
      },
      async (request) => {
        await request.can("read");
        const artifact = (await artifactOf(db, request.query.artifact)) ?? null;
        return { artifact, evidence: await evidenceFor(db, request.query.artifact) };
      },
    );
    app.get(
      "/evidence/:digest",
      {
        schema: {
          operationId: "getEvidence",
          tags: ["evidence"],
          summary: "One piece of evidence with its signed envelope",
          params: z.object({ digest }),
          response: { 200: SignedEvidence },
        },
      },
      async (request) => {
        await request.can("read");
        return find(db, request.params.digest);
      },
    );
  };
