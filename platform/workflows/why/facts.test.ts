import { expect, test } from "vitest";
import { loadOrganisation } from "../../catalog/organisation.ts";
import { register } from "../../catalog/store.ts";
import { enqueue } from "../../ci/store.ts";
import type { ChangeReview } from "../../forge/model.ts";
import { transact, type Db } from "../../kernel/sql.ts";
import { addRun } from "../../orchestrator/store.ts";
import { offer } from "../../plans/store.ts";
import { openBreakGlass } from "../../policy/break-glass-store.ts";
import { aRollout, canaryArm } from "../../releases/a-rollout.ts";
import { waitAtGate } from "../../releases/gate-store.ts";
import { beginRelease, planRelease } from "../../releases/store.ts";
import { testClock } from "../../testing/clock.ts";
import { database } from "../../testing/database.ts";
import { why, type WhyParts } from "./facts.ts";

const clock = testClock();
const [commit, later] = ["a".repeat(40), "b".repeat(40)];
const ada = "user:default/ada";

async function stage() {
  const db = await database();
  const team = {
    apiVersion: "backstage.io/v1alpha1",
    kind: "Group",
    metadata: { name: "team-a" },
    spec: { type: "team", children: [], members: [] },
  };
  await transact(db, async (tx) => {
    await loadOrganisation(tx, clock, "system:test", [team]);
    const service = { name: "orders", description: "", owner_team: "team-a", lifecycle: "production" as const, repository_url: "" };
    await register(tx, clock, "system:test", service);
  });
  const change = {
    repository: "orders",
    number: 2,
    title: "Cheaper",
    author: ada,
    branch: "cheaper",
    head: commit,
    state: "open",
    mergeable: true,
    conflicts: [],
    approvals: [],
    checks: [{ name: "ci", state: "running", summary: "builds and tests", details: [], link: null, updatedAt: clock.now() }],
    warnings: [],
    tier: "tier-3",
    codeOwners: [],
    merge: { allowed: false, code: "forge.checks_not_passed", because: "", next: "", warnings: [] },
    createdAt: clock.now(),
  } as unknown as ChangeReview;
  const parts = { db, clock, forge: { changes: async () => [change] }, review: async () => change } as unknown as WhyParts;
  return { db, ask: (subject: string) => why(parts, subject, ada) };
}

const plan = async (db: Db, of: string, planned = `sha256:${"1".repeat(64)}`) =>
  transact(db, (tx) =>
    planRelease(tx, clock, ada, {
      id: `rel-orders-production-${of.slice(0, 12)}`,
      service: "orders",
      environment: "production",
      commit: of,
      artifactDigest: canaryArm.artifactDigest,
      revision: canaryArm.revision,
      plan: planned,
      stepsPercent: [10, 100],
      decision: null,
    }),
  );

test("why() says what it does not know, and what to name instead", async () => {
  const { ask } = await stage();
  for (const subject of ["nothing", "rel-none", "'; drop table release; --", "x".repeat(400)])
    await expect(ask(subject), subject).rejects.toMatchObject({
      code: "workflows.nothing_to_explain",
      next: expect.stringContaining("orders/2") as string,
    });
  await expect(ask("dec_none")).rejects.toMatchObject({ code: "policy.decision_missing" });
  await expect(ask("bg_none")).rejects.toMatchObject({ code: "policy.break_glass_missing" });
  await expect(ask(`sha256:${"0".repeat(64)}`)).rejects.toMatchObject({ code: "plans.missing" });
});

test("why() counts who is before a run in CI's queue, also for the change request that waits for it", async () => {
  const { db, ask } = await stage();
  for (const [n, id] of ["ci-1", "ci-2", "ci-3"].entries()) {
    await enqueue(db, clock, { id, repository: "orders", commit: id === "ci-3" ? commit : `${n}`.repeat(40), purpose: "change" });
    clock.turn(1);
  }
  expect((await ask("ci-3")).summary).toBe("It waits in the queue behind 2 runs");
  expect(await ask("orders/2")).toMatchObject({ state: "waits", because: [{ kind: "check", says: "waits in CI's queue behind 2 runs" }] });
  expect((await ask("orders#2")).subject.kind).toBe("change");
});

test("why() of a release, of its plan, of the run that carries it and of its service tell the same wait", async () => {
  const { db, ask } = await stage();
  const document = {
    kind: "deliver" as const,
    about: "component:default/orders",
    title: "Release orders to production",
    basis: {},
    changes: [],
    cost: { monthly: 0, currency: "EUR", unknown: [] },
    decisions: [],
    rollout: [],
    unknowns: [],
    rollback: "",
    payload: {},
  };
  const digest = await transact(db, (tx) => offer(tx, clock, ada, document));
  const { id } = await plan(db, commit, digest);
  const run = `deliver-orders-${commit.slice(0, 12)}`;
  const begun = {
    workflow: "deliver commit",
    about: "component:default/orders",
    startedBy: ada,
    parent: null,
    input: "null",
    at: clock.now(),
  };
  await addRun(db, { id: run, ...begun, outline: ["gate production"] });
  await db.updateTable("workflow_run").set({ current_step: "gate production", state: "waiting" }).where("id", "=", run).execute();
  await db.updateTable("workflow_step").set({ state: "waiting", waits_for: "an approval" }).where("run", "=", run).execute();
  const unblockedBy = `a member of group:default/team-a: cairn approve ${id}`;
  const held = { gate: "production-approval" as const, because: "an approval of its plan", unblockedBy, until: null };
  await transact(db, (tx) => waitAtGate(tx, clock, ada, id, run, { heldBy: [held], openBy: [], passedBy: [] }));
  for (const subject of [id, digest, run, "orders"]) {
    const answer = await ask(subject);
    expect(answer, subject).toMatchObject({ state: "waits", unblock: [{ command: `cairn approve ${id}` }, {}] });
    expect(answer.summary, subject).toContain("an approval of its plan");
  }
});

test("why() of a release whose turn has not come names the one before it", async () => {
  const { db, ask } = await stage();
  const first = await plan(db, commit);
  await transact(db, (tx) => beginRelease(tx, clock, ada, first.id, { decision: "dec_1", rules: aRollout().rules }));
  clock.turn(1);
  const second = await plan(db, later);
  expect(await ask(second.id)).toMatchObject({ state: "waits", unblock: [{ command: `cairn why ${first.id}` }] });
  expect((await ask(first.id)).state).toBe("waits");
});

test("why() of a break-glass follows its life", async () => {
  const { db, ask } = await stage();
  const opened = { service: "orders", environment: null, rules: ["*"], because: "down", openedBy: ada, witnesses: [], seconds: 60 };
  const { id } = await transact(db, (tx) => openBreakGlass(tx, clock, opened));
  expect(await ask(id)).toMatchObject({ state: "under_way", unblock: [{ who: "a member of group:default/team-a, or an administrator" }] });
  clock.turn(60);
  expect(await ask(id)).toMatchObject({ state: "waits", unblock: [{ command: `cairn break-glass review ${id} -b FINDING` }] });
});
