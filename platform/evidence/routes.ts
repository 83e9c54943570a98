import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import { transact, type Db, type Sql } from "../kernel/sql.ts";
import { citationsOf } from "./citations.ts";
import { Artifact, CarriedRelease, Citation, Envelope, Evidence } from "./model.ts";
import { admit, artifactOf, evidenceFor, find, revoke } from "./store.ts";
import type { BuilderKey } from "./verify.ts";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hex digits");

/** `artifact` is null where no such artifact was filed; then there is no evidence either. */
const ArtifactEvidence = z.object({ artifact: Artifact.omit({ path: true }).nullable(), evidence: z.array(Evidence) });
/** What rests on a piece of evidence: the decisions that cite it, and the releases by them that serve or are on their way. */
const Reach = z.object({ decisions: z.array(Citation), releases: z.array(CarriedRelease) });
const SignedEvidence = Reach.extend({ evidence: Evidence, envelope: Envelope });
const RevokedEvidence = Reach.extend({ evidence: Evidence });

export interface EvidenceParts {
  db: Db;
  clock: Clock;
  /** Whose signature counts. */
  keys: readonly BuilderKey[];
  /** The owner of a repository; undefined where the catalog knows none. */
  ownerOf: (repository: string) => Promise<string | undefined>;
  /** The releases by these decisions that serve or are on their way. */
  carriedBy: (db: Sql, decisions: readonly string[]) => Promise<CarriedRelease[]>;
}

export const evidenceRoutes =
  ({ db, clock, keys, ownerOf, carriedBy }: EvidenceParts): FastifyPluginAsyncZod =>
  async (app) => {
    const reachOf = async (evidence: string) => {
      const decisions = await citationsOf(db, evidence);
      return { decisions, releases: await carriedBy(db, decisions.map(({ decision }) => decision)) }; // prettier-ignore
    };
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
          summary: "One piece of evidence with its signed envelope, and what rests on it",
          params: z.object({ digest }),
          response: { 200: SignedEvidence },
        },
      },
      async (request) => {
        await request.can("read");
        return { ...(await find(db, request.params.digest)), ...(await reachOf(request.params.digest)) };
      },
    );
    app.post(
      "/evidence",
      {
        bodyLimit: 16 * 1024 * 1024,
        schema: {
          operationId: "fileEvidence",
          tags: ["evidence"],
          summary: "Hand in signed evidence about an artifact, from CI or a scanner elsewhere: all or nothing, and a refusal is recorded",
          body: z.object({
            artifact: digest,
            repository: z.string(),
            commit: z.string().regex(/^[0-9a-f]{40}$/, "40 hex digits"),
            envelopes: z.array(z.unknown()).min(1).max(20),
          }),
          response: { 201: z.object({ evidence: z.array(Evidence) }) },
        },
      },
      async (request, reply) => {
        const { artifact, repository, commit, envelopes } = request.body;
        const owner = await ownerOf(repository);
        await request.can("evidence.file", { name: repository, ...(owner !== undefined && { owner }) });
        const trust = { keys, artifactDigest: artifact, repository, commit };
        return reply.code(201).send({ evidence: await admit(db, clock, envelopes, trust, request.principal.ref) });
      },
    );
    app.post(
      "/evidence/:digest/revoke",
      {
        schema: {
          operationId: "revokeEvidence",
          tags: ["evidence"],
          summary: "Take evidence back: decisions that cite it are re-opened; the answer says which releases they carry",
          params: z.object({ digest }),
          body: z.object({ because: z.string().trim().min(1).max(1000) }),
          response: { 200: RevokedEvidence },
        },
      },
      async (request) => {
        const { repository } = (await find(db, request.params.digest)).evidence;
        const owner = await ownerOf(repository);
        await request.can("evidence.revoke", { name: repository, ...(owner !== undefined && { owner }) });
        await transact(db, (tx) => revoke(tx, clock, request.principal.ref, request.params.digest, request.body.because));
        const { evidence } = await find(db, request.params.digest);
        return { evidence, ...(await reachOf(evidence.digest)) };
      },
    );
  };
