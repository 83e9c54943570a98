import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { dora, type DeploymentFact } from "./dora.ts";
import type { ScoreFacts } from "./model.ts";
import { loadScorecard } from "./rules.ts";
import { score } from "./score.ts";
import { deployments } from "./store.ts";

const rules = await loadScorecard(join(import.meta.dirname, "../../library/scorecards/service.yaml"));
const at = (text: string) => new Date(`2026-03-${text}Z`);
const NOW = at("20T00:00:00");

const aDeployment = (over: Partial<DeploymentFact> = {}): DeploymentFact => ({
  release: "rel-1",
  service: "orders",
  environment: "production",
  commit: "c1",
  change: 1,
  outcome: "promoted",
  because: "not worse",
  openedAt: at("10T08:00:00"),
  startedAt: at("10T08:30:00"),
  endedAt: at("10T09:00:00"),
  takenBackAt: null,
  backAt: null,
  ...over,
});

test("dora() reckons the five metrics, each from its rows", () => {
  const facts = [
    aDeployment({ release: "rel-0", outcome: "rolled_back", startedAt: at("01T08:00:00"), endedAt: at("01T08:10:00") }), // before the span
    aDeployment(),
    aDeployment({ release: "rel-2", openedAt: at("11T08:00:00"), endedAt: at("11T11:00:00") }),
    aDeployment({ release: "rel-3", outcome: "rolled_back", startedAt: at("12T08:00:00"), endedAt: at("12T08:05:00") }),
    aDeployment({ release: "rel-4", service: "carts", openedAt: null, endedAt: at("12T09:00:00") }),
  ];
  const result = dora(facts, at("05T00:00:00"), at("15T00:00:00"));
  expect(result).toMatchObject({
    deploymentFrequency: { perDay: 0.3, of: 3 },
    leadTime: { medianSeconds: 2 * 3600, of: 2 },
    changeFailRate: { value: 0.25, of: 4 },
    recoveryTime: { medianSeconds: 300, p90Seconds: 300, of: 1 },
    reworkRate: { value: 0.25, of: 4 },
  });
  expect(result.deployments.map(({ release, rework, failed }) => [release, rework, failed])).toEqual([
    ["rel-4", false, false],
    ["rel-3", false, true],
    ["rel-2", false, false],
    ["rel-1", true, false],
  ]);
  expect(dora([], at("05T00:00:00"), NOW)).toMatchObject({
    leadTime: { medianSeconds: null },
    changeFailRate: { value: null },
    reworkRate: { value: null },
  });
});

test("a deployment that was taken back after it had arrived has failed, and what brought back the one before mends it", () => {
  const facts = [
    aDeployment({ takenBackAt: at("10T09:20:00"), backAt: at("10T09:21:00") }),
    aDeployment({ release: "rel-2", openedAt: null, startedAt: at("10T09:20:30"), endedAt: at("10T09:21:00") }),
    aDeployment({ release: "rel-3", service: "carts", takenBackAt: at("10T09:20:00"), openedAt: null }),
  ];
  expect(dora(facts, at("05T00:00:00"), at("15T00:00:00"))).toMatchObject({
    deploymentFrequency: { of: 3 },
    leadTime: { of: 1, medianSeconds: 3600 },
    changeFailRate: { value: 2 / 3 },
    recoveryTime: { of: 1, medianSeconds: 51 * 60 },
    reworkRate: { value: 1 / 3 },
  });
});

test("every number of dora() is that of the rows it shows, whatever happened", () => {
  const fact = fc.record({
    release: fc.uuid(),
    service: fc.constantFrom("orders", "carts"),
    outcome: fc.constantFrom("promoted" as const, "rolled_back" as const, "failed" as const),
    hour: fc.integer({ min: 0, max: 24 * 14 }),
    takenBack: fc.boolean(),
    minutes: fc.integer({ min: 1, max: 600 }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(fact, { maxLength: 30, selector: ({ release }) => release }), (drawn) => {
      const facts = drawn.map(({ hour, minutes, takenBack, ...over }) => {
        const endedAt = new Date(at("01T00:00:00").getTime() + hour * 3_600_000);
        const takenBackAt = takenBack && over.outcome === "promoted" ? new Date(endedAt.getTime() + 60_000) : null;
        return aDeployment({
          ...over,
          takenBackAt,
          backAt: takenBackAt,
          endedAt,
          startedAt: new Date(endedAt.getTime() - minutes * 60_000),
        });
      });
      const { deployments: rows, ...numbers } = dora(facts, at("01T00:00:00"), at("15T00:00:01"));
      expect(rows).toHaveLength(facts.length);
      const failed = rows.filter((row) => row.failed).length;
      expect(numbers.deploymentFrequency.of).toBe(rows.filter((row) => row.outcome === "promoted").length);
      expect(numbers.changeFailRate.value).toBe(rows.length === 0 ? null : failed / rows.length);
      expect(numbers.recoveryTime.of).toBe(failed);
      const rework = rows.filter((row) => row.rework).length;
      expect(rework).toBeLessThanOrEqual(failed);
    }),
    { seed: 7, numRuns: 200 },
  );
});

test("deployments() reads what was tried from the ledger, with the change request that brought it", async () => {
  const db = await database();
  const clock = testClock("2026-03-10T08:00:00.000Z");
  const tell = (type: string, about: string, data: Record<string, unknown>) =>
    transact(db, (tx) => record(tx, clock, { type, about, actor: "user:default/ada", data }));
  clock.turn(-3600);
  await tell("forge.change_opened", "repository:orders", { number: 3, head: "of one that was deleted since" });
  clock.turn(3600);
  await tell("forge.change_opened", "repository:orders", { number: 3, head: "h" });
  clock.turn(60);
  await tell("forge.change_merged", "repository:orders", { number: 3, commit: "abc" });
  for (const environment of ["dev", "production"]) {
    await tell("releases.started", "component:default/orders", { release: `rel-${environment}`, environment, commit: "abc" });
    clock.turn(60);
    await tell("releases.promoted", "component:default/orders", {
      release: `rel-${environment}`,
      environment,
      commit: "abc",
      because: "fine",
    });
  }
  await tell("releases.refused", "component:default/orders", { release: "rel-never", environment: "production", commit: "abc" });
  const span = { environments: ["production"], from: at("01T00:00:00"), to: NOW };
  expect(await deployments(db, span)).toEqual([
    {
      release: "rel-production",
      service: "orders",
      environment: "production",
      commit: "abc",
      because: "fine",
      change: 3,
      outcome: "promoted",
      openedAt: at("10T08:00:00"),
      startedAt: at("10T08:02:00"),
      endedAt: at("10T08:03:00"),
      takenBackAt: null,
      backAt: null,
    },
  ]);
  await tell("releases.going_back", "component:default/orders", { from: "rel-production", to: "rel-old", environment: "production" });
  for (const environment of ["dev", "production"]) {
    clock.turn(60);
    await tell("releases.promoted", "component:default/orders", { release: `rel-b-${environment}`, environment, commit: "old" });
  }
  expect(await deployments(db, { ...span, to: at("10T08:04:00") })).toMatchObject([
    { release: "rel-production", takenBackAt: at("10T08:03:00"), backAt: at("10T08:05:00") },
  ]);
  expect(await deployments(db, { ...span, services: ["carts"] })).toEqual([]);
  expect(await deployments(db, { ...span, services: [] })).toEqual([]);
  expect(await deployments(db, { ...span, to: at("10T08:03:00") })).toEqual([]);
});

const FACTS: ScoreFacts = {
  service: { name: "orders", tier: "tier-1", owner: "team-a", ownerExists: true, repository: "orders" },
  owner: { members: 2 },
  slo: { objectives: 2, placeholders: 0, met: 2, missed: 0, unknown: 0 },
  alerts: { route: true, onCall: 1 },
  serving: {
    release: "rel-1",
    commit: "c1",
    ageDays: 3,
    provenance: true,
    testsPassed: true,
    scan: { ageDays: 1, critical: 0 },
    isolatedBuild: true,
  },
  incidents: { count: 2, unanswered: 0, unreviewed: 0, first: "" },
  deployments: { promoted: 9, failed: 1 },
};

test("score() of a service that does all that its tier asks for is full", () => {
  const card = score(FACTS, rules, NOW);
  expect(card.points.filter(({ state }) => state !== "met")).toEqual([]);
  expect([card.met, card.required]).toEqual([rules.points.length, rules.points.length]);
});

const WORSE: [string, Partial<ScoreFacts>, string, "missed" | "unknown"][] = [
  ["ownership", { service: { ...FACTS.service, ownerExists: false }, owner: null }, "the catalog has no team team-a", "missed"],
  ["ownership", { owner: { members: 0 } }, "team-a has 0 members", "missed"],
  ["objectives", { slo: { ...FACTS.slo!, placeholders: 1 } }, "1 of 2 objectives are still those of the golden path", "missed"],
  ["objectives", { slo: null }, "slo.yaml is not there", "unknown"],
  ["objectives-met", { slo: { ...FACTS.slo!, met: 1, missed: 1 } }, "1 objectives are missed", "missed"],
  ["objectives-met", { slo: { ...FACTS.slo!, met: 1, unknown: 1 } }, "of 1 objectives it is not known", "unknown"],
  ["alerts", { alerts: { route: true, onCall: 0 } }, "nobody is on call for team-a", "missed"],
  ["alerts", { alerts: { route: true, onCall: null } }, "who is on call is not known", "unknown"],
  ["evidence", { serving: { ...FACTS.serving!, provenance: false } }, "no provenance that stands", "missed"],
  ["evidence", { serving: null }, "nothing of it serves in production", "unknown"],
  ["scanned", { serving: { ...FACTS.serving!, scan: null } }, "it was never scanned", "unknown"],
  ["scanned", { serving: { ...FACTS.serving!, scan: { ageDays: 30, critical: 0 } } }, "scanned 30 days ago", "missed"],
  ["fresh", { serving: { ...FACTS.serving!, ageDays: 91 } }, "released 91 days ago", "missed"],
  [
    "incidents",
    { incidents: { count: 2, unanswered: 1, unreviewed: 0, first: "inc_1" } },
    "1 incidents that nobody acknowledged",
    "missed",
  ],
  [
    "incidents",
    { incidents: { count: 2, unanswered: 0, unreviewed: 1, first: "inc_1" } },
    "1 of 2 incidents of the last 30 days have no merged review",
    "missed",
  ],
  ["change-fail-rate", { deployments: { promoted: 8, failed: 2 } }, "2 of 10 deployments", "missed"],
  ["change-fail-rate", { deployments: { promoted: 0, failed: 0 } }, "nothing was deployed", "unknown"],
];

test.each(WORSE)("score() of %s with %o says: %s", (id, facts, because, state) => {
  const card = score({ ...FACTS, ...facts }, rules, NOW);
  const point = card.points.find((each) => each.id === id);
  expect(point).toMatchObject({ state, because: expect.stringContaining(because), required: true });
  expect(point?.next?.link).toMatch(/^\//);
  expect(point?.next?.command).toMatch(/^cairn /);
  expect(card.met).toBeLessThan(card.required);
});

test("what a tier does not ask for is shown and counts for nothing", () => {
  const card = score({ ...FACTS, service: { ...FACTS.service, tier: "tier-3" }, slo: null }, rules, NOW);
  expect(card.points.find(({ id }) => id === "objectives")).toMatchObject({ required: false, state: "unknown" });
  expect(card.met).toBe(card.required);
});
