import { expect, test } from "vitest";
import { note, register } from "../catalog/store.ts";
import { serviceViews } from "../catalog/views.ts";
import { transact } from "../kernel/sql.ts";
import { keepScore } from "../scorecards/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { changeGraph } from "./change-graph.ts";
import { healthOf, serviceStates } from "./service-states.ts";

const clock = testClock();
const ada = "user:default/ada";
const input = (name: string) => ({ name, owner_team: "team-a", description: "", lifecycle: "production" as const, repository_url: "" });
const runs = { release: "rel-1", commit: "a".repeat(40), since: clock.now().toISOString() };

test("healthOf() tells down only of what was looked at, and unknown of what nobody could read", () => {
  const now = clock.now();
  const seen = { runs, seen_at: now, serves: true, firing: null };
  const old = new Date(now.getTime() - 600_000);
  expect(healthOf({ ...seen, runs: null, seen_at: null }, now).health).toBe("not_deployed");
  expect(healthOf({ ...seen, seen_at: null }, now).health).toBe("unknown");
  expect(healthOf({ ...seen, seen_at: old, serves: false }, now).health).toBe("unknown");
  expect(healthOf({ ...seen, serves: false }, now).health).toBe("down");
  expect(healthOf({ ...seen, firing: "errors: too many" }, now)).toEqual({ health: "degraded", because: "errors: too many" });
  expect(healthOf(seen, now).health).toBe("healthy");
});

test("serviceStates() gives what runs and the score by name, and leaves out what is not there; a list begins where it is asked to", async () => {
  const db = await database();
  await transact(db, async (tx) => {
    for (const name of ["bills", "orders"]) await register(tx, clock, ada, input(name));
    await note(tx, clock, ada, "component:default/orders", { "runs.production": runs });
  });
  const point = { id: "evidence", title: "", state: "unknown" as const, required: true, because: "", fact: "/", next: null };
  const card = {
    service: "orders",
    tier: "tier-2",
    at: clock.now(),
    met: 3,
    required: 5,
    points: [point, { ...point, id: "fresh", required: false }],
    rules: "",
  };
  await keepScore(db, card, { owner: "team-a", seq: 1 });
  expect(await serviceStates({ db, clock, environment: "production" }, ["orders", "nobody", "bills", "orders"])).toMatchObject([
    {
      service: "orders",
      runs: { environment: "production", commit: runs.commit },
      health: "unknown",
      score: { met: 3, required: 5, unknown: 1 },
    },
    { service: "bills", runs: null, health: "not_deployed", score: null },
  ]);
  expect(await serviceViews(db, { offset: 1, limit: 5 })).toMatchObject({
    items: [{ name: "orders", language: null }],
    next: null,
    total: 2,
  });
  expect(await serviceViews(db, { language: "go" })).toMatchObject({ total: 0 });
});

test("changeGraph() compares the descriptor with the one that the change began from; what can't be read is told", async () => {
  const descriptor = (needs: string) => `apiVersion: backstage.io/v1alpha1
kind: Component
metadata: { name: orders }
spec: { type: service, owner: group:default/team-a, lifecycle: production${needs} }
`;
  const graph = (head: string) =>
    changeGraph(
      {
        change: async () => ({ base: "base", head: "head" }) as never,
        readFile: async (_repository, revision) => (revision === "base" ? descriptor("") : head),
      },
      "orders",
      2,
    );
  expect(await graph(descriptor(", dependsOn: [component:default/bills]"))).toMatchObject({
    readable: true,
    relationsAdded: [{ source: "component:default/orders", type: "dependsOn", target: "component:default/bills" }],
    relationsRemoved: [],
  });
  expect(await graph("kind: [")).toMatchObject({ readable: false });
});
