import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify, { type FastifyInstance } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { expect, onTestFinished, test } from "vitest";
import { forbidden } from "../identity/faults.ts";
import { decide } from "../identity/access.ts";
import type { Action, Principal, Subject } from "../identity/model.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { beginRelease, carriedBy, endRelease, planRelease } from "../releases/store.ts";
import { aRollout } from "../releases/a-rollout.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { cite, reopenedBecause } from "./citations.ts";
import { loadBuilders } from "./builders.ts";
import { aBuilder, ARTIFACT, aProvenance, aScan, aStatement, COMMIT } from "./fixture.ts";
import { evidenceRoutes } from "./routes.ts";
import { evidenceFor, file, revoke } from "./store.ts";
import type { BuilderKey } from "./verify.ts";

const clock = testClock();
const WHY = { because: "the build machine was broken into" };

const aPerson = (over: Partial<Principal> = {}): Principal => ({
  ref: "user:default/ada",
  kind: "person",
  displayName: "Ada",
  scopes: ["read", "write"],
  groups: ["group:default/team-a"],
  administrator: false,
  ...over,
});

/** The routes as one person meets them, with the real decision about access. */
async function surfaceFor(db: Db, principal = aPerson(), keys: readonly BuilderKey[] = []): Promise<FastifyInstance> {
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("principal", { getter: () => principal });
  app.decorateRequest("can", async (action: Action, subject: Subject = {}) => {
    const decision = decide(principal, action, subject);
    if (!decision.allowed) throw forbidden(principal, action, subject, decision);
  });
  await app.register(evidenceRoutes({ db, clock, keys, ownerOf: async () => "team-a", carriedBy }), { prefix: "/api" });
  return app;
}

const artifactFiled = {
  digest: ARTIFACT,
  sizeBytes: 10,
  repository: "orders",
  commit: COMMIT,
  ciRun: "run-1",
  path: "/private/one.tar.gz",
};

async function filed(db: Db) {
  const { signer, key } = aBuilder();
  const envelope = signer.sign(aProvenance());
  const [provenance] = await file(db, clock, [key], {
    artifact: artifactFiled,
    envelopes: [envelope],
    actor: "system:ci",
  });
  if (!provenance) throw new Error("nothing was filed");
  return { envelope, provenance };
}

test("the routes give what was proven about an artifact, and each envelope as it was signed", async () => {
  const db = await database();
  const app = await surfaceFor(db);
  const get = async (path: string) => (await app.inject({ url: `/api${path}` })).json();

  expect(await get(`/evidence?artifact=${ARTIFACT}`)).toEqual({ artifact: null, evidence: [] });
  expect(await get("/evidence?artifact=latest")).toMatchObject({ status: 422 });
  expect(await get(`/evidence/${ARTIFACT}`)).toMatchObject({ status: 404, code: "evidence.missing" });
  const { envelope, provenance } = await filed(db);
  const answer = await get(`/evidence?artifact=${ARTIFACT}`);
  expect(answer).toMatchObject({
    artifact: { digest: ARTIFACT, sizeBytes: 10 },
    evidence: [{ kind: "provenance", isolated: false, revokedBecause: null }],
  });
  expect(JSON.stringify(answer)).not.toContain("/private");
  expect(await get(`/evidence/${provenance.digest}`)).toMatchObject({
    evidence: { digest: provenance.digest },
    envelope,
    decisions: [],
    releases: [],
  });
});

test("evidence from elsewhere is taken in where a trusted key signed it, and every other is refused and recorded", async () => {
  const db = await database();
  const { signer, key } = aBuilder();
  await file(db, clock, [key], { artifact: artifactFiled, envelopes: [signer.sign(aProvenance())], actor: "system:ci" });
  const post = async (envelope: unknown, over: object = {}, principal = aPerson()) => {
    const app = await surfaceFor(db, principal, [key]);
    const payload = { artifact: ARTIFACT, repository: "orders", commit: COMMIT, envelopes: [envelope], ...over };
    return app.inject({ method: "POST", url: "/api/evidence", payload });
  };
  const code = async (...asked: Parameters<typeof post>) => (await post(...asked)).json().code;
  expect((await post(signer.sign(aScan([9.8])))).json()).toMatchObject({ evidence: [{ kind: "scan", result: "failed" }] });

  expect(await code(aBuilder().signer.sign(aScan()))).toBe("evidence.signature_invalid");
  expect(await code(signer.sign(aProvenance({ artifact: `sha256:${"0".repeat(64)}` })))).toBe("evidence.other_artifact");
  expect(await code(signer.sign(aProvenance({ repository: "payments" })))).toBe("evidence.other_source");
  expect(await code(signer.sign(aProvenance({ commit: "d".repeat(40) })))).toBe("evidence.other_source");
  expect(await code(signer.sign(aProvenance({ builder: "https://builders.example/two" })))).toBe("evidence.other_builder");
  expect(await code(signer.sign(aScan([], "2026-02-01T11:00:00.000Z")))).toBe("evidence.not_now");
  expect(await code({ signed: "by nobody" })).toBe("evidence.envelope_invalid");
  expect(await code(signer.sign(aStatement("https://example.com/said-so/v1", {})))).toBe("evidence.predicate_unknown");
  expect(await code(signer.sign(aProvenance()), { artifact: `sha256:${"1".repeat(64)}` })).toBe("evidence.no_provenance");
  const refused = await events(db, { types: ["evidence.refused"] });
  expect(refused.map(({ actor, data }) => [actor, data.code])).toEqual(
    "signature_invalid other_artifact other_source other_source other_builder not_now envelope_invalid predicate_unknown no_provenance"
      .split(" ")
      .map((what) => ["user:default/ada", `evidence.${what}`]),
  );

  expect(await code(signer.sign(aScan()), {}, aPerson({ groups: [] }))).toBe("identity.forbidden");
  expect((await post(signer.sign(aScan()), { commit: "main" })).statusCode).toBe(422);
  expect(await evidenceFor(db, ARTIFACT)).toHaveLength(2);
});

test("loadBuilders() refuses what is no list of keys, and says which file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-builders-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "builders.yaml");
  expect(await loadBuilders(path)).toEqual([]);
  const { key } = aBuilder();
  const load = async (builders: unknown) => {
    await writeFile(path, JSON.stringify(builders));
    return loadBuilders(path);
  };
  const publicKey = key.publicKey.export({ type: "spki", format: "pem" });
  expect(await load([{ id: "one", publicKey }])).toMatchObject([{ builder: "one", keyId: key.keyId }]);
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ type: "spki", format: "pem" });
  for (const wrong of [{}, [{ id: "one" }], [{ id: "one", publicKey: "none" }], [{ id: "one", publicKey: weak }]])
    await expect(load(wrong)).rejects.toMatchObject({ code: "evidence.builders_invalid", message: expect.stringContaining(path) });
});

test("revoking is refused to strangers and readers, without a reason, and for what is not there", async () => {
  const db = await database();
  const { provenance } = await filed(db);
  const revokeAs = async (principal: Principal, digest: string, payload: object = WHY) =>
    (await (await surfaceFor(db, principal)).inject({ method: "POST", url: `/api/evidence/${digest}/revoke`, payload })).json();
  expect(await revokeAs(aPerson({ groups: [] }), provenance.digest)).toMatchObject({ status: 403, code: "identity.forbidden" });
  expect(await revokeAs(aPerson({ kind: "token", scopes: ["read"] }), provenance.digest)).toMatchObject({ status: 403 });
  expect(await revokeAs(aPerson(), provenance.digest, { because: "  " })).toMatchObject({ status: 422 });
  expect(await revokeAs(aPerson(), ARTIFACT)).toMatchObject({ status: 404, code: "evidence.missing" });
  expect((await evidenceFor(db, ARTIFACT)).map((one) => one.revokedBecause)).toEqual([null]);
  expect(await events(db, { types: ["evidence.revoked"] })).toEqual([]);
});

test("revoking re-opens the decisions that cite it and says which releases they carry; the first reason stands", async () => {
  const db = await database();
  const { provenance } = await filed(db);
  const release = async (id: string, service: string, decision: string, promoted: boolean) => {
    await transact(db, async (tx) => {
      await cite(tx, clock, decision, [provenance]);
      const plan = { service, environment: "production", commit: COMMIT, artifactDigest: ARTIFACT, revision: id, plan: ARTIFACT };
      await planRelease(tx, clock, "system:test", { ...plan, id, decision, stepsPercent: [100] });
      await beginRelease(tx, clock, "system:test", id, { decision, rules: aRollout().rules });
      if (promoted) await endRelease(tx, clock, "system:test", id, { state: "promoted", because: "healthy" });
    });
    clock.turn(1);
  };
  await release("rel_old", "orders", "dec_old", true);
  await release("rel_serves", "orders", "dec_serves", true);
  await release("rel_underway", "invoices", "dec_underway", false);

  const app = await surfaceFor(db);
  const revoked = async (because: string) =>
    (await app.inject({ method: "POST", url: `/api/evidence/${provenance.digest}/revoke`, payload: { because } })).json();
  const answer = await revoked(WHY.because);
  expect(answer).toMatchObject({ evidence: { revokedBecause: WHY.because } });
  expect(answer.decisions.map((one: { decision: string }) => one.decision)).toEqual(["dec_underway", "dec_serves", "dec_old"]);
  expect(answer.decisions.every((one: { reopenedAt: string | null }) => one.reopenedAt !== null)).toBe(true);
  expect(answer.releases).toEqual([
    { id: "rel_underway", service: "invoices", environment: "production", state: "rolling_out", decision: "dec_underway" },
    { id: "rel_serves", service: "orders", environment: "production", state: "promoted", decision: "dec_serves" },
  ]);
  expect(await reopenedBecause(db, "dec_serves")).toContain(WHY.because);

  expect(await revoked("another reason")).toEqual(answer);
  const lines = await events(db, { types: ["evidence.revoked"] });
  expect(lines.map(({ actor, data }) => ({ actor, ...data }))).toMatchObject([
    { actor: "user:default/ada", because: WHY.because, decisions: ["dec_old", "dec_serves", "dec_underway"] },
  ]);
});

test("a decision that is kept after evidence it read was revoked is re-opened from the start; one that saw it revoked stands", async () => {
  const db = await database();
  const { provenance } = await filed(db);
  await transact(db, (tx) => revoke(tx, clock, "system:test", provenance.digest, WHY.because));
  await transact(db, (tx) => cite(tx, clock, "dec_late", [provenance]));
  await transact(db, async (tx) => cite(tx, clock, "dec_knowing", await evidenceFor(tx, ARTIFACT)));
  expect(await reopenedBecause(db, "dec_late")).toContain(WHY.because);
  expect(await reopenedBecause(db, "dec_knowing")).toBeUndefined();
});
