import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getGlobalDispatcher } from "undici";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { loadOrganisation } from "../catalog/organisation.ts";
import { evidenceFor, revoke } from "../evidence/store.ts";
import { signerOf } from "../evidence/signer.ts";
import { run } from "../kernel/processes.ts";
import { transact } from "../kernel/sql.ts";
import { find as findPlan } from "../plans/store.ts";
import { beginRelease, endRelease } from "../releases/store.ts";
import { testClock } from "../testing/clock.ts";
import { testDatabase } from "../testing/database.ts";
import { exportEvidence, type EvidenceBundle, type ExportParts } from "./export-evidence.ts";
import { planOneRelease, type ReleasePlan } from "./release-plan.ts";
import { startWeb, World } from "./simulation/world.ts";

const verifier = join(import.meta.dirname, "../../docs/verify-evidence.mjs");
const ada = "user:default/ada";
const { web, stop } = startWeb(getGlobalDispatcher());
afterAll(stop);
const pem = (key: { export(how: object): unknown }) => String(key.export({ type: "spki", format: "pem" }));

let parts: ExportParts;
let good: EvidenceBundle;
const platform = signerOf(generateKeyPairSync("ed25519").privateKey);

/** A release that was merged, built, judged, planned and promoted. */
beforeAll(async () => {
  const { db } = await testDatabase();
  const clock = testClock();
  const world = new World(db, clock, () => 0.5, web, "orders");
  await transact(db, (tx) =>
    loadOrganisation(tx, clock, "system:test", [
      { apiVersion: "backstage.io/v1alpha1", kind: "Group", metadata: { name: "team-a" }, spec: { type: "team", children: [] } },
    ]),
  );
  clock.turn(60);
  const { data } = await world.merge("orders", {
    tier: "tier-3",
    environments: ["dev"],
    quality: "good",
    by: ada,
    approvedBy: null,
  } as never);
  const { commit, number } = data as { commit: string; number: number };
  const order = { id: "ci-1", repository: "orders", commit, purpose: "merge" as const };
  const artifact = (await world.parts.ci.run(order, new AbortController().signal)).artifact!.digest;
  const planned = await planOneRelease(world.parts, ada, "rel-1", { repository: "orders", commit, number }, artifact, "dev");
  expect(planned.denied).toEqual([]);
  const { payload } = (await findPlan(db, planned.plan)).plan as unknown as ReleasePlan;
  await transact(db, (tx) => beginRelease(tx, clock, ada, "rel-1", { decision: planned.decision, rules: payload.rules }));
  const { runtime } = world.parts;
  await runtime.ensureTarget(payload.target);
  await runtime.deploy({ ...payload.revision, admission: {} as never });
  await runtime.setTraffic(payload.target, { [payload.revision.id]: 100 });
  clock.turn(1);
  await transact(db, (tx) => endRelease(tx, clock, ada, "rel-1", { state: "promoted", because: "healthy" }));

  const server = createServer((socket) =>
    socket.end(`HTTP/1.1 200 OK\r\nx-cairn-digest: ${artifact}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const observe: typeof runtime.observe = async (target) => ({ ...(await runtime.observe(target)), url, findings: [] });
  const observed = { targets: () => runtime.targets(), observe } as typeof runtime;
  const keys = { builder: pem(world.builderKey), platform: pem(platform.publicKey) };
  parts = { db, clock, runtime: observed, forge: world.parts.forge, keys, sign: (statement) => platform.sign(statement) };
  good = JSON.parse(JSON.stringify(await exportEvidence(parts, "rel-1"))) as EvidenceBundle;
  return () => void server.close();
});

async function verified(bundle: unknown, ...options: string[]) {
  const folder = await mkdtemp(join(tmpdir(), "cairn-verify-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "bundle.json");
  await writeFile(file, JSON.stringify(bundle));
  const ended = await run(process.execPath, [verifier, file, ...options], { env: { PATH: process.env.PATH }, cwd: folder });
  const text = ended.stdout.toString() + ended.stderr.toString();
  return { code: ended.code, failed: [...text.matchAll(/^FAIL +(.*)$/gm)].map(([, what]) => what), text };
}

test("an untouched bundle holds from commit to running bytes, and so does its live address", async () => {
  const { code, failed, text } = await verified(good, "--commit", good.release.commit, "--live");
  expect(failed, text).toEqual([]);
  expect(code).toBe(0);
  expect(text).toContain("ok    its address answers with the artifact's digest");
});

/** The bundle with a change in it. */
const but = (change: (bundle: EvidenceBundle) => void): EvidenceBundle => {
  const copy = structuredClone(good);
  change(copy);
  return copy;
};
const changedByte = (base64: string, at: number): string => {
  const bytes = Buffer.from(base64, "base64");
  bytes.writeUInt8(bytes.at(at)! ^ 1, at < 0 ? bytes.length + at : at);
  return bytes.toString("base64");
};
const zeros = `sha256:${"0".repeat(64)}`;
const resigned = (envelope: { payload: string }, change: (predicate: Record<string, unknown>) => void, key = platform) => {
  const statement = JSON.parse(Buffer.from(envelope.payload, "base64").toString()) as { predicate: Record<string, unknown> };
  change(statement.predicate);
  return key.sign(statement);
};

describe("the verifier finds", () => {
  test.each<[string, (bundle: EvidenceBundle) => void, string]>([
    ["another artifact", (it) => void (it.release.artifactDigest = zeros), "is about the artifact"],
    [
      "a commit with one byte changed",
      (it) => void (it.commit = changedByte(it.commit!, 0)),
      "the commit's bytes are what its id is the hash of",
    ],
    [
      "a commit with its last byte changed",
      (it) => void (it.commit = changedByte(it.commit!, -1)),
      "the commit's bytes are what its id is",
    ],
    [
      "a commit that is left out",
      (it) => void (it.commit = null),
      "the commit's bytes are what its id is the hash of: its repository is gone",
    ],
    ["another commit", (it) => void (it.release.commit = "d".repeat(40)), "built from the release's commit"],
    [
      "a changed envelope",
      (it) => void (it.evidence[0]!.envelope.payload = Buffer.from("{}").toString("base64")),
      "is signed by the builder",
    ],
    [
      "evidence of another builder",
      (it) => void (it.evidence[0]!.envelope = resigned(it.evidence[0]!.envelope, () => {})),
      "is signed by the builder",
    ],
    ["evidence that is left out", (it) => void it.evidence.splice(0, 1), "on the same evidence"],
    ["evidence that was revoked", (it) => void (it.evidence[0]!.revokedBecause = "broken into"), "stands: revoked: broken into"],
    ["a changed outcome", (it) => void (it.decision.decision.outcome = "deny"), "the decision is what its id says"],
    [
      "a changed fact",
      (it) => void ((it.decision.subject as { service: { tier: string } }).service.tier = "tier-1"),
      "the facts are those",
    ],
    ["a changed rule", (it) => void (it.decision.rules["more"] = true), "the rules are those"],
    ["a changed plan", (it) => void (it.plan["title"] = "Something else"), "the plan is the one"],
    ["another revision", (it) => void (it.release.revision = "000000000000"), "named after its bytes"],
    [
      "a summary for another release",
      (it) => void (it.summary = resigned(it.summary, (said) => void (said["release"] = "rel-2"))),
      "for this release",
    ],
    ["a summary that nobody signed", (it) => void (it.summary.signatures[0]!.sig = it.running.signatures[0]!.sig), "the summary is signed"],
    [
      "other bytes that run",
      (it) => void (it.running = resigned(it.running, (said) => void (said["artifactDigest"] = zeros))),
      "the runtime hashed",
    ],
    [
      "a file that was changed",
      (it) => void (it.running = resigned(it.running, (said) => void (said["findings"] = ["file_changed: x"]))),
      "as they were unpacked",
    ],
    ["what does not serve", (it) => void (it.running = resigned(it.running, (said) => void (said["weightPercent"] = 0))), "it serves"],
    ["another format", (it) => void ((it as { format: string }).format = "other/1"), "a known format"],
  ])("%s", async (_what, change, check) => {
    const { code, failed, text } = await verified(but(change));
    expect(code, text).toBe(1);
    expect(failed.join("\n")).toContain(check);
  });

  test("that what was built is another tree than the commit's", async () => {
    const mine = signerOf(generateKeyPairSync("ed25519").privateKey);
    const { failed } = await verified(
      but((it) => {
        it.keys.builder = pem(mine.publicKey);
        for (const one of it.evidence)
          one.envelope = resigned(
            one.envelope,
            (said) => {
              const [source] = (said as { buildDefinition?: { resolvedDependencies: { digest: { gitTree?: string } }[] } }).buildDefinition
                ?.resolvedDependencies ?? [undefined];
              if (source) source.digest.gitTree = "f".repeat(40);
            },
            mine,
          );
      }),
    );
    expect(failed.join("\n")).toContain("with the tree of files that the commit names: 4b825dc642cb6eb9a060e54bf8d69288fbee4904");
  });

  test("a bundle that was signed anew with keys of its own, by the keys that one trusts", async () => {
    const mine = signerOf(generateKeyPairSync("ed25519").privateKey);
    const forged = but((it) => {
      it.keys = { builder: pem(mine.publicKey), platform: pem(mine.publicKey) };
      it.summary = resigned(it.summary, () => {}, mine);
      it.running = resigned(it.running, () => {}, mine);
    });
    const folder = await mkdtemp(join(tmpdir(), "cairn-keys-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, "platform.pem"), good.keys.platform);
    await writeFile(join(folder, "builder.pem"), good.keys.builder);
    const { failed } = await verified(forged, "--platform-key", join(folder, "platform.pem"), "--builder-key", join(folder, "builder.pem"));
    expect(failed.join("\n")).toContain("the summary is signed by the platform");
  });
});

test("a revocation shows in what is exported afterwards; what no decision let on is refused", async () => {
  const [first] = await evidenceFor(parts.db, good.release.artifactDigest);
  await transact(parts.db, (tx) => revoke(tx, parts.clock, ada, first!.digest, "broken into"));
  const { failed } = await verified(await exportEvidence(parts, "rel-1"));
  expect(failed.join("\n")).toContain("stands: revoked: broken into");
  await expect(exportEvidence(parts, "rel-2")).rejects.toMatchObject({ code: "releases.missing" });
});
