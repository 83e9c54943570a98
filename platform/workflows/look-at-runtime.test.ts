import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { signerOf } from "../evidence/signer.ts";
import { silentLog } from "../kernel/log.ts";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { lift, quarantine } from "../releases/quarantine.ts";
import { readLift } from "../runtime/admission.ts";
import type { Attempt, Finding, Runtime } from "../runtime/contract.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { agreeOnQuarantine, lookAtRuntime } from "./look-at-runtime.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const TARGET = { service: "orders", environment: "production" };
const signer = signerOf(generateKeyPairSync("ed25519").privateKey);

/** A runtime that says what it is told to, and keeps its quarantine as the agent does. */
async function aPlatform() {
  const clock = testClock();
  const barred = new Map<string, string>();
  const findings: Finding[] = [];
  const attempts: Attempt[] = [];
  const runtime = {
    targets: async () => [TARGET],
    observe: async () => ({ target: TARGET, at: clock.now(), url: "http://127.0.0.1:1", readings: [], findings }),
    attempts: async () => attempts,
    quarantined: async () => [...barred].map(([artifact, because]) => ({ artifact, because })),
    quarantine: async (artifact: string, because: string) => void barred.set(artifact, because),
    liftQuarantine: async (artifact: string, envelope: unknown) => {
      expect(readLift(envelope, signer.publicKey)).toMatchObject({
        lift: { artifact, by: "user:default/ada", because: "it was the database" },
      });
      barred.delete(artifact);
    },
  } as unknown as Runtime;
  const db = await database();
  const parts = { db, clock, log: silentLog, runtime, signAdmission: (type: string, what: unknown) => signer.sign(what, type) };
  const told = async (type: string) => (await events(db, { types: [type] })).map(({ data }) => data);
  return { parts, db, clock, barred, findings, attempts, told };
}

const aFinding = (over: Partial<Finding> = {}): Finding => ({
  id: "f1",
  kind: "file_changed",
  revision: "0123456789ab",
  subject: "main.mjs",
  detail: "its content is another",
  foundAt: new Date("2026-03-01T12:00:00Z"),
  ...over,
});

test("lookAtRuntime() records a finding once, however often it is seen, again when it comes back, and its end", async () => {
  const { parts, findings, told } = await aPlatform();
  findings.push(aFinding(), aFinding({ id: "f2", kind: "process_foreign", subject: "process 7" }));
  await Promise.all([lookAtRuntime(parts), lookAtRuntime(parts)]);
  await lookAtRuntime(parts);
  expect(await told("runtime.found")).toHaveLength(2);
  findings.splice(0, 1);
  await lookAtRuntime(parts);
  expect(await told("runtime.finding_ended")).toMatchObject([{ finding: "f1", environment: "production", subject: "main.mjs" }]);
  findings.push(aFinding());
  await lookAtRuntime(parts);
  expect(await told("runtime.found")).toHaveLength(3);
});

test("lookAtRuntime() records each refused attempt once, about the service that it was for", async () => {
  const { parts, attempts, db, told } = await aPlatform();
  attempts.push({
    id: "att_1",
    at: new Date(),
    operation: "start a revision",
    ...TARGET,
    revision: "0123456789ab",
    code: "runtime.not_admitted",
    because: "it bears no admission",
  });
  await lookAtRuntime(parts);
  await lookAtRuntime(parts);
  expect(await told("runtime.attempt_refused")).toMatchObject([{ attempt: "att_1", code: "runtime.not_admitted" }]);
  expect((await events(db, { types: ["runtime.attempt_refused"] }))[0]?.about).toBe("component:default/orders");
});

test("the runtime bars what is quarantined, starts again only what was lifted, by signature, and keeps what it bars of its own", async () => {
  const { parts, db, clock, barred, told } = await aPlatform();
  barred.set("sha256:own", "by hand");
  const bar = (release: string | null) =>
    transact(db, (tx) =>
      quarantine(tx, clock, "user:default/ada", { service: "orders", artifactDigest: DIGEST, release, because: "it leaks" }),
    );
  await bar(null);
  await bar(null);
  expect(await told("releases.quarantined")).toHaveLength(1);
  await agreeOnQuarantine(parts);
  expect([...barred.keys()].toSorted()).toEqual([DIGEST, "sha256:own"].toSorted());
  await transact(db, (tx) => lift(tx, clock, "user:default/ada", DIGEST, "it was the database"));
  await expect(transact(db, (tx) => lift(tx, clock, "user:default/ada", DIGEST, "again"))).rejects.toMatchObject({
    code: "releases.not_quarantined",
  });
  await agreeOnQuarantine(parts);
  expect([...barred.keys()]).toEqual(["sha256:own"]);
  await bar(null);
  await agreeOnQuarantine(parts);
  expect(barred.has(DIGEST)).toBe(true);
  expect(await told("releases.quarantine_lifted")).toMatchObject([{ artifactDigest: DIGEST, because: "it was the database" }]);
});
