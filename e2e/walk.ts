import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { Client as Postgres } from "pg";
import { connectAgent } from "@cairn/agent/client.ts";
import { startPlatform as startHere } from "@cairn/platform/host.ts";
import { places, readConfig } from "@cairn/platform/kernel/config.ts";
import { runningServer } from "@cairn/platform/server/record.ts";
import { eventually, output } from "../scripts/demo/tools.ts";
import { metFile, MOMENTS, pointOf, type Moment, type Settings } from "./kill-points.ts";
import { apiOf, instances, type Api, type Change, type Plan, type Release, type Run } from "./outside.ts";
import { startPlatform, type Platform } from "./platform.ts";

export const ENVIRONMENTS = ["dev", "staging", "production"];
const PATIENCE_SECONDS = 600;
const ENDED = ["success", "failed", "rolled_back"];

/** A platform whose server, agent or PostgreSQL is killed (kill -9) again and again at points of its workflows, and what of them was met. */
export interface Walk {
  platform: Platform;
  api: Api;
  /** What is to be met from now on. */
  set(settings: Partial<Settings>): Promise<void>;
  /** Starts the server where it has died. */
  alive(): Promise<void>;
  /** Asks until the answer is there. */
  patiently<T>(what: string, ask: () => Promise<T | undefined>): Promise<T>;
  /** Asks for something whose answer a death may cut off, until it is known to be done. */
  insist<T>(what: string, act: () => Promise<unknown>, isDone: () => Promise<T | undefined>): Promise<T>;
  /** Starts the server as often as it dies, until the run has ended. */
  ended(run: string, meanwhile?: () => Promise<void>): Promise<Run>;
  /** The points of every step that some run has begun so far, those of them that were not met, and the steps by workflow that are declared and that none began. */
  points(moments?: readonly Moment[]): Promise<{ all: string[]; left: string[]; workflows: string[]; neverBegun: string[] }>;
  /** Each kill so far, in order. */
  kills(): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startWalk(first: Omit<Settings, "home">): Promise<Walk> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-points-"));
  let settings: Settings = { ...first, home: "", victims: [] };
  const write = () => writeFile(join(folder, "settings.json"), JSON.stringify(settings));
  await write();
  const platform = await startPlatform({
    env: { CAIRN_KILL_POINTS: folder, NODE_OPTIONS: `--import ${new URL("kill-points.ts", import.meta.url)}` },
  });
  const api = await apiOf(platform);
  settings = { ...settings, ...first, home: platform.home };
  await write();
  const kills = async () => (await readFile(join(folder, "kills"), "utf8").catch(() => "")).split("\n").filter(Boolean);

  const alive = async (): Promise<void> => {
    for (;;) {
      if (await runningServer(platform.home)) return;
      const before = (await kills()).length;
      try {
        await startHere(readConfig(platform.env), platform.env); // as the CLI does, without starting that too some hundred times
        return;
      } catch (error) {
        // One that dies again before it is ready has met its next point.
        if ((await kills()).length === before) throw error;
      }
    }
  };

  /** Asks until the answer is there, and gives up some minutes after the last kill. */
  const patiently = <T>(what: string, ask: () => Promise<T | undefined>): Promise<T> => {
    let last = { kills: 0, at: performance.now() };
    return eventually(what, 7200, async () => {
      const { length } = await kills();
      if (length > last.kills) last = { kills: length, at: performance.now() };
      if (performance.now() - last.at > PATIENCE_SECONDS * 1000)
        throw new Error(`${what} did not come within ${PATIENCE_SECONDS} seconds of the last kill`);
      return ask();
    });
  };

  return {
    platform,
    api,
    alive,
    kills,
    patiently,
    async set(changed) {
      settings = { ...settings, ...changed };
      await write();
    },
    insist: (what, act, isDone) =>
      patiently(what, async () => {
        await alive();
        await act().catch(() => {});
        await alive();
        return isDone().catch(() => undefined);
      }),
    ended: (id, meanwhile = async () => {}) =>
      patiently(`the end of ${id}`, async () => {
        await alive();
        await meanwhile();
        const run = await api<Run>(`/api/runs/${encodeURIComponent(id)}`).catch(() => undefined);
        return run && ENDED.includes(run.state) ? run : undefined;
      }),
    async points(moments = MOMENTS) {
      await alive();
      const begun = new Map<string, Set<string>>();
      const declared = new Set<string>();
      {
        const { runs } = await api<{ runs: { id: string }[] }>("/api/runs?limit=200");
        for (const { id } of runs) {
          const { workflow, steps: its } = await api<Run>(`/api/runs/${encodeURIComponent(id)}`);
          const known = begun.get(workflow) ?? new Set();
          begun.set(workflow, known);
          for (const { name, state } of its) {
            declared.add(`${workflow}/${name}`);
            if (state !== "pending") known.add(name);
          }
        }
      }
      const met = new Set((await readdir(folder)).map((name) => join(folder, name)));
      const all = [...begun]
        .flatMap(([workflow, names]) =>
          [...names].flatMap((step) =>
            moments.flatMap((moment) => settings.victims.map((victim) => pointOf(victim, workflow, step, moment))),
          ),
        )
        .filter((point) => settings.only.length === 0 || settings.only.some((part) => point.includes(part)));
      const neverBegun = [...declared].filter(
        (name) => ![...begun].some(([workflow, names]) => [...names].some((step) => name === `${workflow}/${step}`)),
      );
      return { all, left: all.filter((point) => !met.has(metFile(folder, point))), workflows: [...begun.keys()].toSorted(), neverBegun };
    },
    async stop() {
      await platform.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Creates a service, waits for the checks of its first change request, merges it and waits for the delivery, through every death on the way. */
export async function createAndDeliver(
  walk: Walk,
  service: string,
  meanwhile: () => Promise<void> = async () => {},
): Promise<{ plan: Plan; commit: string }> {
  const { platform, api } = walk;
  const { plan } = await create(walk, service);
  const change = await walk.patiently("the checks of the first change request", async () => {
    await walk.alive();
    const found = await api<Change>(`/api/changes/${service}/1`).catch(() => undefined);
    return found && found.checks.length > 0 && found.checks.every(({ state }) => !["pending", "running"].includes(state))
      ? found
      : undefined;
  });
  expect(change.checks.map(({ state }) => state)).toEqual(change.checks.map(() => expect.stringMatching(/passed|warned/)));
  await walk.ended(`check-${service}-1-${change.head.slice(0, 12)}`);
  const commit = await walk.insist(
    `the merge of ${service}/1`,
    () => platform.cairn("merge", `${service}/1`),
    async () => (await api<Change>(`/api/changes/${service}/1`)).mergeCommit ?? undefined,
  );
  const ended = await walk.ended(`deliver-${service}-${commit.slice(0, 12)}`, meanwhile);
  expect(ended).toMatchObject({ state: "success", error: null });
  return { plan, commit };
}

/** Opens a break-glass for a service, ends it before its time and has somebody else review it, through every death on the way. */
export async function breakTheGlass({ api, insist, ended }: Walk, service: string, opener: Api): Promise<void> {
  interface Glass {
    id: string;
    state: string;
  }
  const because = "walked by a test";
  const opened = async () => (await api<{ breakGlass: Glass[] }>(`/api/break-glass?service=${service}`)).breakGlass[0];
  const { id } = await insist("a break-glass", () => opener("/api/break-glass", { service, seconds: 3600, because }), opened);
  const reaches = async (...states: string[]) => (states.includes((await opened())?.state ?? "") ? true : undefined);
  await insist(`the end of ${id}`, () => api(`/api/break-glass/${id}/close`, { because }), () => reaches("to_review", "reviewed")); // prettier-ignore
  await insist(`the review of ${id}`, () => api(`/api/break-glass/${id}/review`, { because }), () => reaches("reviewed")); // prettier-ignore
  expect(await ended(`break-glass-${id}`)).toMatchObject({ state: "success", error: null });
}

/** Has an alert open an incident of a service, which is acknowledged, called over while the alert still fires, and then ends with it, through every death on the way. */
export async function answerAnIncident({ api, alive, insist, ended, patiently }: Walk, service: string): Promise<void> {
  interface Incident {
    id: string;
    round: number;
    state: string;
    firing: number;
  }
  const because = "walked by a test";
  const startsAt = new Date().toISOString();
  const alert = (status: "firing" | "resolved") =>
    api("/api/alertmanager", {
      version: "4",
      groupKey: service,
      status,
      receiver: "cairn",
      alerts: [{ status, labels: { alertname: "Walked", service }, startsAt, fingerprint: service }],
    });
  const incident = async () => (await api<{ incidents: Incident[] }>(`/api/incidents?service=${service}`)).incidents[0];
  const when = async (holds: (one: Incident) => boolean) => {
    const found = await incident();
    return found && holds(found) ? found : undefined;
  };
  const { id, round } = await insist(`an incident of ${service}`, () => alert("firing"), incident);
  const run = `incident-${id.replace("_", "-")}-${round}`;
  const waitsFor = (step: string) =>
    patiently(`${run} at "${step}"`, async () => {
      await alive();
      const found = await api<Run>(`/api/runs/${run}`).catch(() => undefined);
      return found?.steps.some(({ name, state }) => name === step && state === "waiting") ? true : undefined;
    });
  await waitsFor("until it is acknowledged");
  await insist(`the acknowledgement of ${id}`, () => api(`/api/incidents/${id}/acknowledge`, {}), () => when(({ state }) => state === "acknowledged")); // prettier-ignore
  await waitsFor("until it is over");
  await insist(`the end of ${id}`, () => api(`/api/incidents/${id}/resolve`, { because }), () => when(({ state }) => state === "resolved")); // prettier-ignore
  await waitsFor("until its alerts end");
  await insist(
    `the end of the alert of ${id}`,
    () => alert("resolved"),
    () => when(({ firing }) => firing === 0),
  );
  expect(await ended(run)).toMatchObject({ state: "success", error: null });
  const told = (await allEvents(api)).filter(({ type, data }) => type.startsWith("incidents.") && data.incident === id);
  const times = Object.entries(Object.groupBy(told, ({ type }) => type)).map(([type, all]) => [type, all?.length]);
  const once = ["opened", "paged", "acknowledged", "resolved", "alert_ended"].map((what) => [`incidents.${what}`, 1]);
  expect(times.toSorted()).toEqual(once.toSorted());
}

/** Applies a new plan for a service, and waits for the run's end. */
export async function create(walk: Walk, service: string): Promise<{ plan: Plan; run: Run }> {
  const { platform } = walk;
  await walk.alive();
  const answers = ["-a", `service_name=${service}`, "-a", "owner_team=team-crash", "-a", "database=true"];
  const made: { plan?: Plan } = {};
  const plan = await walk.insist(
    `a plan for ${service}`,
    async () => void (made.plan = await platform.cairn<Plan>("create", "http-api", ...answers)),
    async () => made.plan,
  );
  const id = await walk.insist(
    `the apply of ${plan.digest}`,
    () => platform.cairn("apply", plan.digest, "--no-wait"),
    async () => (await platform.cairn<{ run: string | null }>("plan", plan.digest)).run ?? undefined,
  );
  return { plan, run: await walk.ended(id) };
}

/** What is there of a service, counted where it is: git, roles, databases, processes, ports, artifacts. */
export interface Effects {
  repository: boolean;
  commits: number;
  databases: string[];
  roles: string[];
  /** Instances that live, by environment. */
  instances: Record<string, string[]>;
  ports: number;
}

export async function effectsOf(walk: Walk, service: string): Promise<Effects> {
  const { home } = walk.platform;
  const bare = join(places(home).forge, `${service}.git`);
  const objects = await output("git", ["--git-dir", bare, "cat-file", "--batch-all-objects", "--batch-check"]).catch(() => undefined);
  const agent = await agentOf(walk);
  const database = new Postgres({ connectionString: (await agent.postgres()).url });
  await database.connect();
  const names = async (sql: string) => (await database.query<{ name: string }>(sql)).rows.map(({ name }) => name).toSorted();
  const of = (name: string) => name.includes(service.replaceAll("-", "_")) || name.includes(service);
  try {
    return {
      repository: objects !== undefined,
      commits: (objects ?? "").split("\n").filter((line) => line.includes(" commit ")).length,
      databases: (await names("select datname as name from pg_database where not datistemplate")).filter(of),
      roles: (await names("select rolname as name from pg_roles")).filter(of),
      instances: instances(service),
      ports: (await agent.status()).targets.filter(({ target }) => target.service === service).length,
    };
  } finally {
    await database.end();
  }
}

/** The agent, which may have been killed a moment ago. */
const agentOf = ({ platform, patiently }: Walk) => patiently("the agent", () => connectAgent(platform.home).catch(() => undefined));

export const NOTHING: Effects = { repository: false, commits: 0, databases: [], roles: [], instances: {}, ports: 0 };

/** Counts what a created and delivered service has left: each outside effect once. */
export async function expectOnce(walk: Walk, service: string, { plan, commit }: { plan: Plan; commit: string }): Promise<void> {
  const { platform, api } = walk;
  // git: the first commit, the branch's, and the squash merge, of all objects that the repository holds.
  const bare = join(places(platform.home).forge, `${service}.git`);
  const git = async (...args: string[]) => (await output("git", ["--git-dir", bare, ...args])).trim();
  expect((await git("rev-list", "main")).split("\n")).toHaveLength(2);
  expect(await git("rev-parse", "main")).toBe(commit);
  expect(await git("rev-parse", "main^{tree}")).toBe(plan.plan.payload.tree);
  expect(await git("rev-parse", "main~1^{tree}")).toBe(plan.plan.payload.firstTree);
  expect((await git("for-each-ref", "--format=%(refname)", "refs/heads")).split("\n")).toHaveLength(2);
  for (const [state, count] of Object.entries({ open: 0, closed: 0, merged: 1 }))
    expect((await api<{ changes: Change[] }>(`/api/changes?repository=${service}&state=${state}`)).changes, state).toHaveLength(count);

  // Releases: one an environment, all of one artifact, which was built once and lies there once.
  const { releases } = await api<{ releases: Release[] }>(`/api/releases?service=${service}`);
  expect(releases.map(({ environment, state }) => [environment, state]).toSorted()).toEqual(
    ENVIRONMENTS.toSorted().map((name) => [name, "promoted"]),
  );
  const [artifact = "", ...others] = new Set(releases.map(({ artifactDigest }) => artifactDigest));
  expect(others).toEqual([]);
  const { runs } = await api<{ runs: { purpose: string; state: string; evidence: string[] }[] }>(`/api/ci-runs?repository=${service}`);
  expect(runs.map(({ purpose, state }) => [purpose, state]).toSorted()).toEqual([
    ["change", "passed"],
    ["merge", "passed"],
  ]);
  const { evidence } = await api<{ evidence: { kind: string; digest: string }[] }>(`/api/evidence?artifact=${artifact}`);
  expect(new Set(evidence.map(({ kind }) => kind)).size).toBe(evidence.length);
  expect(evidence.map(({ digest }) => digest).toSorted()).toEqual(runs.find(({ purpose }) => purpose === "merge")?.evidence.toSorted());

  // PostgreSQL: the databases and roles of the plans. Processes: one instance of one revision an environment; ports of their own.
  const wanted = await plannedDatabases(api, releases);
  expect(wanted).toHaveLength(ENVIRONMENTS.length);
  const effects = await effectsOf(walk, service);
  expect(effects).toMatchObject({
    repository: true,
    commits: 3,
    databases: wanted.map((each) => each.database).toSorted(),
    roles: wanted.map((each) => each.role).toSorted(),
    ports: ENVIRONMENTS.length,
  });
  expect(Object.keys(effects.instances).toSorted()).toEqual(ENVIRONMENTS.toSorted());
  for (const marks of Object.values(effects.instances)) expect(marks).toHaveLength(1);
  const targets = (await (await agentOf(walk)).status()).targets.filter(({ target }) => target.service === service);
  expect(new Set(targets.map(({ port }) => port)).size).toBe(ENVIRONMENTS.length);
  for (const target of targets)
    expect(target.revisions).toMatchObject([{ artifactDigest: artifact, weightPercent: 100, health: "healthy" }]);

  // The ledger says each of it once.
  const events = (await allEvents(api)).filter(({ about, data }) => about.includes(service) || JSON.stringify(data).includes(service));
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

async function plannedDatabases(api: Api, releases: Release[]): Promise<{ database: string; role: string }[]> {
  type Stored = { plan: { payload: { infra: { resources: { type: string; properties: { database: string; role: string } }[] } } } };
  const found = await Promise.all(
    releases.map(async (release) =>
      (await api<Stored>(`/api/plans/${release.plan}`)).plan.payload.infra.resources
        .filter(({ type }) => type === "postgres")
        .map(({ properties }) => properties),
    ),
  );
  return found.flat();
}

export interface LedgerEvent {
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
