import { randomInt } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client as Postgres } from "pg";
import { connectAgent } from "@cairn/agent/client.ts";
import { agentPlaces } from "@cairn/agent/places.ts";
import { places } from "@cairn/platform/kernel/config.ts";
import { runningServer } from "@cairn/platform/server/record.ts";
import { createService } from "@cairn/platform/workflows/create-service.ts";
import { deliverCommit } from "@cairn/platform/workflows/deliver-commit.ts";
import { rollOut } from "@cairn/platform/workflows/roll-out.ts";
import { eventually, output } from "../scripts/demo/tools.ts";
import { begun, done, metFile } from "./kill-points.ts";
import { Client, instances, apiOf, type Change, type Plan, type Api, type Release, type Run } from "./outside.ts";
import { startPlatform, type Platform } from "./platform.ts";

// One create and one deliver, with the server killed (kill -9) again and again on the way. What happened outside is counted outside.
const ENVIRONMENTS = ["dev", "staging", "production"];
const service = `crash-${randomInt(36 ** 5).toString(36)}`;
const [create, deliver] = [`create-${service}`, `deliver-${service}`];

/** Each step of create and deliver, from what they declare: as it begins, or with its effect done and not recorded; in one environment both. */
const createPoints = createService.outline({} as never).flatMap((step) => [begun(create, step), done(create, step)]);
const deliverPoints = [
  ...deliverCommit
    .outline({ repository: service, commit: "", number: 1, environments: ENVIRONMENTS })
    .flatMap((step) =>
      step.endsWith(" staging")
        ? [done(deliver, step)]
        : step.endsWith(" production")
          ? [begun(deliver, step)]
          : [begun(deliver, step), done(deliver, step)],
    ),
  // A rollout's first round, and its start and end.
  ...rollOut
    .outline({ release: "" })
    .flatMap((step) => [begun(`${deliver}*/roll out to production`, step), done(`${deliver}*/roll out to production`, step)]),
];

let platform: Platform;
let folder: string;
const clients = new Map<string, Client>();
let killedInTheBuild = false;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-points-"));
  await writeFile(join(folder, "points"), [...createPoints, ...deliverPoints].join("\n"));
  platform = await startPlatform({
    env: { CAIRN_KILL_POINTS: folder, NODE_OPTIONS: `--import ${new URL("kill-points.ts", import.meta.url)}` },
  });
  await platform.cairn("org", "create-team", "team-crash");
});
afterAll(async () => {
  for (const client of clients.values()) await client.stop();
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

test(
  "create and deliver survive kill -9 of the server in each of their steps, and what they do outside happens once",
  { timeout: 900_000 },
  async () => {
    const answers = ["-a", `service_name=${service}`, "-a", "owner_team=team-crash", "-a", "database=true"];
    const plan = await platform.cairn<Plan>("create", "http-api", ...answers);
    const api = await apiOf(platform);
    await insist(
      () => platform.cairn("apply", plan.digest, "--no-wait"),
      async () => (await platform.cairn<{ run: string | null }>("plan", plan.digest)).run ?? undefined,
    );
    const created = await throughDeaths(`${create}-${plan.digest.slice("sha256:".length, "sha256:".length + 8)}`, api);
    expect(created).toMatchObject({ state: "success", error: null });
    expect(await met(createPoints)).toEqual(createPoints);

    await alive();
    const change = await platform.cairn<Change>("changes", "show", `${service}/1`, "--watch");
    expect(change.checks.map(({ state }) => state)).toEqual(change.checks.map(() => expect.stringMatching(/passed|warned/)));
    const commit = await insist(
      () => platform.cairn("merge", `${service}/1`),
      async () => (await platform.cairn<Change>("changes", "show", `${service}/1`)).mergeCommit ?? undefined,
    );
    const ended = await throughDeaths(`${deliver}-${commit.slice(0, 12)}`, api, killInTheBuild(api, commit));
    expect(ended).toMatchObject({ state: "success", error: null });
    expect(await met(deliverPoints)).toEqual(deliverPoints);
    expect(killedInTheBuild).toBe(true);

    await alive();
    for (const environment of ENVIRONMENTS) {
      const client = clients.get(environment);
      await client?.stop();
      expect(client?.failures, `what clients of ${environment} saw`).toEqual([]);
      expect(client?.asked).toBeGreaterThan(10);
    }
    expect(clients.get("dev")?.written).toBeGreaterThan(3);

    await once(api, plan, commit);
  },
);

/** Counts what is there, where it is. */
async function once(api: Api, plan: Plan, commit: string): Promise<void> {
  // git: the first commit, the branch's, and the squash merge, of all objects that the repository holds.
  const bare = join(places(platform.home).forge, `${service}.git`);
  const git = async (...args: string[]) => (await output("git", ["--git-dir", bare, ...args])).trim();
  const objects = (await git("cat-file", "--batch-all-objects", "--batch-check")).split("\n");
  expect(objects.filter((line) => line.includes(" commit "))).toHaveLength(3);
  expect((await git("rev-list", "main")).split("\n")).toHaveLength(2);
  expect(await git("rev-parse", "main")).toBe(commit);
  expect(await git("rev-parse", "main^{tree}")).toBe(plan.plan.payload.tree);
  expect(await git("rev-parse", "main~1^{tree}")).toBe(plan.plan.payload.firstTree);
  expect((await git("for-each-ref", "--format=%(refname)", "refs/heads")).split("\n")).toHaveLength(2);
  const { repositories } = await api<{ repositories: { name: string }[] }>("/api/repositories");
  expect(repositories.map(({ name }) => name)).toEqual([service]);
  for (const [state, count] of Object.entries({ open: 0, closed: 0, merged: 1 }))
    expect((await api<{ changes: Change[] }>(`/api/changes?repository=${service}&state=${state}`)).changes, state).toHaveLength(count);

  // Releases: one an environment, all of one artifact, which was built once and lies there once.
  const { releases } = await api<{ releases: Release[] }>(`/api/releases?service=${service}`);
  expect(releases.map(({ environment, state }) => [environment, state]).toSorted()).toEqual(
    ENVIRONMENTS.toSorted().map((name) => [name, "promoted"]),
  );
  const [artifact = "", ...others] = new Set(releases.map(({ artifactDigest }) => artifactDigest));
  expect(others).toEqual([]);
  expect(await readdir(places(platform.home).artifacts)).toEqual([`${artifact.slice("sha256:".length)}.tar.gz`]);
  const { runs } = await api<{ runs: { purpose: string; state: string; evidence: string[] }[] }>(`/api/ci-runs?repository=${service}`);
  expect(runs.map(({ purpose, state }) => [purpose, state]).toSorted()).toEqual([
    ["change", "passed"],
    ["merge", "passed"],
  ]);
  const { evidence } = await api<{ evidence: { kind: string; digest: string }[] }>(`/api/evidence?artifact=${artifact}`);
  expect(evidence.map(({ kind }) => kind).toSorted()).toEqual(["provenance", "sbom", "test-result"]);
  expect(evidence.map(({ digest }) => digest).toSorted()).toEqual(runs.find(({ purpose }) => purpose === "merge")?.evidence.toSorted());

  // PostgreSQL: the databases and roles of the plans, beside the platform's own.
  const wanted = await Promise.all(
    releases.map(async (release) => {
      const { plan: stored } = await api<{
        plan: { payload: { infra: { resources: { type: string; properties: { database: string; role: string } }[] } } };
      }>(`/api/plans/${release.plan}`);
      return stored.payload.infra.resources.filter(({ type }) => type === "postgres").map(({ properties }) => properties);
    }),
  ).then((found) => found.flat());
  expect(wanted).toHaveLength(ENVIRONMENTS.length);
  const agent = await connectAgent(platform.home);
  const database = new Postgres({ connectionString: (await agent.postgres()).url });
  await database.connect();
  const names = async (sql: string) => (await database.query<{ name: string }>(sql)).rows.map(({ name }) => name).toSorted();
  const databases = await names("select datname as name from pg_database where not datistemplate and datname not in ('postgres', 'cairn')");
  const roles = await names("select rolname as name from pg_roles where rolname !~ '^pg_' and rolname <> current_user");
  await database.end();
  expect(databases).toEqual(wanted.map((each) => each.database).toSorted());
  expect(roles).toEqual(wanted.map((each) => each.role).toSorted());

  // Processes: one instance of one revision an environment, started once; ports of their own.
  const found = instances(service);
  expect(Object.keys(found).toSorted()).toEqual(ENVIRONMENTS.toSorted());
  for (const marks of Object.values(found)) expect(marks).toHaveLength(1);
  const { targets } = await agent.status();
  expect(new Set(targets.map(({ port }) => port)).size).toBe(ENVIRONMENTS.length);
  for (const target of targets)
    expect(target.revisions).toMatchObject([{ artifactDigest: artifact, weightPercent: 100, health: "healthy", restarts: 0 }]);
  const started = (await linesBelow(agentPlaces(platform.home).serviceLogs)).filter((line) => line.includes('"message":"listening"'));
  expect(started).toHaveLength(ENVIRONMENTS.length);

  // The ledger says each of it once.
  const events = await allEvents(api);
  const recorded = Object.groupBy(events, ({ type }) => type);
  for (const type of ["forge.repository_created", "forge.change_opened", "forge.change_merged", "evidence.admitted"])
    expect(recorded[type], type).toHaveLength(1);
  for (const type of ["releases.planned", "releases.started", "releases.shifted", "releases.promoted"])
    expect(
      recorded[type]?.map(({ data }) => data.environment),
      type,
    ).toEqual(ENVIRONMENTS);
  for (const type of ["releases.rolled_back", "releases.failed", "releases.refused", "forge.repository_removed"])
    expect(recorded[type], type).toBeUndefined();
  const applied = recorded["plans.applied"]?.map(({ data }) => data.digest) ?? [];
  expect(applied.toSorted()).toEqual([plan.digest, ...releases.map((release) => release.plan)].toSorted());
  expect(recorded["plans.offered"]).toHaveLength(applied.length);
}

interface LedgerEvent {
  seq: number;
  type: string;
  about: string;
  data: Record<string, unknown>;
}

async function allEvents(api: Api): Promise<LedgerEvent[]> {
  const all: LedgerEvent[] = [];
  for (;;) {
    const { events } = await api<{ events: LedgerEvent[] }>(`/api/ledger?after=${all.at(-1)?.seq ?? 0}&limit=100`);
    if (events.length === 0) return all;
    all.push(...events);
  }
}

async function linesBelow(under: string): Promise<string[]> {
  const files = (await readdir(under, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  return (await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), "utf8")))).flatMap((text) =>
    text.split("\n"),
  );
}

const met = async (points: string[]): Promise<string[]> => {
  const files = new Set((await readdir(folder)).map((name) => join(folder, name)));
  return points.filter((point) => files.has(metFile(folder, point)));
};

/** Starts the server where it has died. One that dies again before it is ready has met its next point. */
async function alive(): Promise<void> {
  for (;;) {
    if (await runningServer(platform.home)) return;
    const before = (await readdir(folder)).length;
    try {
      await platform.start();
      return;
    } catch (error) {
      if ((await readdir(folder)).length === before) throw error;
    }
  }
}

/** Asks for something whose answer a death may cut off, until it is known to be done. */
async function insist<T>(act: () => Promise<unknown>, isDone: () => Promise<T | undefined>): Promise<T> {
  return eventually("what was asked for", 120, async () => {
    await alive();
    await act().catch(() => {});
    await alive();
    return isDone().catch(() => undefined);
  });
}

/** Starts the server as often as it dies, until the run has ended. Services that answer once are asked all the time from then on. */
async function throughDeaths(id: string, api: Api, watch: () => Promise<void> = async () => {}): Promise<Run> {
  return eventually(`the end of ${id}`, 600, async () => {
    await alive();
    await watch().catch(() => {});
    await meetServices();
    const run = await api<Run>(`/api/runs/${id}`).catch(() => undefined);
    return run && ["success", "failed", "rolled_back"].includes(run.state) ? run : undefined;
  });
}

async function meetServices(): Promise<void> {
  const { targets } = await (await connectAgent(platform.home)).status();
  for (const { target, url } of targets) {
    if (clients.has(target.environment)) continue;
    const answered = await fetch(`${url}/items`).then(
      (response) => response.status === 200,
      () => false,
    );
    if (answered) clients.set(target.environment, new Client(url, { writes: true }));
  }
}

/** Kills the server from outside while the merged commit is being built; once. */
function killInTheBuild(api: Api, commit: string): () => Promise<void> {
  return async () => {
    if (killedInTheBuild) return;
    const path = `/api/ci-runs?repository=${service}&commit=${commit}`;
    const { runs } = await api<{ runs: { purpose: string; stages: { name: string; state: string }[] }[] }>(path);
    const stages = runs.find(({ purpose }) => purpose === "merge")?.stages ?? [];
    if (!stages.some(({ name, state }) => ["build", "test"].includes(name) && state === "running")) return;
    await platform.killServer();
    killedInTheBuild = true;
  };
}
