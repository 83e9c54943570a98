import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { notQuarantined } from "./faults.ts";
import { QuarantineEntry } from "./model.ts";
import { lift, quarantine, quarantineList } from "./quarantine.ts";

export const QuarantineList = z.object({ quarantine: z.array(QuarantineEntry) }).meta({ id: "QuarantineList" });

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const because = z.string().trim().min(1).max(1000);

export const quarantineRoutes =
  (parts: {
    db: Db;
    clock: Clock;
    ownerOf: (service: string) => Promise<string | undefined>;
    /** Throws where there is no such service. */
    requireService: (service: string) => Promise<void>;
    /** Tells the runtime what is barred now; where it can't be reached it is told later. */
    tellRuntime: () => Promise<void>;
  }): FastifyPluginAsyncZod =>
  async (app) => {
    const { db, clock, ownerOf, requireService, tellRuntime } = parts;
    const subjectOf = async (service: string) => {
      const owner = await ownerOf(service);
      return { name: service, ...(owner !== undefined && { owner }) };
    };
    app.get(
      "/quarantine",
      {
        schema: {
          operationId: "listQuarantine",
          tags: ["releases"],
          summary: "Artifacts that are not released and not started again",
          response: { 200: QuarantineList },
        },
      },
      async (request) => {
        await request.can("read", {});
        return { quarantine: await quarantineList(db) };
      },
    );
    app.post(
      "/quarantine",
      {
        schema: {
          operationId: "quarantineArtifact",
          tags: ["releases"],
          summary: "Bar an artifact of a service from being released and started again",
          body: z.object({ service: z.string().min(1), artifactDigest: digest, because }),
          response: { 201: QuarantineEntry },
        },
      },
      async (request, reply) => {
        await requireService(request.body.service);
        await request.can("release.act", await subjectOf(request.body.service));
        const entry = await transact(db, (tx) => quarantine(tx, clock, request.principal.ref, { ...request.body, release: null }));
        await tellRuntime();
        return reply.code(201).send(entry);
      },
    );
    app.post(
      "/quarantine/:digest/lift",
      {
        schema: {
          operationId: "liftQuarantine",
          tags: ["releases"],
          summary: "Let a quarantined artifact be released and started again",
          params: z.object({ digest }),
          body: z.object({ because }),
          response: { 200: QuarantineList },
        },
      },
      async (request) => {
        const entries = (await quarantineList(db)).filter(({ artifactDigest }) => artifactDigest === request.params.digest);
        if (entries.length === 0) throw notQuarantined(request.params.digest);
        for (const { service } of entries) await request.can("release.act", await subjectOf(service));
        const lifted = await transact(db, (tx) => lift(tx, clock, request.principal.ref, request.params.digest, request.body.because));
        await tellRuntime();
        return { quarantine: lifted };
      },
    );
  };
