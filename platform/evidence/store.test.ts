import { describe, expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { evidenceFacts } from "./facts.ts";
import { aBuilder, ARTIFACT, aProvenance, aScan, aStatement, aTestResult, anSbom, BUILDER, COMMIT } from "./fixture.ts";
import { admit, artifactOf, evidenceFor, file, find, revoke } from "./store.ts";
import { verifyEvidence } from "./verify.ts";

const clock = testClock();
const OTHER = "d".repeat(40);
const artifact = {
  digest: ARTIFACT as string,
  sizeBytes: 10,
  repository: "orders",
  commit: COMMIT,
  ciRun: "run-1",
  path: "/artifacts/one.tar.gz",
};

describe("verifyEvidence() refuses", () => {
  const { signer, trust } = aBuilder();
  const tampered = (change: (statement: Record<string, unknown>) => void) => {
    const envelope = signer.sign(aProvenance());
    const statement = JSON.parse(Buffer.from(envelope.payload, "base64").toString()) as Record<string, unknown>;
    change(statement);
    return { ...envelope, payload: Buffer.from(JSON.stringify(statement)).toString("base64") };
  };
  test.each<[string, unknown, string]>([
    ["what is no envelope", { payload: 1 }, "evidence.envelope_invalid"],
    ["an envelope without signatures", { ...signer.sign(aProvenance()), signatures: [] }, "evidence.envelope_invalid"],
    ["another payload type", { ...signer.sign(aProvenance()), payloadType: "application/json" }, "evidence.envelope_invalid"],
    ["a changed payload", tampered((statement) => (statement.predicateType = "x")), "evidence.signature_invalid"],
    ["another's key", aBuilder().signer.sign(aProvenance()), "evidence.signature_invalid"],
    [
      "another's key under a trusted key's id",
      {
        ...aBuilder().signer.sign(aProvenance()),
        signatures: [{ ...aBuilder().signer.sign(aProvenance()).signatures[0], keyid: signer.keyId }],
      },
      "evidence.signature_invalid",
    ],
    ["another artifact", signer.sign(aProvenance({ artifact: `sha256:${"0".repeat(64)}` })), "evidence.other_artifact"],
    [
      "two artifacts at once",
      signer.sign({ ...aProvenance(), subject: [aProvenance().subject[0], aProvenance().subject[0]] }),
      "evidence.other_artifact",
    ],
    ["a digest of another kind", signer.sign({ ...aProvenance(), subject: [{ digest: { sha512: "00" } }] }), "evidence.other_artifact"],
    ["another repository", signer.sign(aProvenance({ repository: "payments" })), "evidence.other_source"],
    ["another commit", signer.sign(aProvenance({ commit: OTHER })), "evidence.other_source"],
    ["a commit that was not what was built", signer.sign(aProvenance({ resolved: OTHER })), "evidence.other_source"],
    ["another builder than the key's", signer.sign(aProvenance({ builder: "https://builders.example/two" })), "evidence.other_builder"],
    ["a build in the future", signer.sign(aProvenance({ finishedOn: "2026-03-01T12:06:00.000Z" })), "evidence.not_now"],
    ["a build that ended before it began", signer.sign(aProvenance({ finishedOn: "2026-03-01T11:00:00.000Z" })), "evidence.not_now"],
    [
      "a build of last month",
      signer.sign(aProvenance({ startedOn: "2026-01-30T11:00:00.000Z", finishedOn: "2026-02-01T11:00:00.000Z" })),
      "evidence.not_now",
    ],
    ["a scan of last month", signer.sign(aScan([], "2026-02-01T11:00:00.000Z")), "evidence.not_now"],
    ["a scan in the future", signer.sign(aScan([], "2026-03-02T11:00:00.000Z")), "evidence.not_now"],
    ["a scan without a time", signer.sign(aScan([], "")), "evidence.envelope_invalid"],
    ["tests of another commit", signer.sign(aTestResult("PASSED", OTHER)), "evidence.other_source"],
    ["an unknown predicate", signer.sign(aStatement("https://example.com/said-so/v1", { fine: true })), "evidence.predicate_unknown"],
    [
      "a statement of another version",
      signer.sign({ ...aProvenance(), _type: "https://in-toto.io/Statement/v0.1" }),
      "evidence.envelope_invalid",
    ],
  ])("%s", (_what, envelope, code) => {
    expect(() => verifyEvidence(envelope, trust, clock.now())).toThrow(expect.objectContaining({ code }));
  });
});

test("file() takes all in together, with the ledger, and find() gives the envelope as it was signed", async () => {
  const db = await database();
  const { signer, key } = aBuilder();
  const envelopes = [anSbom(), aTestResult(), aProvenance()].map((statement) => signer.sign(statement));
  const seen: string[][] = [];
  const filed = await file(db, clock, [key], { artifact, envelopes, actor: "system:ci" }, async (_tx, digests) => void seen.push(digests));
  expect(filed.map((one) => one.kind).toSorted()).toEqual(["provenance", "sbom", "test-result"]);
  expect(seen).toEqual([filed.map((one) => one.digest)]);
  expect(await artifactOf(db, ARTIFACT)).toEqual({ ...artifact, forgottenAt: null, createdAt: clock.now() });
  expect(await evidenceFor(db, ARTIFACT)).toHaveLength(3);
  const provenance = filed.find((one) => one.kind === "provenance");
  expect(provenance).toMatchObject({
    repository: "orders",
    commit: COMMIT,
    builder: BUILDER,
    isolated: false,
    result: "passed",
    signedBy: signer.keyId,
  });
  expect((await find(db, provenance?.digest ?? "")).envelope).toEqual(envelopes[2]);
  expect(await events(db)).toMatchObject([
    { type: "evidence.admitted", about: "repository:orders", data: { artifact: ARTIFACT, commit: COMMIT } },
  ]);

  await file(db, clock, [key], { artifact, envelopes, actor: "system:ci" });
  expect(await evidenceFor(db, ARTIFACT)).toHaveLength(3);
});

test("a scan becomes a fact with its age: failed where something is critical, and null where none was filed", async () => {
  const db = await database();
  const { signer, key } = aBuilder();
  await file(db, clock, [key], { artifact, envelopes: [signer.sign(aProvenance())], actor: "system:ci" });
  expect(evidenceFacts(await evidenceFor(db, ARTIFACT), clock.now()).scan).toBeNull();
  await file(db, clock, [key], { artifact, envelopes: [signer.sign(aScan([9.8, 5]))], actor: "system:ci" });
  expect(evidenceFacts(await evidenceFor(db, ARTIFACT), clock.now()).scan).toEqual({
    result: "failed",
    critical: 1,
    ageSeconds: 120,
    revoked: false,
  });
});

test("file() takes nothing when one envelope does not fit, and records the attempt", async () => {
  const db = await database();
  const { signer, key } = aBuilder();
  const envelopes = [signer.sign(aProvenance()), aBuilder().signer.sign(aTestResult())];
  await expect(file(db, clock, [key], { artifact, envelopes, actor: "system:ci" })).rejects.toMatchObject({
    code: "evidence.signature_invalid",
  });
  expect(await artifactOf(db, ARTIFACT)).toBeUndefined();
  expect(await evidenceFor(db, ARTIFACT)).toEqual([]);
  expect(await events(db)).toMatchObject([
    { type: "evidence.refused", about: "repository:orders", data: { artifact: ARTIFACT, code: "evidence.signature_invalid" } },
  ]);
});

test("admit() refuses what nothing places: an unknown artifact, and evidence without provenance by the same key", async () => {
  const db = await database();
  const { signer, key, trust } = aBuilder();
  await expect(admit(db, clock, [signer.sign(aTestResult())], trust, "user:default/ada")).rejects.toMatchObject({
    code: "evidence.no_provenance",
  });
  await file(db, clock, [key], { artifact, envelopes: [signer.sign(aProvenance())], actor: "system:ci" });
  const other = aBuilder();
  await expect(admit(db, clock, [other.signer.sign(aTestResult())], other.trust, "user:default/ada")).rejects.toMatchObject({
    code: "evidence.no_provenance",
  });
  expect(await admit(db, clock, [signer.sign(aTestResult("FAILED"))], trust, "user:default/ada")).toMatchObject([{ result: "failed" }]);
  const both = { ...trust, keys: [...trust.keys, ...other.trust.keys] };
  expect(await admit(db, clock, [other.signer.sign(aScan([9.8]))], both, "user:default/ada")).toMatchObject([
    { kind: "scan", signedBy: other.key.keyId },
  ]);
  expect((await events(db)).map((line) => line.type)).toEqual([
    "evidence.refused",
    "evidence.admitted",
    "evidence.refused",
    "evidence.admitted",
    "evidence.admitted",
  ]);
});

test("revoke() keeps the first reason and the evidence visible; facts show it as revoked only when nothing else stands", async () => {
  const db = await database();
  const { signer, key, trust } = aBuilder();
  const [first] = await file(db, clock, [key], { artifact, envelopes: [signer.sign(aProvenance())], actor: "system:ci" });
  for (const because of ["the builder was compromised", "another reason"])
    await transact(db, (tx) => revoke(tx, clock, "user:default/ada", first?.digest ?? "", because));
  expect((await evidenceFor(db, ARTIFACT))[0]?.revokedBecause).toBe("the builder was compromised");
  expect((await events(db)).filter((line) => line.type === "evidence.revoked")).toHaveLength(1);
  expect(evidenceFacts(await evidenceFor(db, ARTIFACT), clock.now()).provenance).toMatchObject({ revoked: true });

  await admit(
    db,
    clock,
    [signer.sign(aProvenance({ startedOn: "2026-03-01T11:00:00.000Z", finishedOn: "2026-03-01T11:10:00.000Z" }))],
    trust,
    "system:ci",
  );
  expect(evidenceFacts(await evidenceFor(db, ARTIFACT), clock.now()).provenance).toMatchObject({ revoked: false, ageSeconds: 3000 });
  await expect(transact(db, (tx) => revoke(tx, clock, "user:default/ada", "sha256:none", "x"))).rejects.toMatchObject({
    code: "evidence.missing",
  });
});

test("evidenceFacts() gives null for what was not filed, unknown components as null, and prefers the commit that is asked for", async () => {
  expect(evidenceFacts([], clock.now())).toEqual({ provenance: null, tests: null, sbom: null, scan: null });
  const db = await database();
  const { signer, key } = aBuilder();
  await file(db, clock, [key], {
    artifact,
    envelopes: [aProvenance(), aTestResult(), anSbom("unknown")].map((one) => signer.sign(one)),
    actor: "system:ci",
  });
  const later = { ...artifact, commit: OTHER };
  await file(db, clock, [key], {
    artifact: later,
    envelopes: [signer.sign(aProvenance({ commit: OTHER, finishedOn: "2026-03-01T11:59:00.000Z" }))],
    actor: "system:ci",
  });
  const evidence = await evidenceFor(db, ARTIFACT);
  expect(evidenceFacts(evidence, clock.now())).toEqual({
    provenance: { repository: "orders", commit: OTHER, builder: BUILDER, isolated: false, ageSeconds: 60, revoked: false },
    tests: { result: "passed", total: 3, failed: 0, ageSeconds: 0, revoked: false },
    sbom: { components: null, revoked: false },
    scan: null,
  });
  expect(evidenceFacts(evidence, clock.now(), { repository: "orders", commit: COMMIT }).provenance?.commit).toBe(COMMIT);
});
