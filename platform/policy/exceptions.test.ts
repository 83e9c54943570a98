import { join } from "node:path";
import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { beforeEach, expect, test } from "vitest";
import { decide } from "../identity/access.ts";
import { forbidden } from "../identity/faults.ts";
import type { Action, Principal, Subject } from "../identity/model.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { aSubject } from "./a-subject.ts";
import { bundleOf, loadPolicies, type PolicyDocument } from "./bundle.ts";
import { exceptionRoutes } from "./exception-routes.ts";
import { exceptionsFor, grantException, listExceptions } from "./exceptions.ts";
import { judge } from "./judge.ts";

const library = await loadPolicies(join(import.meta.dirname, "../../library/policies"));
/** The library's rules, with a group that may grant exceptions from one of them. */
const bundle = bundleOf({
  policies: library.document.policies.map((policy): PolicyDocument => {
    if (policy.metadata.name !== "scan-clean") return policy;
    const annotations = { ...policy.metadata.annotations, "cairn.dev/exceptions": "group:default/security" };
    return { ...policy, metadata: { ...policy.metadata, annotations } };
  }),
});
const because = "the scanner is being installed";
let clock = testClock();
beforeEach(() => void (clock = testClock()));

const person = (name: string, groups: string[] = [], administrator = false): Principal => ({
  ref: `user:default/${name}`,
  kind: "person",
  displayName: name,
  scopes: ["read", "write", ...(administrator ? (["admin"] as const) : [])],
  groups: groups.map((group) => `group:default/${group}`),
  administrator,
});
const [author, colleague, guard, administrator] = [
  person("ada", ["shop", "security"]),
  person("grace", ["shop"]),
  person("sam", ["security"]),
  person("root", [], true),
];

async function surface(db: Db, caller: () => Principal) {
  const app = Fastify().setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("principal", { getter: caller });
  app.decorateRequest("can", async (action: Action, subject: Subject = {}) => {
    const decision = decide(caller(), action, subject);
    if (!decision.allowed) throw forbidden(caller(), action, subject, decision);
  });
  await app.register(
    exceptionRoutes({
      db,
      clock,
      bundle,
      environments: ["dev", "production"],
      ownerOf: async () => "group:default/shop",
      authorsOf: async () => [author.ref],
    }),
  );
  return app;
}

const inHours = (hours: number) => new Date(clock.now().getTime() + hours * 3_600_000).toISOString();

test("exceptions are granted by the declared group or an administrator, and never for one's own work", async () => {
  const db = await database();
  let caller = author;
  const app = await surface(db, () => caller);
  const grant = async (by: Principal, body: object) => {
    caller = by;
    const answered = await app.inject({
      method: "POST",
      url: "/exceptions",
      payload: { service: "orders", because, until: inHours(8), ...body },
    });
    return answered.json<{ id?: string; code?: string; detail?: string }>();
  };
  expect(await grant(colleague, { rules: ["scan-clean"] })).toMatchObject({
    code: "identity.forbidden",
    detail: expect.stringContaining("group:default/security"),
  });
  expect(await grant(author, { rules: ["scan-clean"] })).toMatchObject({
    code: "identity.forbidden",
    detail: expect.stringContaining("your own work"),
  });
  expect(await grant({ ...author, administrator: true, scopes: ["admin"] }, { rules: ["scan-clean"] })).toMatchObject({
    code: "identity.forbidden",
  });
  // For two rules at once one must be allowed to grant both.
  expect(await grant(guard, { rules: ["scan-clean", "tests-passed"] })).toMatchObject({ code: "identity.forbidden" });
  expect(await grant(guard, { rules: ["scan-clean"] })).toMatchObject({ id: expect.stringMatching(/^exc_/) });
  expect(await grant(administrator, { rules: ["scan-clean", "tests-passed"], environment: "production" })).toMatchObject({
    id: expect.any(String),
  });

  expect(await grant(administrator, { rules: ["not-quarantined"] })).toMatchObject({ code: "policy.exception_not_allowed" });
  expect(await grant(administrator, { rules: ["no-such-rule"] })).toMatchObject({ code: "policy.exception_rule_unknown" });
  expect(await grant(administrator, { rules: ["scan-clean"], until: inHours(-1) })).toMatchObject({ code: "policy.exception_time" });
  expect(await grant(administrator, { rules: ["scan-clean"], until: inHours(24 * 91) })).toMatchObject({ code: "policy.exception_time" });
  expect(await grant(administrator, { rules: ["scan-clean"], environment: "moon" })).toMatchObject({
    code: "policy.exception_environment",
  });
  expect(await grant(administrator, { rules: ["scan-clean"], until: undefined })).toMatchObject({ status: 422 });
  expect(await grant(administrator, { rules: [] })).toMatchObject({ status: 422 });
  expect(await listExceptions(db, clock.now(), {})).toHaveLength(2);
  expect((await events(db, { types: ["policy.exception_granted"] })).map(({ actor }) => actor).toSorted()).toEqual([
    administrator.ref,
    guard.ref,
  ]);
});

test("an exception speaks for its service, environment and rules, until just before its end or until it is ended", async () => {
  const db = await database();
  let caller = administrator;
  const app = await surface(db, () => caller);
  const until = new Date(inHours(8));
  const { id } = await transact(db, (tx) =>
    grantException(tx, clock, administrator.ref, bundle, {
      service: "orders",
      environment: "production",
      rules: ["tests-passed"],
      because,
      until,
    }),
  );
  const judged = async (overrides: object = {}) => {
    const subject = aSubject({ evidence: { tests: null }, ...overrides });
    const { outcome, results } = judge(subject, bundle, clock.now(), await exceptionsFor(db, subject.service.name, clock.now()));
    return [outcome, results.find(({ rule }) => rule === "tests-passed")?.relievedBy];
  };
  expect(await judged()).toEqual(["warn", id]);
  expect(await judged({ environment: { name: "staging", production: false } })).toEqual(["deny", null]);
  expect(await judged({ service: { name: "payments" } })).toEqual(["deny", null]);
  expect(await judged({ slo: { present: false, edited: false }, service: { tier: "tier-2" } })).toEqual(["deny", id]);
  clock.turn(8 * 3600 - 1);
  expect(await judged()).toEqual(["warn", id]);
  clock.turn(1);
  expect(await judged()).toEqual(["deny", null]);
  expect((await listExceptions(db, clock.now(), {}))[0]).toMatchObject({ id, state: "expired", ended: null });

  const { id: second } = await transact(db, (tx) =>
    grantException(tx, clock, administrator.ref, bundle, {
      service: "orders",
      environment: null,
      rules: ["tests-passed"],
      because,
      until: new Date(inHours(1)),
    }),
  );
  expect(await judged()).toEqual(["warn", second]);
  caller = guard;
  const end = async () =>
    (await app.inject({ method: "POST", url: `/exceptions/${second}/end`, payload: { because: "the report is found" } })).json<object>();
  expect(await end()).toMatchObject({ code: "identity.forbidden" });
  // Whose service it is may do without.
  caller = colleague;
  expect(await end()).toMatchObject({ id: second, state: "ended", ended: { by: colleague.ref } });
  expect(await end()).toMatchObject({ code: "policy.exception_ended" });
  expect(await judged()).toEqual(["deny", null]);
  expect((await app.inject("/exceptions?holding=true")).json()).toEqual({ exceptions: [] });
  expect((await events(db, { types: ["policy.exception_ended"] })).map(({ data }) => data.exception)).toEqual([second]);
});
