import { join } from "node:path";
import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { expect, test } from "vitest";
import { systemPrincipal } from "../identity/model.ts";
import { digestOf } from "../kernel/digest.ts";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { aSubject } from "./a-subject.ts";
import { loadPolicies } from "./bundle.ts";
import { judge } from "./judge.ts";
import { replayed } from "./portable.ts";
import { policyRoutes } from "./routes.ts";
import { bundleOfDecision, find, keep, noteBundle } from "./store.ts";

const clock = testClock();
const bundle = await loadPolicies(join(import.meta.dirname, "../../library/policies"));

test("keep() keeps a judgement once, with documents that replay to it, and records it", async () => {
  const db = await database();
  const subject = aSubject({ evidence: { tests: null } });
  const judgement = judge(subject, bundle, clock.now(), []);
  const kept = await Promise.all(
    [1, 2, 3].map(() => transact(db, (tx) => keep(tx, clock, "system:deliver", { subject, bundle, reliefs: [] }, judgement))),
  );
  const decision = await find(db, kept[0]?.id ?? "");
  expect(new Set(kept.map(({ id }) => id)).size).toBe(1);
  expect(decision).toEqual(kept[0]);
  expect(replayed(JSON.parse(JSON.stringify(await bundleOfDecision(db, decision))))).toMatchObject({
    same: true,
    differences: [],
    outcome: "deny",
  });
  const lines = await events(db, { types: ["policy.decided"] });
  expect(lines).toMatchObject([
    { about: "component:default/orders", data: { decision: decision.id, outcome: "deny", rules: { "tests-passed": "unknown" } } },
  ]);
  await expect(find(db, "dec_none")).rejects.toMatchObject({ code: "policy.decision_missing" });
});

test("noteBundle() records other rules once, and names those that came, went and changed", async () => {
  const db = await database();
  const [first, changed, ...others] = bundle.document.policies;
  const withRules = (policies: typeof others) => ({ ...bundle, digest: digestOf({ policies }), document: { policies } });
  const fewer = withRules([changed!, ...others]);
  const other = withRules([{ ...changed!, spec: { ...changed!.spec, failurePolicy: "Ignore" as never } }, ...others]);
  for (const each of [bundle, bundle, fewer, other, other]) await transact(db, (tx) => noteBundle(tx, clock, each));
  expect((await events(db, { types: ["policy.bundle_changed"] })).map(({ data }) => [data.before, data.changed])).toEqual([
    [null, []],
    [bundle.digest, [first!.metadata.name]],
    [fewer.digest, [changed!.metadata.name]],
  ]);
});

test("GET /policies and GET /decisions/{id} show rules, answers and facts", async () => {
  const db = await database();
  const app = Fastify().setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("principal", { getter: () => systemPrincipal("test") });
  app.decorateRequest("can", async () => {});
  await app.register(
    policyRoutes({
      db,
      clock,
      bundle,
      surroundings: {
        environments: [],
        groups: async () => ["group:default/shop"],
        tiers: async () => ({}),
        rotations: async () => ({}),
        reliefs: async () => [],
      },
    }),
  );
  const subject = aSubject({ service: { ownerExists: false } });
  const { id } = await transact(db, (tx) =>
    keep(tx, clock, "system:deliver", { subject, bundle, reliefs: [] }, judge(subject, bundle, clock.now(), [])),
  );
  expect((await app.inject("/policies")).json()).toMatchObject({ bundle: bundle.digest, rules: { length: bundle.rules.length } });
  expect((await app.inject(`/decisions/${id}`)).json()).toMatchObject({ id, outcome: "deny", facts: { service: { name: "orders" } } });
  const exported: unknown = (await app.inject(`/decisions/${id}/bundle`)).json();
  expect(replayed(exported)).toMatchObject({ decision: id, same: true });
  expect((await app.inject("/policies/bundle")).json()).toMatchObject({
    digest: digestOf(bundle.document),
    groups: ["group:default/shop"],
  });
  expect((await app.inject("/decisions/dec_none")).json()).toMatchObject({ status: 404, code: "policy.decision_missing" });
});
