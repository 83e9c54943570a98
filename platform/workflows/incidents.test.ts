import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import Fastify, { type FastifyRequest } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { afterEach, expect, test } from "vitest";
import { loadOrganisation } from "../catalog/organisation.ts";
import { register, removeEntities } from "../catalog/store.ts";
import { decide } from "../identity/access.ts";
import { forbidden } from "../identity/faults.ts";
import type { Action, Principal, Subject } from "../identity/model.ts";
import { incidentRoutes } from "../incidents/routes.ts";
import { findIncident } from "../incidents/store.ts";
import { silentLog as log } from "../kernel/log.ts";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { inbox } from "../notifications/store.ts";
import { noteAlert } from "../observability/store.ts";
import { startOrchestrator } from "../orchestrator/orchestrator.ts";
import { run as findRun } from "../orchestrator/store.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { testDatabase } from "../testing/database.ts";
import { anEntity, aPerson } from "../testing/organisation.ts";
import { answerIncident, followIncident, INCIDENT_EVENTS } from "./answer-incident.ts";
import { ALERT_EVENTS, incidentDesk, takeAlert } from "./incident-desk.ts";
import { TOLD_EVENTS, tellOf } from "./tell.ts";
import { why } from "./why/facts.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const [ada, bob, cleo, eve] = [aPerson("ada"), aPerson("bob"), aPerson("cleo"), aPerson("eve", { groups: [] })];
const root = aPerson("root", { groups: [], administrator: true, scopes: ["read", "write", "admin"] });
const aRotation = (over: object = {}) => {
  const spec = { owner: "team-a", timeZone: "UTC", start: "2026-02-23T09:00", members: ["ada", "bob"], ...over };
  return anEntity("Rotation", "team-a", spec, "cairn.dev/v1alpha1");
};

/** What the routes answer, as far as it is looked into. */
interface Answer {
  status: number;
  id: string;
  incidents: { id: string; service: string | null }[];
  timeline: { type: string }[];
  onCall: unknown;
}

/** A platform of one team with a rotation and one service, with the real routes, desk and workflow. It is Sunday noon, and ada has the week. */
async function stage(rotation: object[] = [aRotation()]) {
  const { db, url } = await testDatabase();
  const clock = testClock();
  await transact(db, async (tx) => {
    const team = anEntity("Group", "team-a", { type: "team", children: [], members: ["ada", "bob", "cleo"] });
    const people = ["ada", "bob", "cleo"].map((name) => anEntity("User", name, { memberOf: ["team-a"] }));
    await loadOrganisation(tx, clock, "system:test", [team, ...people, ...rotation]);
    const service = { name: "orders", description: "", owner_team: "team-a", lifecycle: "production" as const, repository_url: "" };
    await register(tx, clock, "system:test", service);
  });
  const parts = { db, clock, forge: { changes: async () => [] } as never, publicUrl: "http://cairn.test" };
  const begin = async () => {
    const orchestrator = await startOrchestrator({ databaseUrl: url, db, clock, log, workflows: [answerIncident], parts });
    closing.push(() => orchestrator.close());
    return orchestrator;
  };
  let caller = ada;
  const app = Fastify().setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("principal", { getter: () => caller } as never);
  app.decorateRequest("can", async function can(this: FastifyRequest, action: Action, subject: Subject = {}) {
    const decision = decide(caller, action, subject);
    if (!decision.allowed) throw forbidden(caller, action, subject, decision);
  });
  const desk = incidentDesk({ ...parts, servicesOf: async () => ["orders"] });
  await app.register(incidentRoutes({ db, clock, desk, environmentNames: ["staging", "production"] }));
  let orchestrator: Awaited<ReturnType<typeof begin>> | undefined;
  /** What follows from the ledger, each event twice: as after a crash between following and remembering. */
  const follow = async () => {
    orchestrator ??= await begin();
    for (const type of [ALERT_EVENTS, INCIDENT_EVENTS])
      for (const event of await events(db, { types: type, limit: 500 }))
        for (let twice = 0; twice < 2; twice++)
          await (type === ALERT_EVENTS ? takeAlert(parts, event) : followIncident(orchestrator, event));
    return orchestrator;
  };
  const ask = async (by: Principal, method: "GET" | "POST" | "DELETE", path: string, body?: object) => {
    caller = by;
    const answer = await app.inject({ method, url: path, ...(body && { payload: body }) });
    return { status: answer.statusCode, ...(answer.body === "" ? {} : answer.json<object>()) } as Answer;
  };
  const inboxOf = async ({ ref, groups, administrator }: Principal) => {
    const told = { ...parts, review: async () => ({}) as never };
    for (const event of await events(db, { types: TOLD_EVENTS, limit: 500 })) await tellOf(told, event);
    return (await inbox(db, { ref, groups, administrator }, { limit: 50 })).items
      .map(({ kind }) => kind.replace("incident.", ""))
      .toReversed();
  };
  const pages = async () =>
    (await events(db, { types: ["incidents.paged"], limit: 500 })).map(({ data }) => (data.audience as string[]).join(","));
  /** As the evaluation of objectives moves an alert: pending since a minute, then firing, then over. */
  const found = {
    service: "orders",
    environment: "production",
    slo: "availability",
    rule: "page-1h",
    severity: "page" as const,
    forSeconds: 0,
  };
  const move = (finding: "holds" | "does_not_hold") =>
    noteAlert(db, clock, { ...found, finding, because: "36 % failed", facts: { owner: "group:default/team-a", title: "Availability" } });
  const alert = async (transition: "firing" | "resolved") => {
    if (transition === "resolved") return expect(await move("does_not_hold")).toBe("resolved");
    expect([await move("holds"), await move("holds")]).toEqual(["pending", "firing"]);
  };
  return { db, url, clock, ask, follow, inboxOf, pages, alert, parts, begin };
}

test("an alert opens an incident: whoever is on call is told at once, the next after their time, then the group; whoever acknowledges ends that", async () => {
  const { db, clock, alert, follow, pages, inboxOf, ask, parts } = await stage([
    aRotation({
      escalation: [
        { afterMinutes: 10, to: "next" },
        { afterMinutes: 20, to: "group" },
      ],
    }),
  ]);
  await alert("firing");
  await follow();
  await follow();
  await expect.poll(pages).toEqual(["user:default/ada"]);
  const [{ id } = { id: "" }] = (await ask(eve, "GET", "/incidents?state=active")).incidents;
  expect([await inboxOf(ada), await inboxOf(bob), await inboxOf(eve)]).toEqual([["paged"], ["opened"], []]);
  expect(await why({ ...parts } as never, id, "user:default/ada")).toMatchObject({
    state: "waits",
    summary: expect.stringMatching(/^It waits for user:default\/ada to acknowledge it; at 2026-03-01T12:10/),
    unblock: [{ command: `cairn incidents ack ${id}` }],
  });
  const orchestrator = await follow();
  const wake = (n: number) => orchestrator.send(`incident-${id.replace("_", "-")}-1`, "news", "look", { key: `look ${n}` });
  // Woken before the time is over it tells nobody.
  clock.turn(599);
  await wake(1);
  clock.turn(1);
  await wake(2);
  await expect.poll(pages).toEqual(["user:default/ada", "user:default/bob"]);
  // Who is in the group is asked at each telling: cleo has left, dora has come.
  await transact(db, (tx) =>
    loadOrganisation(tx, clock, "system:test", [
      anEntity("Group", "team-a", { type: "team", children: [], members: ["ada", "bob", "dora"] }),
      anEntity("User", "cleo", { memberOf: [] }),
    ]),
  );
  clock.turn(1200);
  await wake(3);
  await expect.poll(pages).toEqual(["user:default/ada", "user:default/bob", "group:default/team-a"]);
  expect(await inboxOf(aPerson("dora"))).toContain("paged");
  expect(await inboxOf(aPerson("cleo", { groups: [] }))).toEqual([]);

  expect(await ask(eve, "POST", `/incidents/${id}/acknowledge`)).toMatchObject({ status: 403, code: "identity.forbidden" });
  expect(await ask(bob, "POST", `/incidents/${id}/acknowledge`)).toMatchObject({ status: 200, state: "acknowledged" });
  expect(await ask(ada, "POST", `/incidents/${id}/acknowledge`)).toMatchObject({ status: 409, code: "incidents.acknowledged" });
  expect(await ask(bob, "POST", `/incidents/${id}/note`, { text: "the cache is full" })).toMatchObject({ status: 200 });
  await alert("resolved");
  await follow();
  await expect.poll(async () => (await findRun(db, `incident-${id.replace("_", "-")}-1`)).state).toBe("success");
  const detail = await ask(ada, "GET", `/incidents/${id}`);
  expect(detail).toMatchObject({ state: "resolved", owner: "group:default/team-a", onCall: { people: ["user:default/ada"] } });
  expect(detail.timeline.map(({ type }) => type.replace("incidents.", ""))).toEqual([
    "opened",
    "paged",
    "paged",
    "paged",
    "acknowledged",
    "noted",
    "alert_ended",
    "resolved",
  ]);
  expect((await inboxOf(ada)).toSorted()).toEqual(["acknowledged", "paged", "paged", "resolved"]);
});

test("without a rotation all of the group is told; without a group, administrators are", async () => {
  const { db, clock, ask, follow, pages, inboxOf } = await stage([]);
  expect((await ask(ada, "GET", "/on-call?service=orders")).onCall).toMatchObject([
    { rotation: null, people: [ada.ref, bob.ref, cleo.ref], because: expect.stringContaining("no rotation") },
  ]);
  expect(await ask(eve, "POST", "/incidents", { service: "orders", title: "Totals are wrong", environment: "production" })).toMatchObject({
    status: 201,
    state: "open",
    openedBy: eve.ref,
  });
  await follow();
  await expect.poll(pages).toEqual([[ada, bob, cleo].map(({ ref }) => ref).join(",")]);
  expect([await inboxOf(bob), await inboxOf(root)]).toEqual([["paged"], []]);
  const service = { name: "alone", description: "", owner_team: "nobody", lifecycle: "production" as const, repository_url: "" };
  await transact(db, (tx) => register(tx, clock, "system:test", service));
  const { id } = await ask(eve, "POST", "/incidents", { service: "alone", title: "It is gone" });
  await follow();
  await expect.poll(pages).toContain("administrators");
  expect(await inboxOf(root)).toEqual(["paged"]);
  expect(await ask(ada, "POST", `/incidents/${id}/acknowledge`)).toMatchObject({ status: 403 });
  // What is deleted is wrong no more.
  await transact(db, (tx) => removeEntities(tx, clock, root.ref, { service: "alone", plan: "sha256:0" }));
  await follow();
  expect(await findIncident(db, id)).toMatchObject({ state: "resolved", resolved: { because: "the service was deleted" } });
  expect((await ask(root, "GET", "/incidents?state=active")).incidents).toMatchObject([{ service: "orders" }]);
});

test("bad reports and answers are refused, and say what to do", async () => {
  const { ask, follow } = await stage();
  expect(await ask(eve, "POST", "/incidents", { service: "nowhere", title: "It is gone" })).toMatchObject({
    code: "catalog.service_not_found",
  });
  expect(await ask(eve, "POST", "/incidents", { service: "orders", title: "It is gone", environment: "moon" })).toMatchObject({
    code: "incidents.environment_unknown",
  });
  expect(await ask(eve, "POST", "/incidents", { service: "orders", title: " " })).toMatchObject({ code: "http.invalid" });
  expect(await ask(eve, "GET", "/incidents/inc_0")).toMatchObject({ code: "incidents.missing" });
  expect(await ask(eve, "GET", "/on-call?group=nobodies")).toMatchObject({ code: "incidents.group_unknown" });
  expect(await ask(aPerson("eve", { scopes: ["read"] }), "POST", "/incidents", { service: "orders", title: "It is gone" })).toMatchObject({
    status: 403,
  });
  const { id } = await ask(eve, "POST", "/incidents", { service: "orders", title: "It is gone" });
  await follow();
  expect(await ask(ada, "POST", `/incidents/${id}/resolve`, { because: "" })).toMatchObject({ code: "http.invalid" });
  expect(await ask(ada, "POST", `/incidents/${id}/review`)).toMatchObject({ code: "incidents.not_resolved" });
  expect(await ask(ada, "POST", `/incidents/${id}/resolve`, { because: "a restart" })).toMatchObject({ status: 200 });
  expect(await ask(ada, "POST", `/incidents/${id}/resolve`, { because: "a restart" })).toMatchObject({ code: "incidents.resolved" });
  expect(await ask(ada, "POST", `/incidents/${id}/review`)).toMatchObject({ code: "incidents.no_repository" });
  expect(await ask(ada, "DELETE", "/rotations/team-a")).toMatchObject({ status: 403 });
  expect(await ask(root, "DELETE", "/rotations/nobody")).toMatchObject({ code: "catalog.entity_not_found" });
  expect(await ask(root, "DELETE", "/rotations/team-a")).toMatchObject({ status: 204 });
  expect(await ask(ada, "GET", "/rotations")).toMatchObject({ rotations: [] });
});

/** As Alertmanager 0.25 sends it. */
const aMessage = (...alerts: object[]) => ({
  version: "4",
  receiver: "cairn",
  status: "firing",
  groupKey: '{}/{service="orders"}:{alertname="ordersAvailability"}',
  truncatedAlerts: 0,
  groupLabels: { alertname: "ordersAvailability" },
  commonLabels: {},
  commonAnnotations: {},
  externalURL: "http://alertmanager.test:9093",
  alerts: alerts.map((over) => ({
    status: "firing",
    labels: { alertname: "ordersAvailability", service: "orders", environment: "production", sloth_severity: "page" },
    annotations: { summary: "Of orders, requests that fail,\n exceed the budget" },
    startsAt: "2026-03-01T11:58:00.123Z",
    endsAt: "0001-01-01T00:00:00Z",
    generatorURL: "http://prometheus.test:9090/graph?g0.expr=up",
    fingerprint: "c6eadffa33fcdf37",
    ...over,
  })),
});

test("Alertmanager's alerts join the platform's own; what it repeats changes nothing, and its end ends them", async () => {
  const { db, clock, ask, alert, follow } = await stage();
  const program = aPerson("alertmanager", { kind: "token", groups: [], scopes: ["write"] });
  const send = (...alerts: object[]) => ask(program, "POST", "/alertmanager", aMessage(...alerts));
  expect(await send({})).toMatchObject({ status: 200, incidents: [{ what: "opened", service: "orders" }], unknown: 0 });
  clock.turn(60);
  expect(await send({})).toMatchObject({ incidents: [{ what: "known" }] });
  await alert("firing");
  await follow();
  const { incidents } = await ask(ada, "GET", "/incidents?service=orders&team=team-a&state=active");
  expect(incidents).toMatchObject([
    {
      source: "alertmanager",
      firing: 2,
      title: "Of orders, requests that fail, exceed the budget",
      link: "http://prometheus.test:9090/graph?g0.expr=up",
    },
  ]);
  const ended = { status: "resolved", endsAt: "2026-03-01T12:05:00Z" };
  expect(await send(ended)).toMatchObject({ incidents: [{ what: "ended" }] });
  expect(await send(ended, { ...ended, fingerprint: "never-heard-of" })).toMatchObject({ incidents: [], unknown: 2 });
  await alert("resolved");
  await follow();
  expect(await findIncident(db, incidents[0]?.id ?? "")).toMatchObject({ state: "resolved", resolved: { by: "system:incidents" } });
});

test("an alert of a service that nobody knows goes to administrators; what is no message of Alertmanager's is refused", async () => {
  const { ask, follow, pages, inboxOf } = await stage();
  const labels = { alertname: "DiskFull", job: "node", instance: "db1", severity: "critical" };
  const first = await ask(root, "POST", "/alertmanager", aMessage({ labels, generatorURL: "javascript:alert(1)" }));
  expect(first).toMatchObject({ incidents: [{ what: "opened", service: null }] });
  expect(await ask(root, "POST", "/alertmanager", aMessage({ labels, fingerprint: "another" }))).toMatchObject({
    incidents: [{ what: "joined" }],
  });
  await follow();
  await expect.poll(pages).toEqual(["administrators"]);
  expect([await inboxOf(root), await inboxOf(ada)]).toEqual([["paged"], []]);
  expect(await ask(root, "GET", `/incidents/${first.incidents[0]?.id}`)).toMatchObject({
    service: null,
    owner: null,
    onCall: null,
    suspects: [],
    link: "http://alertmanager.test:9093",
  });
  expect(await ask(root, "POST", "/alertmanager", { ...aMessage({}), version: "3" })).toMatchObject({ status: 422, code: "http.invalid" });
  expect(await ask(root, "POST", "/alertmanager", aMessage({ startsAt: "yesterday" }))).toMatchObject({ status: 422 });
  expect(await ask(root, "POST", "/alertmanager", aMessage({ labels: { alertname: "a\0b" } }))).toMatchObject({ status: 422 });
  expect(await ask(aPerson("reader", { scopes: ["read"] }), "POST", "/alertmanager", aMessage({}))).toMatchObject({ status: 403 });
});

test("a server that is killed while it waits for an acknowledgement has told once, and the next one goes on from there", async () => {
  const { db, url, ask, begin, parts } = await stage();
  const program = spawn(process.execPath, [join(import.meta.dirname, "incident-fixture.ts"), JSON.stringify({ databaseUrl: url })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(program.stdout, "data")) as [Buffer];
  const id = said.toString().trim();
  program.kill("SIGKILL");
  await once(program, "exit");
  const orchestrator = await begin();
  const followed = async () => {
    for (const event of await events(db, { types: INCIDENT_EVENTS, limit: 500 })) await followIncident(orchestrator, event);
  };
  expect(await ask(ada, "POST", `/incidents/${id}/acknowledge`)).toMatchObject({ status: 200 });
  expect(await ask(ada, "POST", `/incidents/${id}/resolve`, { because: "a restart" })).toMatchObject({ status: 200 });
  await followed();
  await expect.poll(async () => (await findRun(db, `incident-${id.replace("_", "-")}-1`)).state).toBe("success");
  expect(await events(db, { types: ["incidents.paged"] })).toHaveLength(1);
  expect(await findIncident(parts.db, id)).toMatchObject({ state: "resolved" });
});
