import { expect, test } from "vitest";
import { aLine } from "./a-line.ts";
import { CHANGING_EVENTS, suspectsOf, type Scene } from "./suspects.ts";

const beganAt = new Date("2026-03-01T12:00:00.000Z");
const scene = (over: Partial<Scene> = {}): Scene => ({
  service: "orders",
  environment: "production",
  dependencies: ["stock"],
  beganAt,
  openedAt: new Date(beganAt.getTime() + 300_000),
  standing: () => "serves",
  ...over,
});
const minutesBefore = (minutes: number) => new Date(beganAt.getTime() - minutes * 60_000);
const release = (id: string, over: Record<string, unknown> = {}) => ({
  release: id,
  environment: "production",
  previous: "rel-0",
  ...over,
});

test("suspectsOf() names the release of a few minutes ago before everything else, with the way back", () => {
  const found = suspectsOf(
    [
      aLine({ seq: 1, at: minutesBefore(600), type: "releases.shifted", data: release("rel-old") }),
      aLine({ seq: 2, at: minutesBefore(4), data: release("rel-1") }),
      aLine({ seq: 3, at: minutesBefore(3), about: "component:default/stock", data: release("rel-stock") }),
      aLine({ seq: 4, at: minutesBefore(2), type: "infra.resource_updated", data: { environment: "production", address: "postgres.db" } }),
      aLine({ seq: 5, at: minutesBefore(2), type: "secrets.set", data: { environments: ["staging", "production"], name: "TOKEN" } }),
      aLine({
        seq: 6,
        at: minutesBefore(1),
        type: "policy.bundle_changed",
        about: "platform",
        data: { digest: "sha256:1", changed: ["scan-clean"] },
      }),
      aLine({ seq: 7, at: minutesBefore(1), type: "catalog.dependency_added", data: { target: "component:default/stock" } }),
    ],
    scene(),
  );
  expect(found.map(({ kind }) => kind)).toEqual([
    "release",
    "infrastructure",
    "secret",
    "dependency_release",
    "policy",
    "catalog",
    "release",
  ]);
  expect(found[0]).toMatchObject({
    id: "rel-1",
    because: "it got all the traffic 4 minutes before it began",
    wayBack: {
      command: "cairn rollback orders -e production -b REASON",
      operation: { method: "POST", path: "/api/services/orders/rollback", body: { environment: "production" } },
    },
  });
  expect(found.every(({ because, weight }) => because !== "" && weight > 0 && weight <= 1)).toBe(true);
});

test("suspectsOf() leaves out what was done elsewhere, long before and after, and by services that have nothing to do with it", () => {
  const found = suspectsOf(
    [
      aLine({ at: minutesBefore(5), data: release("rel-staging", { environment: "staging" }) }),
      aLine({ at: minutesBefore(25 * 60), data: release("rel-yesterday") }),
      aLine({ at: minutesBefore(-3), data: release("rel-after") }),
      aLine({ at: minutesBefore(5), about: "component:default/billing", data: release("rel-billing") }),
      aLine({ at: minutesBefore(5), type: "releases.gate_passed" }),
    ],
    scene(),
  );
  expect(found).toEqual([]);
  // What comes with the minute of the alert still counts, and without an environment every one does.
  const seenAtOnce = scene({ openedAt: minutesBefore(-0.5) });
  expect(suspectsOf([aLine({ at: minutesBefore(-1), data: release("the-way-back") })], seenAtOnce)).toEqual([]);
  expect(suspectsOf([aLine({ at: minutesBefore(-1), data: release("rel-now") })], scene())).toMatchObject([
    { because: "it got all the traffic 60 s after it began" },
  ]);
  expect(suspectsOf([aLine({ data: release("rel-staging", { environment: "staging" }) })], scene({ environment: null }))).toHaveLength(1);
});

test("a release stands there once, by the event that came closest; one under way is rolled back itself, and from one that serves no more nobody goes back", () => {
  const lines = [
    aLine({ seq: 1, at: minutesBefore(30), type: "releases.started", data: release("rel-1") }),
    aLine({ seq: 2, at: minutesBefore(4), type: "releases.shifted", data: release("rel-1", { toPercent: 10 }) }),
  ];
  expect(suspectsOf(lines, scene({ standing: () => "under_way" }))).toMatchObject([
    {
      because: "it got 10 % of the traffic 4 minutes before it began",
      wayBack: { operation: { path: "/api/releases/rel-1/answer", body: { action: "roll_back" } } },
    },
  ]);
  for (const standing of ["gone", "first"] as const)
    expect(suspectsOf(lines, scene({ standing: () => standing }))).toMatchObject([{ wayBack: null }]);
});

test("a release that another one had replaced, or that was rolled back, well before it began is no suspect", () => {
  const lines = [
    aLine({ seq: 1, at: minutesBefore(30), data: release("rel-1") }),
    aLine({ seq: 2, at: minutesBefore(20), type: "releases.shifted", data: release("rel-2") }),
    aLine({ seq: 3, at: minutesBefore(19), type: "releases.rolled_back", data: release("rel-2") }),
    aLine({ seq: 4, at: minutesBefore(10), data: release("rel-3") }),
  ];
  expect(suspectsOf(lines, scene()).map(({ id }) => id)).toEqual(["rel-3"]);
  // One that is rolled back because of it still is.
  expect(
    suspectsOf([...lines, aLine({ seq: 5, at: minutesBefore(-1), type: "releases.rolled_back", data: release("rel-3") })], scene()).map(
      ({ id }) => id,
    ),
  ).toEqual(["rel-3"]);
});

test("every event that counts as a change is worded", () => {
  for (const type of CHANGING_EVENTS)
    expect(suspectsOf([aLine({ type, at: beganAt, data: { environment: "production", release: "r" } })], scene()), type).toHaveLength(1);
});
