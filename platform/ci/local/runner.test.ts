import { spawn } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { list } from "tar";
import { expect, onTestFinished, test, vi } from "vitest";
import { fileSigner, signerOf } from "../../evidence/signer.ts";
import { PROVENANCE } from "../../evidence/statement.ts";
import { evidenceFor, file, find as findEvidence } from "../../evidence/store.ts";
import { localForge } from "../../forge/local/forge.ts";
import { silentLog } from "../../kernel/log.ts";
import { events } from "../../ledger/store.ts";
import { testClock } from "../../testing/clock.ts";
import { database } from "../../testing/database.ts";
import { MARK } from "../environment.ts";
import { aProject, treeOf } from "../fixture.ts";
import { readLog } from "../log-file.ts";
import { find } from "../store.ts";
import { findBuildIsolation, notIsolated } from "./isolation.ts";
import { localCi, type LocalCiParts } from "./runner.ts";
import { LOCAL_BUILDER } from "./statements.ts";

const PERSON = { ref: "user:default/ada", name: "Ada" };

/** A runner over a real forge whose repository `orders` holds the project. */
async function harness(project: Record<string, string>, overrides: Partial<LocalCiParts> = {}) {
  const home = overrides.npmCache === undefined ? await mkdtemp(join(tmpdir(), "cairn-ci-test-")) : dirname(overrides.npmCache);
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const db = await database();
  const clock = testClock();
  const forge = await localForge({ db, clock, folder: join(home, "forge"), publicUrl: "http://127.0.0.1:1" });
  const { commit } = await forge.createRepository({
    name: "orders",
    owner: "group:default/team-a",
    files: treeOf(project),
    message: "Begin",
    author: PERSON,
    at: clock.now(),
  });
  const signer = await fileSigner(join(home, "keys"));
  const keys = [{ publicKey: signer.publicKey, keyId: signer.keyId, builder: LOCAL_BUILDER }];
  const parts: LocalCiParts = {
    db,
    clock,
    log: silentLog,
    forge,
    signer,
    fileEvidence: (filing, within) => file(db, clock, keys, filing, within),
    folder: join(home, "ci"),
    artifacts: join(home, "artifacts"),
    npmCache: join(home, "npm-cache"),
    isolation: notIsolated(join(home, "ci", "work")),
    env: { PATH: process.env.PATH, HOME: home, SECRET_TOKEN: "leak-me" },
    ...overrides,
  };
  const order = (id: string, purpose: "change" | "merge" = "merge") => ({ id, repository: "orders", commit, purpose });
  return { home, db, clock, parts, commit, order, ci: localCi(parts) };
}

const artifactsIn = (home: string) => readdir(join(home, "artifacts")).catch(() => []);

async function logOf(folder: string, id: string): Promise<string> {
  return (await readLog(folder, id, 0, true)).text;
}

test("run() builds a merge: artifact kept by digest, three signed statements, ledger, log, and nothing left", async () => {
  const { home, db, ci, order, commit, parts } = await harness(
    aProject({ build: "mkdir -p dist; cp serve.sh dist; env | sort; cat ~/.npmrc" }),
  );
  await writeFile(
    join(home, ".npmrc"),
    "registry=http://registry.example/\n//registry.example/:_authToken=leak-me\n@team:registry=http://team.example/\n",
  );
  const run = await ci.run(order("run-1"));
  expect(run).toMatchObject({ state: "passed", because: null, repository: "orders", commit, tests: { total: 2, failed: 0 } });
  expect(run.stages.map((stage) => [stage.name, stage.state])).toEqual([
    ["checkout", "passed"],
    ["descriptor", "passed"],
    ["build", "passed"],
    ["test", "passed"],
    ["sbom", "skipped"],
    ["package", "passed"],
    ["attest", "passed"],
  ]);
  const [kept] = await artifactsIn(home);
  expect(`sha256:${kept?.replace(".tar.gz", "")}`).toBe(run.artifact?.digest);
  const paths: string[] = [];
  await list({ file: join(home, "artifacts", kept ?? ""), onReadEntry: (entry) => paths.push(entry.path) });
  expect(paths).toEqual(["dist/", "dist/serve.sh"]);

  const evidence = await evidenceFor(db, run.artifact?.digest ?? "");
  expect(evidence.map((one) => [one.kind, one.result]).toSorted()).toEqual([
    ["provenance", "passed"],
    ["sbom", "unknown"],
    ["test-result", "passed"],
  ]);
  expect(evidence.map((one) => one.digest).toSorted()).toEqual(run.evidence.toSorted());
  const provenance = await findEvidence(db, evidence.find((one) => one.kind === "provenance")?.digest ?? "");
  expect(JSON.parse(Buffer.from(provenance.envelope.payload, "base64").toString())).toMatchObject({
    predicateType: PROVENANCE,
    predicate: {
      buildDefinition: {
        internalParameters: { isolated: false, isolation: "none" },
        resolvedDependencies: [{ digest: { gitCommit: commit, gitTree: expect.stringMatching(/^[0-9a-f]{40}$/) } }],
      },
      runDetails: { builder: { id: LOCAL_BUILDER } },
    },
  });
  expect((await events(db, { about: "repository:orders" })).map((line) => line.type).filter((type) => !type.startsWith("forge."))).toEqual([
    "ci.run_started",
    "ci.run_ended",
    "evidence.admitted",
  ]);

  const log = await logOf(parts.folder, "run-1");
  expect(log).toContain("registry=http://registry.example/\n@team:registry=http://team.example/\n");
  expect(log).not.toContain("leak-me");
  expect(await readdir(join(parts.folder, "work"))).toEqual([]);
});

test("run() with the same id gives the run that ended, builds once, and refuses the id for another commit", async () => {
  const { db, ci, order } = await harness(aProject());
  const [one, two] = await Promise.all([ci.run(order("run-1")), ci.run(order("run-1"))]);
  expect(two).toEqual(one);
  expect(await ci.run(order("run-1"))).toEqual(one);
  expect((await events(db, { types: ["ci.run_started"] })).length).toBe(1);
  await expect(ci.run({ ...order("run-1"), purpose: "change" })).rejects.toMatchObject({ code: "ci.order_conflicts" });
  await expect(ci.run(order("../run"))).rejects.toMatchObject({ code: "ci.order_invalid" });
});

test("run() for a change tests and packs, and keeps neither artifact nor evidence", async () => {
  const { home, db, ci, order } = await harness(aProject());
  const run = await ci.run(order("run-1", "change"));
  expect(run).toMatchObject({ state: "passed", evidence: [], artifact: { digest: expect.stringMatching(/^sha256:/) } });
  expect(await artifactsIn(home)).toEqual([]);
  expect(await evidenceFor(db, run.artifact?.digest ?? "")).toEqual([]);
});

test("run() of a failing build is a result that says why; nothing is filed", async () => {
  const { home, db, ci, order, parts } = await harness(aProject({ test: "echo it broke; exit 1" }));
  const run = await ci.run(order("run-1"));
  expect(run).toMatchObject({ state: "failed", because: "test failed: exit status 1: it broke", artifact: null, evidence: [] });
  expect(run.stages.at(-1)).toMatchObject({ name: "attest", state: "skipped" });
  expect(await artifactsIn(home)).toEqual([]);
  expect(await events(db, { types: ["ci.run_ended"] })).toMatchObject([{ data: { state: "failed", because: run.because } }]);
  expect(await logOf(parts.folder, "run-1")).toContain("it broke");
});

test("run() of a commit that is not there fails at the checkout", async () => {
  const { ci, order } = await harness(aProject());
  const run = await ci.run({ ...order("run-1"), commit: "0".repeat(40) });
  expect(run).toMatchObject({ state: "failed", because: expect.stringMatching(/^checkout failed: /) });
});

test("run() of a merge whose tests fail keeps the artifact and files what failed; of a change it keeps nothing", async () => {
  const report = `<testsuite name="checks"><testcase name="answers"/><testcase name="adds"><failure/></testcase></testsuite>`;
  const { db, home, ci, order } = await harness(
    aProject({}, { "test.sh": `mkdir -p reports; printf '%s' '${report}' >reports/junit.xml; exit 1\n` }),
  );
  const change = await ci.run(order("run-1", "change"));
  expect(change).toMatchObject({ state: "failed", because: "test failed: 1 of 2 tests failed: adds", artifact: null, evidence: [] });
  expect(await artifactsIn(home)).toEqual([]);

  const merge = await ci.run(order("run-2"));
  expect(merge).toMatchObject({ state: "failed", because: "test failed: 1 of 2 tests failed: adds", tests: { total: 2, failed: 1 } });
  expect(await artifactsIn(home)).toHaveLength(1);
  expect((await evidenceFor(db, merge.artifact!.digest)).find(({ kind }) => kind === "test-result")).toMatchObject({ result: "failed" });
});

test("run() whose build kills its own process is failed, not passed", async () => {
  const { ci, order } = await harness(aProject({ build: "kill -9 $PPID" }));
  expect(await ci.run(order("run-1"))).toMatchObject({ state: "failed", because: "the build's process ended before the build (SIGKILL)" });
});

test("run() whose evidence is refused is failed", async () => {
  const { db, ci, order } = await harness(aProject(), { signer: signerOf(generateKeyPairSync("ed25519").privateKey) });
  expect(await ci.run(order("run-1"))).toMatchObject({
    state: "failed",
    because: expect.stringContaining("not signed by a trusted builder"),
    evidence: [],
  });
  expect(await events(db, { types: ["evidence.refused"] })).toHaveLength(1);
});

test("run() cut off by a signal is no result; the same order starts anew, without what was left", async () => {
  const { ci, order, parts, db } = await harness(
    aProject({ build: "mkdir -p dist; cp serve.sh dist; test -e $HOME/../../../go || { echo started; sleep 1000; }" }),
  );
  const stop = new AbortController();
  const cut = ci.run(order("run-1"), stop.signal);
  const following = expect(cut).rejects.toMatchObject({ code: "ci.interrupted" });
  await vi.waitFor(async () => expect(await logOf(parts.folder, "run-1")).toContain("started"), { timeout: 20_000 });
  expect((await find(db, "run-1")).stages.find((stage) => stage.name === "build")?.state).toBe("running");
  stop.abort();
  await following;
  expect(await find(db, "run-1")).toMatchObject({ state: "queued", endedAt: null });
  expect(await readdir(join(parts.folder, "work"))).toEqual([]);

  // What a crash leaves: a work folder and a process of the run.
  await mkdir(join(parts.folder, "work", "run-1", "source"), { recursive: true });
  await writeFile(join(parts.folder, "work", "run-1", "source", "leftover"), "");
  await writeFile(join(parts.folder, "go"), "");
  const leftover = spawn("sleep", ["1000"], { env: { PATH: process.env.PATH, [MARK]: "run-1" }, stdio: "ignore" });
  const ended = new Promise((resolve) => leftover.once("exit", (_code, signal) => resolve(signal)));
  expect(await ci.run(order("run-1"))).toMatchObject({ state: "passed" });
  expect(await ended).toBe("SIGKILL");
  expect((await events(db, { types: ["ci.run_started"] })).map((line) => line.data.attempt)).toEqual([1, 2]);
});

test("run() lets two builds run at a time, the others wait", async () => {
  const project = aProject({ build: 'mkdir -p dist; cp serve.sh dist; while [ ! -e "$HOME/../../../go" ]; do sleep 0.05; done' });
  const { ci, order, parts, db } = await harness(project);
  const runs = ["a", "b", "c"].map((id) => ci.run(order(id)));
  await vi.waitFor(
    async () => {
      const running = await db.selectFrom("ci_run").select("id").where("state", "=", "running").execute();
      expect(running).toHaveLength(2);
      for (const { id } of running) expect((await find(db, id)).stages.find((stage) => stage.name === "build")?.state).toBe("running");
    },
    { timeout: 20_000 },
  );
  expect(await db.selectFrom("ci_run").select("state").where("state", "=", "queued").execute()).toHaveLength(1);
  await writeFile(join(parts.folder, "go"), "");
  const ended = await Promise.all(runs);
  expect(ended.map((run) => run.state)).toEqual(["passed", "passed", "passed"]);
  expect(new Set(ended.map((run) => run.artifact?.digest)).size).toBe(1);
  expect((await stat(join(parts.artifacts, (await readdir(parts.artifacts))[0] ?? ""))).size).toBe(ended[0]?.artifact?.sizeBytes);
});

/** A home that others may pass through, as the platform's own is on a server, and what keeps builds out of it here. */
async function isolatedHarness(project: Record<string, string>) {
  const home = await mkdtemp(join(tmpdir(), "cairn-ci-apart-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await chmod(home, 0o755);
  const isolation = await findBuildIsolation({ home, work: join(home, "ci", "work"), hidden: [], checkout: import.meta.dirname });
  const npmCache = join(home, "npm-cache");
  return { apart: isolation, npmCache, ...(await harness(project, { isolation, npmCache })) };
}

test("run() keeps a build apart: no key, no platform's environment; the provenance says how, and packages of the cache are there", async () => {
  const bytes = Buffer.from("a package");
  const [hash, planted] = [bytes, Buffer.from("other")].map((one) => createHash("sha512").update(one).digest("hex")) as [string, string];
  const place = (hex: string) => `_cacache/content-v2/sha512/${hex.slice(0, 2)}/${hex.slice(2, 4)}/${hex.slice(4)}`;
  const fetched = createHash("sha512").update("fetched\n").digest("hex");
  const put = (hex: string) => `mkdir -p $(dirname $npm_config_cache/${place(hex)}); echo fetched >$npm_config_cache/${place(hex)}`;
  const { apart, npmCache, ci, order, db, parts } = await isolatedHarness(
    aProject(
      { build: `mkdir -p dist; cp serve.sh dist; cat $npm_config_cache/${place(hash)}; sh spy.sh; ${put(fetched)}; ${put(planted)}` },
      { "spy.sh": SPY },
    ),
  );
  await mkdir(dirname(join(npmCache, place(hash))), { recursive: true });
  await writeFile(join(npmCache, place(hash)), bytes);
  const run = await ci.run(order("run-1"));
  const log = await logOf(parts.folder, "run-1");
  expect(run, log).toMatchObject({ state: "passed" });
  expect(log).toContain("a package");
  if (apart.kind !== "none") {
    expect(log).not.toContain("BEGIN PRIVATE KEY");
    expect(await stat(join(npmCache, place(fetched)))).toBeDefined();
    expect(await stat(join(npmCache, place(planted))).catch(() => undefined)).toBeUndefined();
  }
  const [provenance] = (await evidenceFor(db, run.artifact!.digest)).filter(({ kind }) => kind === "provenance");
  expect(provenance).toMatchObject({ isolated: apart.kind !== "none", summary: { isolation: apart.kind } });
  expect(await readdir(apart.folder)).toEqual([]);
});

test("run() files what a scanner of the machine finds in the components, and nothing where they are not known", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-scanner-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const finding = { ruleId: "CVE-1", message: { text: "bad" }, properties: { "security-severity": "9.8" } };
  const sarif = { version: "2.1.0", runs: [{ tool: { driver: { name: "Stand-in", version: "1" } }, results: [finding] }] };
  await writeFile(
    join(folder, "trivy"),
    `#!/bin/sh\nfor last; do :; done\ngrep -q left "$last" && echo '${JSON.stringify(sarif)}' >scan.sarif\n`,
    { mode: 0o755 },
  );
  const env = { PATH: `${folder}:${process.env.PATH}`, HOME: folder };
  const sbom = { bomFormat: "CycloneDX", specVersion: "1.6", components: [{ type: "library", name: "left" }] };
  const { ci, order, db, clock } = await harness(aProject({ sbom: `echo '${JSON.stringify(sbom)}'` }), { env });
  const run = await ci.run(order("run-1"));
  const scan = (await evidenceFor(db, run.artifact!.digest)).find(({ kind }) => kind === "scan");
  expect(scan).toMatchObject({ result: "failed", summary: { scanner: "Stand-in", critical: 1, findings: 1 }, observedAt: clock.now() });

  const other = await harness(aProject(), { env });
  const unscanned = await other.ci.run(other.order("run-1"));
  expect((await evidenceFor(other.db, unscanned.artifact!.digest)).map(({ kind }) => kind)).not.toContain("scan");
  expect(await logOf(other.parts.folder, "run-1")).toContain("not scanned: the components are not known");
});

const SPY = `home=$PWD/../../../..; find "$home" -name "*.pem" -exec cat {} +; for place in "$home" /proc/[0-9]*/root"$home"; do cat "$place/keys/builder.pem"; done; true\n`;

test.runIf(process.getuid?.() === 0)(
  "run() of a build that forks without end and clears its traces fails, and nothing of it is left",
  async () => {
    const { apart, ci, order, parts } = await isolatedHarness(
      aProject({ build: `echo "user $(id -u)"; setsid env -i sh -c 'sleep 1000' & while sleep 1000 & do :; done; exit 1` }),
    );
    expect(apart.kind).toBe("user");
    expect(await ci.run(order("run-1"))).toMatchObject({ state: "failed", because: expect.stringMatching(/^build failed/) });
    const user = /^user (\d+)$/m.exec(await logOf(parts.folder, "run-1"))?.[1];
    const statuses = await Promise.all(
      (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map((pid) => readFile(`/proc/${pid}/status`, "utf8").catch(() => "")),
    );
    expect(statuses.filter((status) => status.includes(`\nUid:\t${user}\t`) && !/^State:\t[ZX]/m.test(status))).toEqual([]);
  },
);

test("run() of a build that eats memory ends it at its limit, and says so", async () => {
  const eating = `node -e 'const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1))'`;
  const { ci, order, parts } = await harness(aProject({ build: eating }), { bounds: { memoryBytes: 200 * 2 ** 20 } });
  expect(await ci.run(order("run-1"))).toMatchObject({
    state: "failed",
    because: expect.stringMatching(/^the build used \d+ MiB of memory, its limit is 200 MiB/),
  });
  expect(await logOf(parts.folder, "run-1")).toContain("its limit is 200 MiB");
});

test("readLog() gives whole characters only, and says when nothing will follow", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-log-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "logs"));
  const text = `${"ü€😀\n".repeat(50_000)}end`;
  await writeFile(join(folder, "logs", "a.log"), text);
  let read = "";
  let parts = 0;
  for (let part = await readLog(folder, "a", 0, true); ; part = await readLog(folder, "a", part.next, true)) {
    read += part.text;
    parts++;
    if (part.done) break;
  }
  expect(read).toBe(text);
  expect(parts).toBeGreaterThan(1);
  await writeFile(join(folder, "logs", "b.log"), Buffer.from("ok €").subarray(0, 5));
  expect(await readLog(folder, "b", 0, false)).toEqual({ text: "ok ", next: 3, done: false });
  expect(await readLog(folder, "b", 10, false)).toEqual({ text: "", next: 10, done: false });
  expect(await readLog(folder, "none", 0, false)).toEqual({ text: "", next: 0, done: false });
  expect(await readFile(join(folder, "logs", "b.log"))).toHaveLength(5);
});
