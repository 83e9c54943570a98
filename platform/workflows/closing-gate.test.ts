import { getGlobalDispatcher } from "undici";
import { afterAll, beforeEach, expect, test } from "vitest";
import { loadOrganisation } from "../catalog/organisation.ts";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { closeBreakGlass, openBreakGlass } from "../policy/break-glass-store.ts";
import { gateOfRelease, waitingAtGates } from "../releases/gate-store.ts";
import { declareFreeze, endFreeze } from "../releases/windows-store.ts";
import { testClock, type TestClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { wakeAtGates } from "./gate.ts";
import { Scheduler } from "./simulation/scheduler.ts";
import { startWeb, World } from "./simulation/world.ts";
import { startWhatFollows } from "./start.ts";

const ada = "user:default/ada";
const { web, stop } = startWeb(getGlobalDispatcher());
afterAll(stop);

let clock: TestClock;
let world: World;
let scheduler: Scheduler;

beforeEach(async () => {
  clock = testClock();
  const db = await database();
  world = new World(db, clock, () => 0.5, web, "orders");
  scheduler = new Scheduler(world.parts, clock);
  const team = { apiVersion: "backstage.io/v1alpha1", kind: "Group", metadata: { name: "team-a" }, spec: { type: "team", children: [] } };
  await transact(db, (tx) => loadOrganisation(tx, clock, "system:test", [team]));
  clock.turn(60);
});

const deliver = async (...environments: string[]) => {
  const order = { tier: "tier-3", environments, quality: "good", by: ada, approvedBy: null } as const;
  await startWhatFollows(world.parts, scheduler as never, await world.merge("orders", order));
};

/** Lets the runs go on until one is about to take this step; or to their end, or until nothing but an event can go on. */
async function until(name?: string): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    const [next] = scheduler.ready();
    if (name !== undefined && (next?.waiting as { name?: string } | undefined)?.name === name) return;
    if (next) await scheduler.advance(next.id);
    else if (scheduler.nextWake() === undefined || (await waiting())) return;
    else clock.turn(Math.max(1, (scheduler.nextWake()! - clock.now().getTime()) / 1000));
  }
  throw new Error("it goes on and on");
}

const all = () => world.parts.db.selectFrom("release").select(["id", "environment", "state", "because"]).orderBy("id").execute();
/** The state of the last release of each environment. */
const releases = async () => Object.fromEntries((await all()).map(({ environment, state }) => [environment, state]));
/** What is waited for at a gate now. */
async function waiting(): Promise<string | undefined> {
  const [at] = await waitingAtGates(world.parts.db, {});
  return at && (await gateOfRelease(world.parts.db, at.release))?.heldBy.map(({ gate, because }) => `${gate}: ${because}`).join();
}

const freeze = () =>
  transact(world.parts.db, (tx) =>
    declareFreeze(tx, clock, ada, {
      until: new Date(clock.now().getTime() + 86_400_000),
      because: "the sale is on",
      services: ["orders"],
      environments: ["production"],
    }),
  );
async function unfreeze(id: string): Promise<void> {
  await transact(world.parts.db, (tx) => endFreeze(tx, clock, ada, id, "it is over"));
  const [event] = await events(world.parts.db, { types: ["releases.freeze_ended"] });
  await wakeAtGates(world.parts, scheduler as never, event!);
}

test("a freeze that is declared while a release rolls out lets that one end, and holds the next environment's", async () => {
  await deliver("dev", "production");
  await until("observe");
  expect(await releases()).toEqual({ dev: "rolling_out" });
  const { id } = await freeze();
  await until();
  expect(await releases()).toEqual({ dev: "promoted", production: "planned" });
  expect(await waiting()).toContain("the end of freeze");
  expect(world.places.get("orders/production")).toBeUndefined();
  await unfreeze(id);
  await until();
  expect(await releases()).toEqual({ dev: "promoted", production: "promoted" });
});

test("a freeze of an environment that a release rolls out to holds what comes after it, and not what has begun", async () => {
  await deliver("production");
  await until("observe");
  await freeze();
  await until();
  expect(await releases()).toEqual({ production: "promoted" });
  clock.turn(60);
  await deliver("production");
  await until();
  expect(await waiting()).toContain("the end of freeze");
});

test("a gate that closes between its passing and the beginning lets nothing begin: the release is planned anew, and waits", async () => {
  await deliver("production");
  await until("begin production");
  const { id } = await freeze();
  await until();
  expect(await releases()).toEqual({ production: "planned" });
  expect(await waiting()).toContain("windows: the end of freeze");
  expect(world.places.get("orders/production")).toBeUndefined();
  await unfreeze(id);
  await until();
  expect((await all()).map(({ state, because }) => `${state}: ${because}`)).toEqual([
    expect.stringMatching(/^superseded: its gate closed before it began: the end of freeze .* \(the sale is on\)$/),
    expect.stringMatching(/^promoted: /),
  ]);
});

test("what a break-glass let through does not begin once that is over, and the ledger keeps both", async () => {
  const { db } = world.parts;
  const { id: frozen } = await freeze();
  const opened = {
    service: "orders",
    environment: "production",
    rules: ["windows"],
    because: "the shop is down",
    openedBy: ada,
    witnesses: [],
    seconds: 600,
  };
  const glass = await transact(db, (tx) => openBreakGlass(tx, clock, opened, async () => {}));
  await deliver("production");
  await until("begin production");
  expect((await gateOfRelease(db, (await all())[0]!.id))?.passedAt).not.toBeNull();
  await transact(db, (tx) => closeBreakGlass(tx, clock, ada, glass.id, "not needed any more"));
  await until();
  expect(await releases()).toEqual({ production: "planned" });
  expect(await waiting()).toContain("windows: the end of freeze");
  await unfreeze(frozen);
  await until();
  expect(await releases()).toEqual({ production: "promoted" });
  const passed = await events(db, { types: ["releases.gate_passed"] });
  expect(passed.map(({ data }) => (data as { breakGlass: string | null }).breakGlass)).toEqual([glass.id, null]);
});
