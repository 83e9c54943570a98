import { getGlobalDispatcher } from "undici";
import { afterAll, beforeEach, expect, test } from "vitest";
import { loadOrganisation } from "../catalog/organisation.ts";
import type { Forge } from "../forge/contract.ts";
import { transact } from "../kernel/sql.ts";
import { events, read, record } from "../ledger/store.ts";
import { approve, find as findPlan } from "../plans/store.ts";
import { openBreakGlass } from "../policy/break-glass-store.ts";
import { gateOfRelease, waitingAtGates } from "../releases/gate-store.ts";
import { gateOf, type GateFacts } from "../releases/gate.ts";
import { waitsForWord } from "../releases/gate-store.ts";
import { answerRelease, beginRelease, endRelease, find } from "../releases/store.ts";
import { WindowRule } from "../releases/windows.ts";
import { declareFreeze, endFreeze, loadWindows } from "../releases/windows-store.ts";
import { testClock, type TestClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { askAtGate, wakeAtGates } from "./gate.ts";
import type { Parts } from "./parts.ts";
import { planOneRelease, type Delivery, type PlannedRelease, type ReleasePlan } from "./release-plan.ts";
import { startWeb, World } from "./simulation/world.ts";

const ada = "user:default/ada";
const grace = { ref: "user:default/grace" };
const { web, stop } = startWeb(getGlobalDispatcher());
afterAll(stop);

let clock: TestClock;
let parts: Parts;
let delivery: Delivery;
let artifact: string;
/** Merges a commit and builds it: what is delivered from here on. */
let deliver: () => Promise<void>;
/** The descriptor's tier, by commit; others say tier-1. */
let tiers: Map<string, string>;

beforeEach(async () => {
  clock = testClock();
  tiers = new Map();
  const db = await database();
  const world = new World(db, clock, () => 0.5, web, "orders");
  // The world's builder isolates nothing, which is another rule's.
  const rules = world.parts.policies.rules.filter(({ name }) => name !== "build-isolated");
  parts = { ...world.parts, forge: withAlerts(world), policies: { ...world.parts.policies, rules } };
  await members("ada", "grace");
  deliver = () => merged(world);
  await deliver();
});

async function merged(world: World): Promise<void> {
  const by = { by: ada, approvedBy: grace.ref };
  clock.turn(60);
  const { data } = await world.merge("orders", { tier: "tier-1", environments: ["production"], quality: "good", ...by });
  const { commit, number } = data as { commit: string; number: number };
  delivery = { repository: "orders", commit, number };
  const order = { id: `ci-${number}`, repository: "orders", commit, purpose: "merge" as const };
  artifact = (await parts.ci.run(order, new AbortController().signal)).artifact!.digest;
}

/** The team that owns orders has these members, and no others. */
const members = (...names: string[]) =>
  transact(parts.db, (tx) =>
    loadOrganisation(tx, clock, "system:test", [
      { apiVersion: "backstage.io/v1alpha1", kind: "Group", metadata: { name: "team-a" }, spec: { type: "team", children: [] } },
      ...["ada", "grace"].map((name) => ({
        apiVersion: "backstage.io/v1alpha1",
        kind: "User",
        metadata: { name },
        spec: { memberOf: names.includes(name) ? ["team-a"] : [] },
      })),
    ]),
  );

/** The world's forge, whose service has an alert route and somebody on call. */
function withAlerts(world: World): Forge {
  const inner = world.parts.forge;
  return {
    listFiles: inner.listFiles,
    head: inner.head,
    change: inner.change,
    changes: async () => world.changes.get("orders") ?? [],
    readFile: async (repository: string, commit: string, path: string) => {
      if (path === "observability/alertmanager-route.yaml") return "route: { receiver: a }\nreceivers: [{ name: a }]\n";
      const text = await inner.readFile(repository, commit, path);
      return path === "catalog-info.yaml"
        ? text
            ?.replace("cairn.dev/tier: tier-1", `cairn.dev/tier: ${tiers.get(commit) ?? "tier-1"}`)
            .replace("annotations: {", "annotations: { cairn.dev/oncall-rotation: primary,")
        : text;
    },
  } as unknown as Forge;
}

const plan = (id: string) => planOneRelease(parts, ada, id, delivery, artifact, "production");
const ask = (planned: PlannedRelease, first = false) => askAtGate(parts, { run: "run-1", actor: ada, first }, delivery, planned);
const approveBy = (planned: PlannedRelease, by: { ref: string; tokenBy?: string }) =>
  transact(parts.db, (tx) => approve(tx, clock, by, planned.plan));
/** Promotes what was planned, as the rollout would. */
async function promote({ release, decision, plan: digest }: PlannedRelease) {
  const { payload } = (await findPlan(parts.db, digest)).plan as unknown as ReleasePlan;
  await transact(parts.db, (tx) => beginRelease(tx, clock, ada, release, { decision, rules: payload.rules }));
  await parts.runtime.ensureTarget(payload.target);
  await parts.runtime.deploy({ ...payload.revision, admission: {} as never });
  await parts.runtime.setTraffic(payload.target, { [payload.revision.id]: 100 });
  clock.turn(1);
  await transact(parts.db, (tx) => endRelease(tx, clock, ada, release, { state: "promoted", because: "healthy" }));
}

const tellLedger = (type: string, data: Record<string, unknown>) =>
  transact(parts.db, (tx) => record(tx, clock, { type, about: "component:default/orders", actor: ada, data }));

test("a release of tier-1 waits for an approval of exactly its plan, by a member of its owner now, and keeps by what it was let through", async () => {
  const planned = await plan("rel-1");
  expect(planned.denied).toEqual([]);
  expect(await ask(planned, true)).toMatchObject({ kind: "waits", waitsFor: expect.stringContaining("cairn approve rel-1") });
  expect(await find(parts.db, "rel-1")).toMatchObject({ state: "planned", because: expect.stringContaining("waits for an approval") });

  await approveBy(planned, { ref: ada });
  expect(await ask(planned)).toMatchObject({ kind: "waits", waitsFor: expect.stringContaining("took part") });
  await approveBy(planned, { ...grace, tokenBy: ada });
  expect(await ask(planned)).toMatchObject({ kind: "waits", waitsFor: expect.stringContaining("a token that user:default/ada made") });
  expect(await waitingAtGates(parts.db, {})).toEqual([{ release: "rel-1", run: "run-1", environment: "production" }]);
});

test("an approval lets it through while its giver is a member, keeps the facts, and gives the same answer from them again", async () => {
  const planned = await plan("rel-1");
  await ask(planned, true);
  await approveBy(planned, grace);
  await members("ada");
  expect(await ask(planned)).toMatchObject({
    kind: "waits",
    waitsFor: expect.stringContaining("not a member of group:default/team-a now"),
  });
  await members("ada", "grace");
  expect(await ask(planned)).toEqual({ kind: "open" });
  expect(await ask(planned)).toEqual({ kind: "open" });
  const [passed, ...more] = await events(parts.db, { types: ["releases.gate_passed"] });
  expect(more).toEqual([]);
  const { facts, openBy } = passed!.data as { facts: `sha256:${string}`; openBy: string[] };
  expect(openBy).toEqual(["approved by user:default/grace"]);
  expect(gateOf(await read<GateFacts>(parts.db, facts))).toEqual({ heldBy: [], openBy, passedBy: [] });
  expect(await gateOfRelease(parts.db, "rel-1")).toMatchObject({ heldBy: [], openBy, passedAt: clock.now() });
});

test("what changes while it waits makes it stale: the approval is void, the plan can't be approved any more, and the next one is another", async () => {
  const planned = await plan("rel-1");
  await ask(planned, true);
  await approveBy(planned, grace);
  parts = { ...parts, environments: { ...parts.environments, digest: `sha256:${"1".repeat(64)}` } };
  expect(await ask(planned)).toEqual({ kind: "stale" });
  expect(await ask(planned)).toEqual({ kind: "stale" });
  expect(await find(parts.db, "rel-1")).toMatchObject({ state: "superseded", because: expect.stringContaining("environments") });
  expect((await findPlan(parts.db, planned.plan)).state).toBe("stale");
  await expect(approveBy(planned, grace)).rejects.toMatchObject({ code: "plans.stale" });
  const anew = await plan("rel-1-2");
  expect(anew.plan).not.toBe(planned.plan);
  expect((await findPlan(parts.db, anew.plan)).approvals).toEqual([]);
  expect(await ask(anew, true)).toMatchObject({ kind: "waits" });
});

test("evidence that grows too old while it waits makes it stale, and what is planned anew is refused", async () => {
  const planned = await plan("rel-1");
  await ask(planned, true);
  await approveBy(planned, grace);
  clock.turn(7 * 86_400 + 1);
  expect(await ask(planned)).toEqual({ kind: "stale" });
  expect(await find(parts.db, "rel-1")).toMatchObject({ because: expect.stringContaining("scan-clean") });
  expect((await plan("rel-1-2")).denied).toEqual([expect.stringContaining("scan-clean")]);
});

test("a window and a freeze hold it until they let it, and who waits is woken by their end", async () => {
  const planned = await plan("rel-1");
  await approveBy(planned, grace);
  const office = {
    kind: "window",
    name: "office",
    because: "people",
    timeZone: "Europe/Berlin",
    weekly: [{ days: ["mon"], from: "09:00", until: "16:00" }],
  };
  await transact(parts.db, (tx) => loadWindows(tx, clock, ada, [WindowRule.parse(office)]));
  const freeze = await transact(parts.db, (tx) =>
    declareFreeze(tx, clock, ada, { until: new Date("2026-03-05T00:00:00Z"), because: "fair" }),
  );
  // It is Sunday noon: the window opens on Monday at eight in UTC, but the freeze lasts until Thursday.
  expect(await ask(planned, true)).toMatchObject({
    kind: "waits",
    lookAgainSeconds: 3600,
    waitsFor: expect.stringContaining("2026-03-09T08:00:00.000Z"),
  });
  await transact(parts.db, (tx) => endFreeze(tx, clock, grace.ref, freeze.id, "over"));
  const [ended] = await events(parts.db, { types: ["releases.freeze_ended"] });
  const sent: unknown[] = [];
  await wakeAtGates(parts, { send: async (...message: unknown[]) => void sent.push(message) } as never, ended!);
  expect(sent).toEqual([["run-1", "gate production", "releases.freeze_ended", { key: `event ${ended!.seq}` }]]);
  clock.turn(19.5 * 3600 - 60);
  expect(await ask(planned)).toMatchObject({ kind: "waits", lookAgainSeconds: 1800 });
  clock.turn(1800);
  expect(await ask(planned)).toEqual({ kind: "open" });
});

test("the way back to the very revision that served before waits for no freeze, and any other does", async () => {
  const first = delivery;
  const bytes = artifact;
  await promote(await plan("rel-1"));
  await deliver();
  await promote(await plan("rel-2"));
  await transact(parts.db, (tx) => declareFreeze(tx, clock, ada, { until: new Date("2026-03-05T00:00:00Z"), because: "fair" }));
  await deliver();
  const onward = await plan("rel-3");
  await approveBy(onward, grace);
  expect(await ask(onward, true)).toMatchObject({ kind: "waits", waitsFor: expect.stringContaining("fair") });
  [delivery, artifact] = [first, bytes];
  const back = await plan("rel-4");
  expect(await ask(back, true)).toMatchObject({ kind: "waits", waitsFor: expect.not.stringContaining("fair") });
  await approveBy(back, grace);
  expect(await ask(back, true)).toEqual({ kind: "open" });
  expect(await gateOfRelease(parts.db, "rel-4")).toMatchObject({
    openBy: ["approved by user:default/grace", expect.stringContaining("rel-1")],
  });
});

test("a break-glass passes the gates that it names while it is open, and the ledger says so", async () => {
  const planned = await plan("rel-1");
  await transact(parts.db, (tx) => declareFreeze(tx, clock, ada, { until: new Date("2026-03-05T00:00:00Z"), because: "fair" }));
  const glass = {
    service: "orders",
    environment: "production",
    rules: ["windows"],
    because: "orders are lost",
    seconds: 3600,
    openedBy: ada,
    witnesses: [],
  };
  const { id } = await transact(parts.db, (tx) => openBreakGlass(tx, clock, glass));
  expect(await ask(planned, true)).toMatchObject({ kind: "waits", waitsFor: expect.not.stringContaining("fair") });
  await approveBy(planned, grace);
  expect(await ask(planned)).toEqual({ kind: "open" });
  expect(await events(parts.db, { types: ["releases.gate_passed"] })).toMatchObject([
    { data: { breakGlass: id, openBy: ["approved by user:default/grace", expect.stringContaining("would have waited")] } },
  ]);
  const next = await plan("rel-2");
  await approveBy(next, grace);
  clock.turn(3600);
  expect(await ask(next, true)).toMatchObject({ kind: "waits", waitsFor: expect.stringContaining("fair") });
});

test("an event about another service wakes nobody here", async () => {
  await ask(await plan("rel-1"), true);
  const sent: unknown[] = [];
  const orchestrator = { send: async (...message: unknown[]) => void sent.push(message) } as never;
  const event = { seq: 1, at: clock.now(), actor: ada, data: {}, type: "releases.promoted", hash: "" };
  await wakeAtGates(parts, orchestrator, { ...event, about: "component:default/billing" } as never);
  expect(sent).toEqual([]);
  await wakeAtGates(parts, orchestrator, { ...event, about: "component:default/orders" } as never);
  expect(sent).toHaveLength(1);
});

test("whoever lowers a tier releases that by the rules of what it was, and the next release by those of what it is", async () => {
  const payloadOf = async (planned: PlannedRelease) => ((await findPlan(parts.db, planned.plan)).plan as unknown as ReleasePlan).payload;
  await promote(await plan("rel-1"));
  await deliver();
  tiers.set(delivery.commit, "tier-3");
  const second = await plan("rel-2");
  expect(await payloadOf(second)).toMatchObject({ tier: "tier-1", approval: { owner: "group:default/team-a", authors: [ada] } });
  expect(await ask(second, true)).toMatchObject({ kind: "waits" });
  await promote(second);
  await deliver();
  tiers.set(delivery.commit, "tier-3");
  const third = await plan("rel-3");
  expect(await payloadOf(third)).toMatchObject({ tier: "tier-3", approval: null });
  await promote(third);
  // And raising it counts at once.
  await deliver();
  expect(await payloadOf(await plan("rel-4"))).toMatchObject({ tier: "tier-1", approval: { authors: [ada] } });
});

test("the same once more waits for nobody and no freeze; where only the tier is lowered it does", async () => {
  const first = await plan("rel-1");
  await parts.infra.apply(((await findPlan(parts.db, first.plan)).plan as unknown as ReleasePlan).payload.infra, ada);
  await promote(first);
  await transact(parts.db, (tx) => declareFreeze(tx, clock, ada, { until: new Date("2026-03-05T00:00:00Z"), because: "fair" }));
  expect(await ask(await plan("rel-2"), true)).toEqual({ kind: "open" });

  const bytes = artifact;
  await deliver();
  tiers.set(delivery.commit, "tier-3");
  artifact = bytes;
  expect(await ask(await plan("rel-3"), true)).toMatchObject({
    kind: "waits",
    waitsFor: expect.stringMatching(/cairn approve rel-3.*fair/),
  });
});

test("what a person took back waits for somebody's word, who took it back and why, and another artifact does not", async () => {
  tiers.set(delivery.commit, "tier-3");
  const first = { delivery, artifact };
  await promote(await plan("rel-1"));
  await deliver();
  tiers.set(delivery.commit, "tier-3");
  const second = { delivery, artifact };
  await promote(await plan("rel-2"));
  await tellLedger("releases.going_back", { environment: "production", from: "rel-2", to: "rel-1", because: "totals are wrong" });
  const back = { ...first.delivery, back: { to: "rel-1", from: "rel-2", artifact: first.artifact } };
  await promote(await planOneRelease(parts, ada, "rel-3", back, first.artifact, "production"));

  const again = await plan("rel-4");
  expect(await ask(again, true)).toMatchObject({
    kind: "waits",
    waitsFor: expect.stringMatching(/user:default\/ada took it back in production \(rel-2: totals are wrong\).*cairn go-on rel-4/),
  });
  const goOn = async () =>
    transact(parts.db, async (tx) =>
      answerRelease(tx, clock, grace.ref, "rel-4", { action: "go_on", because: "it was the cache" }, await waitsForWord(tx, "rel-4")),
    );

  await deliver();
  tiers.set(delivery.commit, "tier-3");
  expect(await ask(await plan("rel-5"), true)).toEqual({ kind: "open" });
  delivery = second.delivery;

  await goOn();
  expect(await ask(again)).toEqual({ kind: "open" });
  expect((await gateOfRelease(parts.db, "rel-4"))?.openBy).toEqual(["user:default/grace let it go again: it was the cache"]);
  await promote(again);
  artifact = second.artifact;
  expect(await ask(await plan("rel-6"), true)).toEqual({ kind: "open" }); // it serves again
  artifact = first.artifact;
  delivery = first.delivery;
  expect(await ask(await plan("rel-7"), true)).toEqual({ kind: "open" }); // nobody took the first one back
});

test("what its owner rolled back under way waits for a word as well, what rolled back by itself may be tried again", async () => {
  const rolledBack = async (id: string, said: string | undefined) => {
    const { decision, plan: digest } = await plan(id);
    const { rules } = ((await findPlan(parts.db, digest)).plan as unknown as ReleasePlan).payload;
    await transact(parts.db, async (tx) => {
      await beginRelease(tx, clock, ada, id, { decision, rules });
      if (said !== undefined) await answerRelease(tx, clock, ada, id, { action: "roll_back", because: said });
      await endRelease(tx, clock, ada, id, { state: "rolled_back", because: said ?? "it was not healthy" });
    });
  };
  tiers.set(delivery.commit, "tier-3");
  await promote(await plan("rel-1"));
  await deliver();
  tiers.set(delivery.commit, "tier-3");
  await rolledBack("rel-2", undefined);
  expect(await ask(await plan("rel-3"), true)).toEqual({ kind: "open" });
  await rolledBack("rel-4", "support reports wrong totals");
  expect(await ask(await plan("rel-5"), true)).toMatchObject({
    kind: "waits",
    waitsFor: expect.stringContaining("rel-4: support reports wrong totals"),
  });
});
