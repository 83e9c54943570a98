import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import Fastify, { type FastifyRequest } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { afterEach, expect, test } from "vitest";
import { loadOrganisation } from "../catalog/organisation.ts";
import { register } from "../catalog/store.ts";
import { decide } from "../identity/access.ts";
import { forbidden } from "../identity/faults.ts";
import type { Action, Principal, Subject } from "../identity/model.ts";
import { ensurePerson } from "../identity/store.ts";
import { systemClock } from "../kernel/clock.ts";
import { silentLog as log } from "../kernel/log.ts";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { inbox } from "../notifications/store.ts";
import type { Orchestrator } from "../orchestrator/contract.ts";
import { startOrchestrator } from "../orchestrator/orchestrator.ts";
import { run as findRun } from "../orchestrator/store.ts";
import { aSubject } from "../policy/a-subject.ts";
import { passing } from "../policy/break-glass.ts";
import { breakGlassRoutes } from "../policy/break-glass-routes.ts";
import { breakGlasses, findBreakGlass, openBreakGlasses, usesOf } from "../policy/break-glass-store.ts";
import { loadPolicies } from "../policy/bundle.ts";
import { judge } from "../policy/judge.ts";
import { keep } from "../policy/store.ts";
import { shippedEnvironments } from "../releases/a-rollout.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { testDatabase } from "../testing/database.ts";
import { anEntity, aPerson } from "../testing/organisation.ts";
import { breakGlass, breakGlassDesk } from "./break-glass.ts";
import { reliefEnded, reliefsFor } from "./reliefs.ts";
import { TOLD_EVENTS, tellOf } from "./tell.ts";

const policies = await loadPolicies(join(import.meta.dirname, "../../library/policies"));
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const [ada, bob, eve] = [aPerson("ada"), aPerson("bob"), aPerson("eve", { groups: [] })];

/** A platform of one team and one service, with the real routes, desk and workflow; `now` is turned by the test. */
async function stage(members: string[] = ["ada", "bob"]) {
  const { db, url } = await testDatabase();
  const clock = testClock();
  await transact(db, async (tx) => {
    const team = anEntity("Group", "team-a", { type: "team", children: [], members });
    await loadOrganisation(tx, clock, "system:test", [team, ...members.map((name) => anEntity("User", name, { memberOf: ["team-a"] }))]);
    const service = { name: "orders", description: "", owner_team: "team-a", lifecycle: "production" as const, repository_url: "" };
    await register(tx, clock, "system:test", service);
  });
  const parts = { db, clock, policies, environments: shippedEnvironments };
  const orchestrator = await startOrchestrator({ databaseUrl: url, db, clock, log, workflows: [breakGlass], parts });
  closing.push(() => orchestrator.close());
  const desk = breakGlassDesk(parts, orchestrator);
  let caller = ada;
  const app = Fastify().setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("principal", { getter: () => caller } as never);
  app.decorateRequest("can", async function can(this: FastifyRequest, action: Action, subject: Subject = {}) {
    const decision = decide(caller, action, subject);
    if (!decision.allowed) throw forbidden(caller, action, subject, decision);
  });
  await app.register(breakGlassRoutes({ db, clock, desk }));
  const post = async (by: Principal, path: string, body: object) => {
    caller = by;
    const answer = await app.inject({ method: "POST", url: path, payload: body });
    return { status: answer.statusCode, ...answer.json<Record<string, unknown> & { id: string }>() };
  };
  const open = (by: Principal, over: object = {}) =>
    post(by, "/break-glass", { service: "orders", seconds: 3600, because: "the shop is down", ...over });
  const told = async () => {
    const told = { db, clock, forge: {} as never, publicUrl: "http://cairn.test", review: async () => ({}) as never };
    for (const event of await events(db, { types: TOLD_EVENTS, limit: 500 })) await tellOf(told, event);
  };
  const inboxOf = async ({ ref, groups, administrator }: Principal) => {
    await told();
    return (await inbox(db, { ref, groups, administrator }, { limit: 50 })).items.map(({ kind }) => kind).toSorted();
  };
  const typesOf = async () => (await events(db, { about: "component:default/orders", limit: 500 })).map(({ type }) => type);
  return { db, url, clock, app, open, post, inboxOf, typesOf, orchestrator };
}

const unproven = aSubject({ evidence: { provenance: { revoked: true } } });
const relieved = async (at: Awaited<ReturnType<typeof stage>>) =>
  judge(unproven, policies, at.clock.now(), await reliefsFor(at.db, "orders", at.clock.now()));

test("opening is refused to who does not own the service, without a reason, beyond its bounds, and for what does not yield", async () => {
  const { db, open } = await stage();
  expect(await open(eve)).toMatchObject({ status: 403, code: "identity.forbidden" });
  expect(await open(aPerson("ada", { scopes: ["read"] }))).toMatchObject({ status: 403 });
  expect(await open(aPerson("deliver", { kind: "system", ref: "system:deliver" }))).toMatchObject({ code: "policy.break_glass_no_person" });
  expect(await open(ada, { because: "  down     " })).toMatchObject({ status: 422, code: "http.invalid" });
  for (const seconds of [0, 59, 4 * 3600 + 1, -1])
    expect(await open(ada, { seconds })).toMatchObject({ code: "policy.break_glass_bounds" });
  expect(await open(ada, { seconds: 1.5 })).toMatchObject({ status: 422 });
  expect(await open(ada, { environment: "prod" })).toMatchObject({
    code: "policy.break_glass_environment_unknown",
    next: expect.stringContaining("production") as string,
  });
  expect(await open(ada, { rules: ["nonsense"] })).toMatchObject({ code: "policy.break_glass_rule_unknown" });
  for (const rule of ["owner-exists", "not-quarantined"])
    expect(await open(ada, { rules: [rule] })).toMatchObject({ status: 403, code: "policy.break_glass_rule_firm" });
  expect(await open(ada, { service: "parcels" })).toMatchObject({ status: 404 });
  expect(await breakGlasses(db, new Date())).toEqual([]);
});

test("a break-glass lets pass what it names, keeps what would have been denied, and tells others at once", async () => {
  const at = await stage();
  const { db, clock, open, inboxOf, app } = at;
  expect((await relieved(at)).outcome).toBe("deny");
  const opened = await open(ada, { environment: "production", rules: ["provenance-verified"] });
  expect(opened).toMatchObject({ status: 201, state: "open", witnesses: [bob.ref], warnings: [], until: "2026-03-01T13:00:00.000Z" });
  const judgement = await relieved(at);
  expect(judgement.outcome).not.toBe("deny");
  expect(judgement.results.find(({ rule }) => rule === "provenance-verified")).toMatchObject({ outcome: "denied", relievedBy: opened.id });
  // Elsewhere, and other rules, are as they were.
  const reliefs = await reliefsFor(db, "orders", clock.now());
  const elsewhere = aSubject({ environment: { name: "staging", production: false }, evidence: { provenance: { revoked: true } } });
  expect(judge(elsewhere, policies, clock.now(), reliefs).outcome).toBe("deny");
  expect(
    judge(aSubject({ evidence: { provenance: { revoked: true }, tests: { failed: 1, result: "failed" } } }), policies, clock.now(), reliefs)
      .outcome,
  ).toBe("deny");
  const glasses = await openBreakGlasses(db, "orders", clock.now());
  expect(passing(glasses, "windows", "production", clock.now())).toBeUndefined();
  expect(await inboxOf(bob)).toEqual(["break_glass.opened"]);
  expect(await inboxOf(ada)).toEqual([]);
  expect(await inboxOf(eve)).toEqual([]);
  // What was done under it is listed.
  const grounds = { subject: unproven, bundle: policies, reliefs };
  const { id } = await transact(db, (tx) => keep(tx, clock, "system:deliver", grounds, judgement));
  expect(await usesOf(db, await findBreakGlass(db, opened.id))).toMatchObject([{ type: "policy.decided", data: { decision: id } }]);
  expect((await app.inject(`/break-glass/${opened.id}`)).json()).toMatchObject({ uses: [{ data: { decision: id } }] });
  expect(await reliefEnded(db, id, clock.now())).toBeUndefined();
  clock.turn(3600);
  expect(await reliefEnded(db, id, clock.now())).toContain(opened.id);
});

test("with * it passes every gate and every rule that yields, never the firm ones", async () => {
  const at = await stage();
  const { db, clock, open } = at;
  const { id } = await open(ada);
  const reliefs = await reliefsFor(db, "orders", clock.now());
  const barred = aSubject({ quarantine: { quarantined: true, by: "rel-1", because: "worse" } });
  expect(judge(barred, policies, clock.now(), reliefs)).toMatchObject({ outcome: "deny" });
  expect(judge(aSubject({ service: { ownerExists: false } }), policies, clock.now(), reliefs)).toMatchObject({ outcome: "deny" });
  const glasses = await openBreakGlasses(db, "orders", clock.now());
  for (const gate of ["production-approval", "windows"] as const) expect(passing(glasses, gate, "production", clock.now())?.id).toBe(id);
});

test("it ends on time by the clock alone; its follow-up stays open until somebody else has reviewed it", async () => {
  const at = await stage();
  const { db, clock, open, post, inboxOf, typesOf } = at;
  const { id } = await open(ada, { seconds: 60 });
  expect(await post(bob, `/break-glass/${id}/review`, { because: "it looks all right" })).toMatchObject({
    status: 412,
    code: "policy.break_glass_still_open",
  });
  clock.turn(59.999);
  expect((await relieved(at)).outcome).not.toBe("deny");
  clock.turn(0.001);
  expect((await relieved(at)).outcome).toBe("deny");
  expect(passing([await findBreakGlass(db, id)], "windows", "production", clock.now())).toBeUndefined();
  expect(await post(ada, `/break-glass/${id}/close`, { because: "it is over by now" })).toMatchObject({
    status: 409,
    code: "policy.break_glass_not_open",
  });
  expect(await post(ada, `/break-glass/${id}/review`, { because: "my own is all right" })).toMatchObject({
    status: 403,
    code: "policy.break_glass_own_review",
  });
  const borrowed = aPerson("bob", { kind: "token", tokenBy: ada.ref });
  expect(await post(borrowed, `/break-glass/${id}/review`, { because: "bob's token, made by ada" })).toMatchObject({
    code: "policy.break_glass_own_review",
  });
  expect(await post(eve, `/break-glass/${id}/review`, { because: "not my business" })).toMatchObject({ code: "identity.forbidden" });
  expect(await breakGlasses(db, clock.now(), { state: "to_review" })).toHaveLength(1);
  expect(await post(bob, `/break-glass/${id}/review`, { because: "it was needed; tests added" })).toMatchObject({
    status: 200,
    state: "reviewed",
    review: { by: bob.ref },
  });
  expect(await post(bob, `/break-glass/${id}/review`, { because: "once more to be sure" })).toMatchObject({
    status: 409,
    code: "policy.break_glass_reviewed",
  });
  expect(await breakGlasses(db, clock.now(), { state: "to_review" })).toEqual([]);
  expect((await typesOf()).filter((type) => type === "policy.break_glass_review_refused")).toHaveLength(2);
  expect(await inboxOf(ada)).toEqual(["break_glass.reviewed"]);
});

test("ended before its time, it asks for its review at once, and its workflow follows", async () => {
  const { db, open, post, inboxOf, orchestrator, typesOf } = await stage();
  const { id } = await open(ada);
  await expect
    .poll(async () => (await findRun(db, `break-glass-${id}`)).steps[0]?.waitsFor, { timeout: 20_000 })
    .toContain(`cairn break-glass close ${id}`);
  expect(await post(bob, `/break-glass/${id}/close`, { because: "not needed any more" })).toMatchObject({
    status: 200,
    state: "to_review",
    closed: { by: bob.ref },
  });
  expect(await openBreakGlasses(db, "orders", new Date("2026-03-01T12:00:00Z"))).toEqual([]);
  expect(await inboxOf(bob)).toEqual(["break_glass.follow_up", "break_glass.opened"]);
  await expect
    .poll(async () => (await findRun(db, `break-glass-${id}`)).steps[2]?.waitsFor, { timeout: 20_000 })
    .toContain(`cairn break-glass review ${id}`);
  await expect(orchestrator.cancel(`break-glass-${id}`, "never mind", ada.ref)).rejects.toMatchObject({ code: "orchestrator.past_return" });
  await post(bob, `/break-glass/${id}/review`, { because: "nothing was done under it" });
  expect(await orchestrator.result(`break-glass-${id}`)).toEqual({ reviewedBy: bob.ref });
  expect((await typesOf()).filter((type) => type.startsWith("policy.break_glass"))).toEqual([
    "policy.break_glass_opened",
    "policy.break_glass_closed",
    "policy.break_glass_reviewed",
  ]);
});

test("where there is no second person that is recorded and warned of, until an administrator is one", async () => {
  const { db, clock, open } = await stage(["ada"]);
  expect(await open(ada)).toMatchObject({ witnesses: [], warnings: [expect.stringContaining("no second person")] });
  expect(await events(db, { types: ["policy.break_glass_opened"] })).toMatchObject([{ data: { alone: true, witnesses: [] } }]);
  await transact(db, (tx) =>
    ensurePerson(tx, clock, "system:test", { ref: "user:default/root", displayName: "Root", administrator: true }),
  );
  expect(await open(ada)).toMatchObject({ witnesses: ["user:default/root"], warnings: [] });
});

test("killed while it is open, it is over on time all the same; the next process opens the follow-up, once", async () => {
  const { db, url } = await testDatabase();
  const clock = systemClock;
  const program = join(import.meta.dirname, "break-glass-fixture.ts");
  const child = spawn(process.execPath, [program, JSON.stringify({ databaseUrl: url, seconds: 2 })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [first] = (await once(child.stdout, "data")) as [Buffer];
  const id = first.toString().trim();
  const glass = await findBreakGlass(db, id);
  await expect.poll(async () => (await findRun(db, `break-glass-${id}`)).state, { timeout: 20_000 }).toMatch(/running|waiting/);
  child.kill("SIGKILL");
  await once(child, "close");
  const atEnd = { now: () => glass.until };
  const before = { now: () => new Date(glass.until.getTime() - 1) };
  expect((await reliefsFor(db, "orders", before.now())).map((relief) => relief.id)).toEqual([id]);
  expect(await reliefsFor(db, "orders", atEnd.now())).toEqual([]);
  const start = async (): Promise<Orchestrator> =>
    startOrchestrator({ databaseUrl: url, db, clock, log, workflows: [breakGlass], parts: { clock } });
  const next = await start();
  closing.push(() => next.close());
  await expect.poll(async () => (await findBreakGlass(db, id)).followUpSince, { timeout: 30_000 }).not.toBeNull();
  expect((await findBreakGlass(db, id)).followUpSince!.getTime()).toBeGreaterThanOrEqual(glass.until.getTime());
  await next.close();
  const last = await start();
  closing.push(() => last.close());
  const desk = breakGlassDesk({ db, clock, policies, environments: shippedEnvironments }, last);
  await desk.review(id, "what was done was needed", bob);
  expect(await last.result(`break-glass-${id}`)).toEqual({ reviewedBy: bob.ref });
  expect((await events(db, { about: "component:default/orders" })).map(({ type }) => type)).toEqual([
    "policy.break_glass_opened",
    "policy.break_glass_expired",
    "policy.break_glass_reviewed",
  ]);
}, 90_000);
