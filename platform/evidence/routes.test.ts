import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { expect, test } from "vitest";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { aBuilder, ARTIFACT, aProvenance, COMMIT } from "./fixture.ts";
import { evidenceRoutes } from "./routes.ts";
import { file } from "./store.ts";

test("the routes give what was proven about an artifact, and each envelope as it was signed", async () => {
  const db = await database();
  const { signer, key } = aBuilder();
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("can", async () => {});
  await app.register(evidenceRoutes({ db }), { prefix: "/api" });
  const get = async (path: string) => (await app.inject({ url: `/api${path}` })).json();

  expect(await get(`/evidence?artifact=${ARTIFACT}`)).toEqual({ artifact: null, evidence: [] });
  expect(await get("/evidence?artifact=latest")).toMatchObject({ status: 422 });
  expect(await get(`/evidence/${ARTIFACT}`)).toMatchObject({ status: 404, code: "evidence.missing" });
  const envelope = signer.sign(aProvenance());
  const [provenance] = await file(db, testClock(), [key], {
    artifact: { digest: ARTIFACT, sizeBytes: 10, repository: "orders", commit: COMMIT, ciRun: "run-1", path: "/private/one.tar.gz" },
    envelopes: [envelope],
    actor: "system:ci",
  });
  const answer = await get(`/evidence?artifact=${ARTIFACT}`);
  expect(answer).toMatchObject({
    artifact: { digest: ARTIFACT, sizeBytes: 10 },
    evidence: [{ kind: "provenance", isolated: false, revokedBecause: null }],
  });
  expect(JSON.stringify(answer)).not.toContain("/private");
  expect(await get(`/evidence/${provenance?.digest}`)).toMatchObject({ evidence: { digest: provenance?.digest }, envelope });
});
