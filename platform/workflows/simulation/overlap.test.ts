import { getGlobalDispatcher } from "undici";
import { afterAll, expect, test } from "vitest";
import { insert, note } from "../../catalog/store.ts";
import { facts } from "../../catalog/views.ts";
import { digestOf } from "../../kernel/digest.ts";
import { transact, type Db } from "../../kernel/sql.ts";
import { rehearse } from "../../orchestrator/rehearse.ts";
import { seeded } from "../../releases/seeded.ts";
import { beginRelease, currentRelease, endRelease, planRelease } from "../../releases/store.ts";
import { testClock } from "../../testing/clock.ts";
import { database } from "../../testing/database.ts";
import { deliverCommit } from "../deliver-commit.ts";
import { startWeb, World } from "./world.ts";

// Two deliveries of one service, one of which does something in the middle of a step of the other: the histories take turns at whole steps.
const { web, stop } = startWeb(getGlobalDispatcher());
afterAll(stop);

const target = { service: "orders", environment: "dev" };
const ada = "user:default/ada";

async function aDelivery(db: Db) {
  const clock = testClock();
  const team = { apiVersion: "backstage.io/v1alpha1", kind: "Group", metadata: { name: "team-a" }, spec: { type: "team", children: [] } };
  await transact(db, (tx) => insert(tx, clock, team as never, { source: "organisation" } as never));
  const world = new World(db, clock, seeded(1), web, target.service);
  const event = await world.merge(target.service, { tier: "tier-3", environments: ["dev"], quality: "good", by: ada, approvedBy: null });
  const { repository, number, commit } = event.data as { repository: string; number: number; commit: string };
  /** Another release begins now. */
  const begins = (id: string) =>
    transact(db, async (tx) => {
      const planned = { ...target, id, commit: "c".repeat(40), artifactDigest: digestOf(id), revision: id, plan: digestOf({ plan: id }) };
      await planRelease(tx, clock, ada, { ...planned, stepsPercent: [100] });
      const rules = { judgedBy: "first" } as never;
      await beginRelease(tx, clock, ada, id, { decision: "none", rules });
    });
  return { clock, world, begins, input: { repository, number, commit, environments: ["dev"] } };
}

test("a release that another one forestalls waits for its end, and keeps its plan where the same serves then", async () => {
  const db = await database();
  const { clock, world, begins, input } = await aDelivery(db);
  let looks = 0;
  const runtime = before(world.parts.runtime, "targets", async () => {
    looks += 1;
    if (looks === 2) await begins("rel-other"); // the first is planning's, the second right before it begins
  });
  const onTell = async (detail: string) => {
    if (detail !== "waits for release rel-other") return;
    await transact(db, (tx) => endRelease(tx, clock, ada, "rel-other", { state: "rolled_back", because: "it was worse" }));
  };
  const { output, fault, told } = await rehearse(deliverCommit, input, { db, clock, parts: { ...world.parts, runtime }, onTell });
  expect(fault).toBeUndefined();
  expect(told).toContain("waits for release rel-other");
  expect(output).toMatchObject({ promoted: ["dev"] });
  const states = await db.selectFrom("release").select(["id", "state"]).orderBy("created_at").execute();
  expect(states.map(({ state }) => state).toSorted()).toEqual(["promoted", "rolled_back"]);
});

test("the end of a rollout leaves alone what the next release has started meanwhile", async () => {
  const db = await database();
  const { clock, world, begins, input } = await aDelivery(db);
  let begun = false;
  const runtime = before(world.parts.runtime, "observe", async () => {
    if (begun || !(await currentRelease(db, target.service, target.environment))) return;
    begun = true;
    await begins("next");
    await world.parts.runtime.deploy({ id: "next", target, artifact: { digest: digestOf("next") } } as never);
  });
  let deletes = 0;
  const infra = before(world.parts.infra, "applyDeletes", async () => void (deletes += 1));
  const { fault } = await rehearse(deliverCommit, input, { db, clock, parts: { ...world.parts, runtime, infra } });
  expect(fault).toBeUndefined();
  expect(deletes).toBe(0); // what the next one was planned on is there still
  expect(world.places.get("orders/dev")?.revisions.has("next")).toBe(true);
});

test("a note that comes after that of a later release changes nothing", async () => {
  const db = await database();
  const { clock, world, begins, input } = await aDelivery(db);
  const later = { release: "rel-later" };
  const infra = before(world.parts.infra, "applyDeletes", async () => {
    await begins(later.release);
    clock.turn(60);
    await transact(db, async (tx) => {
      await endRelease(tx, clock, ada, later.release, { state: "promoted", because: "it was healthy" });
      await note(tx, clock, ada, "component:default/orders", { "runs.dev": later });
    });
    clock.turn(60);
  });
  const { output } = await rehearse(deliverCommit, input, { db, clock, parts: { ...world.parts, infra } });
  expect(output).toMatchObject({ promoted: ["dev"] });
  expect(await facts(db, "component:default/orders")).toMatchObject([{ key: "runs.dev", value: later }]);
});

/** The same, but that something happens before each call of one method. */
const before = <T extends object>(edge: T, method: keyof T, happens: () => Promise<void>): T =>
  new Proxy(edge, {
    get: (its, name) => {
      const act = Reflect.get(its, name) as (...args: unknown[]) => unknown;
      return name === method ? async (...args: unknown[]) => happens().then(() => act(...args)) : act;
    },
  });
