import { expect, test } from "vitest";
import { loadOrganisation } from "../catalog/organisation.ts";
import { register } from "../catalog/store.ts";
import type { ChangeReview } from "../forge/model.ts";
import { transact, type Db } from "../kernel/sql.ts";
import type { Event, RecordedEvent } from "../ledger/model.ts";
import { events, record } from "../ledger/store.ts";
import { inbox, type Reader } from "../notifications/store.ts";
import { offer } from "../plans/store.ts";
import { openBreakGlass } from "../policy/break-glass-store.ts";
import { aRollout, canaryArm } from "../releases/a-rollout.ts";
import { beginRelease, endRelease, noteRound, planRelease, refuseRelease } from "../releases/store.ts";
import { enterStep, roundOf } from "../releases/rollout.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { anEntity } from "../testing/organisation.ts";
import { tellOf, TOLD_EVENTS } from "./tell.ts";

const clock = testClock();
const head = "a".repeat(40);
const [ada, bob] = ["user:default/ada", "user:default/bob"];
const ofTeam = (ref: string): Reader => ({ ref, groups: ["group:default/team-a"], administrator: false });
const root: Reader = { ref: "user:default/root", groups: [], administrator: true };

const aChange = (over: Partial<ChangeReview> = {}) =>
  ({
    repository: "orders",
    number: 2,
    title: "Cheaper",
    author: ada,
    head,
    state: "open",
    tier: "tier-1",
    mergeCommit: null,
    checks: [{ name: "ci", state: "failed", summary: "3 of 12 tests failed", details: [], link: null, updatedAt: clock.now() }],
    codeOwners: [{ owners: ["group:default/team-a"], files: ["a.ts"], fileCount: 1, approvedBy: [] }],
    ...over,
  }) as ChangeReview;

async function stage(change: Partial<ChangeReview> = {}) {
  const db = await database();
  await transact(db, async (tx) => {
    await loadOrganisation(tx, clock, "system:test", [
      anEntity("Group", "team-a", { type: "team", children: [], members: ["ada", "bob"] }),
    ]);
    const service = { name: "orders", description: "", owner_team: "team-a", lifecycle: "production" as const, repository_url: "" };
    await register(tx, clock, "system:test", service);
  });
  const forge = { changes: async ({ state }: { state?: string }) => [aChange(change)].filter((each) => each.state === state) };
  const parts = { db, clock, forge: forge as never, publicUrl: "http://cairn.test", review: async () => aChange(change) };
  /** Everything that there is to tell, told twice: as after a crash between telling and remembering. */
  const tellAll = async () => {
    const toTell = await events(db, { types: TOLD_EVENTS, limit: 500 });
    for (const event of [...toTell, ...toTell]) await tellOf(parts, event);
  };
  return {
    db,
    tellAll,
    seenBy: async (reader: Reader) => {
      await tellAll();
      return (await inbox(db, reader, { limit: 50 })).items;
    },
    note: (event: Omit<Event, "actor">): Promise<RecordedEvent> =>
      transact(db, (tx) => record(tx, clock, { actor: "system:test", ...event })),
  };
}

const plan = (db: Db, id: string) =>
  transact(db, (tx) =>
    planRelease(tx, clock, ada, {
      id,
      service: "orders",
      environment: "production",
      commit: head,
      artifactDigest: canaryArm.artifactDigest,
      revision: canaryArm.revision,
      plan: `sha256:${"1".repeat(64)}`,
      stepsPercent: [10, 100],
      decision: "dec_1",
    }),
  );

test("releases that were refused, held and rolled back are told to their team, each once", async () => {
  const { db, seenBy } = await stage();
  await plan(db, "rel-refused");
  await transact(db, (tx) => refuseRelease(tx, clock, ada, "rel-refused", { decision: "dec_1", because: "tests-passed: no" }));
  await plan(db, "rel-1");
  await transact(db, (tx) => beginRelease(tx, clock, ada, "rel-1", { decision: "dec_1", rules: aRollout().rules }));
  const { round } = roundOf(enterStep(aRollout(), 10, clock.now()), { readings: null, smoke: null, answer: null }, clock.now());
  await transact(db, (tx) => noteRound(tx, clock, ada, "rel-1", round, { kind: "hold", because: "unknown: no request" }));
  await transact(db, (tx) => endRelease(tx, clock, ada, "rel-1", { state: "rolled_back", because: "worse" }));
  const seen = await seenBy(ofTeam(bob));
  expect(seen.map(({ kind }) => kind).toSorted()).toEqual(["release.held", "release.refused", "release.rolled_back"]);
  const held = seen.find(({ kind }) => kind === "release.held");
  expect(held).toMatchObject({ urgent: true, link: "/releases/rel-1", body: expect.stringContaining("cairn go-on rel-1") as string });
  expect(await seenBy({ ...ofTeam(bob), groups: [] })).toEqual([]);
});

test("an approval that a change wants is told to its code owners, never to its author, and anew for a new head", async () => {
  const { seenBy, note } = await stage();
  const data = { repository: "orders", number: 2, head };
  await note({ type: "forge.change_opened", about: "repository:orders", data });
  await note({ type: "forge.change_updated", about: "repository:orders", data: { ...data, head: "b".repeat(40) } });
  expect(await seenBy(ofTeam(bob))).toMatchObject([
    { kind: "approval.wanted", body: expect.stringContaining("cairn changes approve orders/2") as string },
  ]);
  expect(await seenBy(ofTeam(ada))).toEqual([]);
});

test("one person alone is asked for no approval in tier-3", async () => {
  const { seenBy, note } = await stage({ tier: "tier-3" });
  await note({ type: "forge.change_opened", about: "repository:orders", data: { repository: "orders", number: 2, head } });
  expect(await seenBy(ofTeam(bob))).toEqual([]);
});

test("a failed check is told to the author of the change alone; a passed one to nobody", async () => {
  const { seenBy, note } = await stage();
  const data = { repository: "orders", commit: head, name: "ci", state: "failed" };
  await note({ type: "forge.check_reported", about: "repository:orders", data });
  await note({ type: "forge.check_reported", about: "repository:orders", data });
  await note({ type: "forge.check_reported", about: "repository:orders", data: { ...data, name: "policy", state: "passed" } });
  expect(await seenBy(ofTeam(ada))).toMatchObject([
    { kind: "check.failed", body: expect.stringContaining("3 of 12 tests failed") as string },
  ]);
  expect(await seenBy(ofTeam(bob))).toEqual([]);
});

test("a merge that CI can't build is told to its author and the team", async () => {
  const { seenBy, note } = await stage({ state: "merged", mergeCommit: head });
  const data = { run: "ci-1", repository: "orders", commit: head, purpose: "merge", state: "failed", because: "build: exit 1" };
  await note({ type: "ci.run_ended", about: "repository:orders", data });
  await note({ type: "ci.run_ended", about: "repository:orders", data: { ...data, run: "ci-2", purpose: "change" } });
  expect(await seenBy(ofTeam(bob))).toMatchObject([{ kind: "check.failed", link: "/ci-runs/ci-1" }]);
});

test("an approval that a release waits for is told to who may give it", async () => {
  const { db, seenBy, note } = await stage();
  const payload = { approval: { owner: "team-a", authors: [ada] } };
  const basis = {
    about: "component:default/orders",
    title: "Release",
    basis: {},
    changes: [],
    cost: { monthly: 0, currency: "EUR", unknown: [] },
  };
  const kept = { kind: "deliver" as const, ...basis, decisions: [], rollout: [], unknowns: [], rollback: "", payload };
  const digest = await transact(db, (tx) => offer(tx, clock, ada, kept));
  await plan(db, "rel-1");
  const data = { release: "rel-1", plan: digest, heldBy: [{ gate: "production-approval" }] };
  await note({ type: "releases.waiting", about: "component:default/orders", data });
  await note({
    type: "releases.waiting",
    about: "component:default/orders",
    data: { ...data, heldBy: [...data.heldBy, { gate: "windows" }] },
  });
  expect(await seenBy(ofTeam(bob))).toMatchObject([
    { kind: "approval.wanted", body: expect.stringContaining("cairn approve rel-1") as string },
  ]);
  expect(await seenBy(ofTeam(ada))).toEqual([]);
});

test("revoked evidence is told where a release rests on it that serves, and nowhere else", async () => {
  const { db, seenBy, note } = await stage();
  await plan(db, "rel-1");
  await transact(db, (tx) => beginRelease(tx, clock, ada, "rel-1", { decision: "dec_1", rules: aRollout().rules }));
  await transact(db, (tx) => endRelease(tx, clock, ada, "rel-1", { state: "promoted", because: "not worse" }));
  const data = { evidence: "sha256:e", kind: "scan", because: "the scanner was wrong" };
  await note({ type: "evidence.revoked", about: "repository:orders", data: { ...data, decisions: ["dec_none"] } });
  expect(await seenBy(ofTeam(bob))).toEqual([]);
  await note({ type: "evidence.revoked", about: "repository:orders", data: { ...data, decisions: ["dec_1"] } });
  expect(await seenBy(ofTeam(bob))).toMatchObject([{ kind: "evidence.revoked", urgent: true, link: "/releases/rel-1" }]);
});

test("a break-glass is told to the team and the administrators, not to who opened it", async () => {
  const { db, seenBy } = await stage();
  const opened = { service: "orders", environment: null, rules: ["*"], because: "down", openedBy: ada, witnesses: [bob], seconds: 60 };
  await transact(db, (tx) => openBreakGlass(tx, clock, opened));
  for (const reader of [ofTeam(bob), root]) expect(await seenBy(reader)).toMatchObject([{ kind: "break_glass.opened", urgent: true }]);
  expect(await seenBy(ofTeam(ada))).toEqual([]);
});

test("what runs otherwise than released is told once an hour a kind; refused attempts to administrators", async () => {
  const { seenBy, note } = await stage();
  const data = { finding: "1", environment: "production", kind: "process_foreign", subject: "process 7", detail: "sh" };
  for (const finding of ["1", "2"]) await note({ type: "runtime.found", about: "component:default/orders", data: { ...data, finding } });
  await note({ type: "runtime.attempt_refused", about: "platform:runtime", data: { attempt: "a1", because: "not signed" } });
  // The same rule in another environment is no news, and one that denied before is none either.
  const denied = { release: "rel-1", outcome: "deny", because: "tests-passed", decision: "dec_9", newlyDenied: ["tests-passed"] };
  for (const change of [{ environment: "staging" }, { environment: "production" }, { environment: "production", newlyDenied: [] }])
    await note({ type: "policy.audit_changed", about: "component:default/orders", data: { ...denied, ...change } });
  expect((await seenBy(ofTeam(bob))).map(({ kind }) => kind).toSorted()).toEqual(["policy.breached", "runtime.found"]);
  expect((await seenBy(root)).map(({ kind }) => kind).toSorted()).toEqual(["runtime.attempt_refused", "runtime.found"]);
});

test("a quarantined artifact that serves on is told once for all environments, as no emergency", async () => {
  const { seenBy, note } = await stage();
  const data = { kind: "quarantined", subject: "sha256:1", detail: "28.6 % of 14 canary requests failed; it runs on" };
  for (const environment of ["dev", "staging"])
    await note({ type: "runtime.found", about: "component:default/orders", data: { ...data, finding: environment, environment } });
  expect(await seenBy(ofTeam(bob))).toMatchObject([
    { kind: "runtime.found", urgent: false, body: expect.stringContaining("cairn quarantine lift sha256:1 -b REASON") },
  ]);
});

test("what is gone by the time that it is told of is told to nobody, and holds up nothing", async () => {
  const { seenBy, note } = await stage();
  await note({ type: "releases.held", about: "component:default/orders", data: { release: "rel-none" } });
  await note({ type: "policy.break_glass_opened", about: "component:default/orders", data: { breakGlass: "bg_none" } });
  expect(await seenBy(ofTeam(bob))).toEqual([]);
});
