import { join } from "node:path";
import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { aSubject, type Overrides } from "./a-subject.ts";
import { audits, forgetAudits, keepAudit, noteUnaudited } from "./audit.ts";
import { loadPolicies } from "./bundle.ts";
import { judge } from "./judge.ts";
import { list } from "./store.ts";

const bundle = await loadPolicies(join(import.meta.dirname, "../../library/policies"));
const actor = "system:audit";
const at = { service: "orders", environment: "production", release: "rel-1" };

test("keepAudit() records an answer once, and again where it is another; what runs no more is forgotten", async () => {
  const db = await database();
  const clock = testClock();
  const audit = async (overrides: Overrides, where = at) => {
    const subject = aSubject({ point: "audit", ...overrides });
    const judgement = judge(subject, bundle, clock.now(), []);
    return transact(db, (tx) => keepAudit(tx, clock, actor, where, { subject, bundle, reliefs: [] }, judgement));
  };
  const changes = async () =>
    (await events(db, { types: ["policy.audit_changed", "policy.audit_ended"] }))
      .toSorted((a, b) => a.seq - b.seq)
      .map(({ data }) => [data.was ?? null, data.outcome]);

  expect(await audit({})).toBe(true);
  const began = clock.now();
  clock.turn(300);
  // Older by five minutes, and otherwise the same: the messages tell ages, the answers do not change.
  expect(await audit({ evidence: { tests: { ageSeconds: 360 } } })).toBe(false);
  expect(await audits(db)).toMatchObject([{ ...at, outcome: "allow", since: began, checkedAt: clock.now(), results: [] }]);

  clock.turn(300);
  expect(await audit({ evidence: { provenance: { revoked: true } } })).toBe(true);
  expect(await audit({ evidence: { provenance: { revoked: true } } })).toBe(false);
  const [found] = await audits(db, { service: "orders" });
  expect(found).toMatchObject({ outcome: "deny", since: clock.now(), because: expect.stringContaining("was revoked") });
  expect(found?.results.map(({ rule }) => rule)).toEqual(["provenance-verified"]);
  expect((await list(db, { point: "audit", limit: 10 })).map(({ id }) => id)).toContain(found?.decision);

  expect(await transact(db, (tx) => noteUnaudited(tx, clock, actor, at, "the forge does not answer"))).toBe(true);
  expect(await transact(db, (tx) => noteUnaudited(tx, clock, actor, at, "the forge does not answer"))).toBe(false);
  expect(await audits(db)).toMatchObject([{ outcome: "unknown", decision: null }]);
  expect(await audits(db, { outcome: "allow", limit: 1 })).toEqual([]);

  await audit({}, { ...at, environment: "staging" });
  await transact(db, (tx) => forgetAudits(tx, clock, actor, [{ service: "orders", environment: "staging" }]));
  expect((await audits(db)).map(({ environment }) => environment)).toEqual(["staging"]);
  expect(await changes()).toEqual([
    [null, "allow"],
    ["allow", "deny"],
    ["deny", "unknown"],
    [null, "allow"],
    [null, "unknown"],
  ]);
});
