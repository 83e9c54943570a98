import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { Client } from "pg";
import { getGlobalDispatcher } from "undici";
import { afterAll, expect, inject, test } from "vitest";
import { insert } from "../../catalog/store.ts";
import { localForge } from "../../forge/local/forge.ts";
import type { Principal } from "../../identity/model.ts";
import { resourcesOf } from "../../infra/local/store.ts";
import { run as execute } from "../../kernel/processes.ts";
import { transact, type Db } from "../../kernel/sql.ts";
import { events, verify } from "../../ledger/store.ts";
import type { KeptPlan } from "../../plans/store.ts";
import { find as findPlan } from "../../plans/store.ts";
import { seeded } from "../../releases/seeded.ts";
import { testClock } from "../../testing/clock.ts";
import { testDatabase } from "../../testing/database.ts";
import { payloadOf } from "../create-service.ts";
import { planner } from "../planner.ts";
import type { ReleasePlan } from "../release-plan.ts";
import { startWhatFollows } from "../start.ts";
import { Scheduler, givenSeed } from "./scheduler.ts";
import { Machine, MISHAPS, type Running } from "./machine.ts";
import { startWeb, World } from "./world.ts";

// Random answers and injected faults; then what is there, counted where it is: git, catalog, roles, databases, secrets, processes, ports, ledger. It is what the plan says, or nothing.
// All of it is real, the agent and its processes too; builds alone are not made here, but a service in plain Node instead. Creating starts no process: so one in so many is delivered
// to its environments, which is where processes and ports come from, and half of those are deleted again by a plan. More of them would show nothing else and take minutes more.
const SETS = 300;
const DELIVERED = 3;
/** So many of them get to a delivery at least. */
const LEAST_DELIVERED = 60;
const given = givenSeed;

const { web, stop } = startWeb(getGlobalDispatcher());
const folder = await mkdtemp(join(tmpdir(), "cairn-effects-"));
const made = new Set<string>();
const machine = await Machine.start();
const ada: Principal = {
  ref: "user:default/ada",
  kind: "person",
  displayName: "Ada",
  scopes: ["read", "write"],
  groups: ["group:default/team-a"],
  administrator: false,
};

afterAll(async () => {
  await stop();
  await machine.end();
  await rm(folder, { recursive: true, force: true });
  await withAdmin(async (admin) => {
    for (const name of made) {
      await admin.query(`drop database if exists "${name}" with (force)`);
      await admin.query(`drop role if exists "${name}"`);
    }
  });
});

test(`${SETS} random answer sets with faults: what is there is what the plan says, or nothing`, { timeout: 1_800_000 }, async () => {
  const { db } = await testDatabase();
  await addTeam(db);
  const clock = testClock();
  const forge = await localForge({ db, clock, folder, publicUrl: "http://127.0.0.1" });
  const seen = new Map<string, number>();
  const note = (what: string) => void seen.set(what, (seen.get(what) ?? 0) + 1);
  const seeds = given === undefined ? Array.from({ length: SETS }, (_, n) => n + 1) : [Number(given)];
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift())
        try {
          const outcome = await one(seed);
          note(outcome);
        } catch (error) {
          throw new Error(`set ${seed}: ${(error as Error).message}\nAgain: CAIRN_SIMULATION_SEED=${seed} npm test -- effects`, {
            cause: error,
          });
        }
    }),
  );
  expect(await verify(db)).toBeUndefined();
  expect(machine.processesOf(), "processes").toEqual([]);
  expect(await machine.addresses(), "ports").toEqual([]);
  expect(await machine.unpacked(), "folders").toEqual([]);
  if (given !== undefined) return;
  const number = (outcome: string) => seen.get(outcome) ?? 0;
  for (const outcome of ["created", "nothing", "delivered", "not delivered", "deleted"])
    expect(number(outcome), outcome).toBeGreaterThan(3);
  for (const mishap of MISHAPS) expect(number(mishap), mishap).toBeGreaterThan(1);
  expect(number("on processes")).toBeGreaterThanOrEqual(LEAST_DELIVERED);

  async function one(seed: number): Promise<string> {
    const random = seeded(seed * 104_729);
    const service = nameFor(seed, random);
    const mishaps = seeded(seed * 7907);
    const mishap = MISHAPS[Math.floor(mishaps() * MISHAPS.length)]!;
    const { runtime, happened, done } = machine.runtime(service, mishap, mishaps);
    const world = new World(db, clock, random, web, service, {
      forge,
      runtime,
      secrets: machine.secrets,
      signAdmission: machine.signAdmission,
      adminUrl: inject("postgresUrl"),
      artifactOf: (commit) => machine.artifactOf(commit, mishap === "exits at once"),
    });
    const scheduler = new Scheduler(world.parts, clock);
    const plans = planner(world.parts, scheduler as never);
    const answers = {
      service_name: service,
      owner_team: "team-a",
      database: random() < 0.5,
      ...(random() < 0.7 && { description: sentence(random) }),
    };
    const plan = await plans.make({ goldenPath: "http-api", answers }, ada);
    const { run: created } = await plans.apply(plan.digest, ada);
    await toItsEnd(world, scheduler, random);
    if (scheduler.runs.get(created)?.state !== "success") {
      expect(scheduler.runs.get(created)?.state).toMatch(/rolled_back|failed/);
      await expectNothing(service);
      return "nothing";
    }
    await expectCreated(service, plan);
    if (seed % DELIVERED !== 0) return "created";

    const change = await forge.change(service, 1);
    await forge.setCheck(service, change.head, { name: "ci", state: "passed", summary: "", details: [], link: null });
    const ground = { tierOf: async () => "tier-3" as const, needsCodeOwner: () => false, directory: { groupsOf: async () => [] } };
    const merged = await forge.merge({ repository: service, number: 1, head: change.head, merger: ada, ...ground });
    const [event] = await events(db, { about: `repository:${service}`, types: ["forge.change_merged"] });
    await startWhatFollows(world.parts, scheduler as never, event!);
    await toItsEnd(world, scheduler, random);
    const delivery = scheduler.runs.get(`deliver-${service}-${merged.mergeCommit?.slice(0, 12)}`);
    expect(delivery?.state).toMatch(/success|rolled_back|failed/);
    const promoted = await expectDelivered(service);
    if (delivery?.state === "success") expect(promoted).toEqual(["dev", "production", "staging"]);
    await done();
    for (const what of ["on processes", ...(happened() || mishap === "exits at once" ? [mishap] : [])]) note(what);
    if (seed % (DELIVERED * 2) !== 0) {
      for (const target of await targetsOf(service)) await machine.agent.remove(target);
      await expectNothingRuns(service);
      return delivery?.state === "success" ? "delivered" : "not delivered";
    }

    const deletion = await plans.makeDeletion({ service, dropData: true }, ada);
    const { run } = await plans.apply(deletion.digest, ada);
    await toItsEnd(world, scheduler, random, false);
    expect(scheduler.runs.get(run), scheduler.runs.get(run)?.fault?.message).toMatchObject({ state: "success" });
    await expectNothing(service);
    return "deleted";
  }

  /** Steps until every run has ended, with deaths and faults on the way: none in every fourth set. */
  async function toItsEnd(world: World, scheduler: Scheduler, random: () => number, faults = random() < 0.75): Promise<void> {
    if (faults)
      [() => world.dieSoon(), () => world.goAway(1 + Math.floor(random() * 6)), () => world.failSoon()][Math.floor(random() * 3)]!();
    for (let turn = 0; [...scheduler.runs.values()].some(({ state }) => state === "running"); turn++) {
      if (turn > 2000) throw new Error("it does not end");
      const [next] = scheduler.ready();
      if (next) await scheduler.advance(next.id);
      else clock.turn(Math.max(1, ((scheduler.nextWake() ?? 0) - clock.now().getTime()) / 1000));
      if (!world.dead) continue;
      world.revive();
      if (random() < 0.3) world.dieSoon();
      await scheduler.die();
    }
    world.calm();
  }

  async function expectCreated(service: string, { plan, digest }: KeptPlan): Promise<void> {
    const payload = payloadOf(plan);
    const git = async (...args: string[]) =>
      (await execute("git", ["--git-dir", join(folder, `${service}.git`), ...args], { env: process.env })).stdout.toString().trim();
    expect(await git("rev-parse", "main^{tree}", `${payload.branch}^{tree}`)).toBe(`${payload.firstTree}\n${payload.tree}`);
    expect((await git("rev-list", "--all")).split("\n")).toHaveLength(2);
    expect((await git("for-each-ref", "--format=%(refname:short)", "refs/heads")).split("\n").toSorted()).toEqual(
      [payload.branch, "main"].toSorted(),
    );
    expect(await forge.changes({ repository: service })).toHaveLength(1);
    const { rows } = await sql<{ ref: string }>`select ref from catalog_entity where ref = ${`component:default/${service}`}`.execute(db);
    expect(rows).toHaveLength(1);
    expect(await count("forge.repository_created", `repository:${service}`)).toBe(1);
    expect(await count("forge.change_opened", `repository:${service}`)).toBe(1);
    expect(
      (await events(db, { types: ["plans.applied"], limit: 1000 })).filter(({ data }) => (data as { digest: string }).digest === digest),
    ).toHaveLength(1);
    expect(await namesOf(service)).toEqual({ databases: [], roles: [] });
    expect(await machine.secretsOf(service)).toEqual([]);
    await expectNothingRuns(service);
  }

  async function expectNothingRuns(service: string): Promise<void> {
    expect(await targetsOf(service), "targets").toEqual([]);
    expect(machine.processesOf(service), "processes").toEqual([]);
    expect(await machine.unpacked(service), "folders").toEqual([]);
  }

  async function expectNothing(service: string): Promise<void> {
    expect(await stat(join(folder, `${service}.git`)).catch(() => undefined), "repository").toBeUndefined();
    const aside = (await readdir(forge.git.aside)).filter((name) => name.includes(`-${service}-`));
    expect(aside, "left-overs").toEqual([]);
    expect(await forge.changes({ repository: service }).catch(() => [])).toEqual([]);
    const { rows } = await sql`select ref from catalog_entity where ref = ${`component:default/${service}`}`.execute(db);
    expect(rows, "catalog").toEqual([]);
    expect(await namesOf(service)).toEqual({ databases: [], roles: [] });
    expect(await machine.secretsOf(service), "secrets").toEqual([]);
    await expectNothingRuns(service);
    // As often as it was made it was removed.
    expect(await count("forge.repository_removed", `repository:${service}`)).toBe(
      await count("forge.repository_created", `repository:${service}`),
    );
  }

  /** Each environment has what its release's plan says, where a release began; else nothing. Gives those that were promoted. */
  async function expectDelivered(service: string): Promise<string[]> {
    const releases = await db.selectFrom("release").selectAll().where("service", "=", service).execute();
    const databases: string[] = [];
    const secrets: string[] = [];
    const runs: object[] = [];
    for (const { environment, state, plan, artifact_digest } of releases) {
      expect(["planned", "rolling_out", "held"], `the release to ${environment}`).not.toContain(state);
      const { payload } = (await findPlan(db, plan as never)).plan as unknown as ReleasePlan;
      const began = ["promoted", "rolled_back"].includes(state);
      const resources = began ? payload.infra.resources : [];
      const recorded = await resourcesOf(db, { service, environment });
      expect(recorded.map(({ address, state: its }) => `${address} ${its}`).toSorted(), `${environment}, ${state}`).toEqual(
        resources.map(({ address }) => `${address} ready`).toSorted(),
      );
      const own = resources
        .filter(({ type }) => type === "postgres")
        .map(({ properties }) => properties as { database: string; secret: string });
      databases.push(...own.map(({ database }) => database));
      secrets.push(...own.flatMap(({ secret }) => SECRET_KEYS.map((key) => `${environment}/${secret}/${key}`)));
      if (state !== "promoted") continue;
      const signsIn = own.map(({ database }) => ({ database, role: database }));
      runs.push({ environment, revision: payload.revision.id, artifact: artifact_digest, ownPort: true, ownUser: true, signsIn });
    }
    const ends = {
      about: `component:default/${service}`,
      types: ["releases.promoted", "releases.rolled_back", "releases.failed"],
      limit: 100,
    };
    expect(
      (await events(db, ends)).map(({ type, data }) => `${type} ${(data as { release: string }).release}`).toSorted(),
      "ledger",
    ).toEqual(
      releases
        .filter(({ state }) => state !== "superseded")
        .map(({ id, state }) => `releases.${state} ${id}`)
        .toSorted(),
    );
    // One that was killed is started again; whoever killed the agent waits for the next.
    await expect.poll(() => whatRuns(service), { timeout: 30_000 }).toEqual(runs.toSorted(byEnvironment));
    const began = releases.filter(({ state }) => ["promoted", "rolled_back"].includes(state)).map(({ environment }) => environment);
    const addresses = await machine.addresses();
    const there = await targetsOf(service);
    expect(there.map(({ environment }) => environment).toSorted(), "addresses").toEqual(began.toSorted());
    for (const target of there) {
      const { url } = await machine.agent.observe(target);
      expect(addresses, `the address of ${target.environment}`).toContain(new URL(url).host);
      const wanted = releases.find(({ environment, state }) => environment === target.environment && state === "promoted");
      const answer = await fetch(url);
      await answer.arrayBuffer();
      expect({ status: answer.status, artifact: answer.headers.get("x-cairn-digest") }, `what answers in ${target.environment}`).toEqual(
        wanted ? { status: 200, artifact: wanted.artifact_digest } : { status: 503, artifact: null },
      );
    }
    expect(await machine.secretsOf(service), "secrets").toEqual(secrets.toSorted());
    expect(await namesOf(service)).toEqual({ databases: databases.toSorted(), roles: databases.toSorted() });
    return releases
      .filter(({ state }) => state === "promoted")
      .map(({ environment }) => environment)
      .toSorted();
  }

  /** The processes of a service as the kernel shows them, one entry for each that was started: with their port, their user, and where their database's address leads. */
  async function whatRuns(service: string) {
    const all = machine.processesOf(service);
    const users = new Set(all.map(({ user }) => user));
    const places = new Set(all.map(({ environment }) => environment));
    const instances = Map.groupBy(all, ({ instance }) => instance);
    const seen = await Promise.all(
      [...instances.values()].map(async (processes) => {
        const [{ environment, revision, env }] = processes as [Running];
        const artifact = /service\.version=([^,]*)/.exec(env.OTEL_RESOURCE_ATTRIBUTES ?? "")?.[1];
        return {
          environment,
          revision,
          artifact: artifact && decodeURIComponent(artifact),
          ownPort: processes.flatMap(({ listens }) => listens).join() === `127.0.0.1:${env.PORT}`,
          ownUser: process.getuid?.() !== 0 || (users.size === places.size && !users.has(0)),
          signsIn: env.DATABASE_URL === undefined ? [] : [await signIn(env.DATABASE_URL)],
        };
      }),
    );
    return seen.toSorted(byEnvironment);
  }

  async function targetsOf(service: string) {
    return (await machine.agent.targets()).filter((target) => target.service === service);
  }

  async function count(type: string, about: string): Promise<number> {
    return (await events(db, { about, types: [type], limit: 100 })).length;
  }
});

async function namesOf(service: string): Promise<{ databases: string[]; roles: string[] }> {
  return withAdmin(async (admin) => {
    const names = async (query: string) =>
      (await admin.query<{ name: string }>(query, [`svc_${service}_%`])).rows.map(({ name }) => name).toSorted();
    const databases = await names("select datname as name from pg_database where datname like $1");
    const roles = await names("select rolname as name from pg_roles where rolname like $1");
    for (const name of [...databases, ...roles]) made.add(name);
    return { databases, roles };
  });
}

async function withAdmin<T>(body: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client({ connectionString: inject("postgresUrl") });
  await admin.connect();
  try {
    return await body(admin);
  } finally {
    await admin.end();
  }
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
function nameFor(seed: number, random: () => number): string {
  const length = random() < 0.1 ? 30 : Math.floor(random() * 12);
  const middle = Array.from({ length }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join("");
  return `e${seed}${middle ? `-${middle}` : ""}`;
}

/** One line, with what templates, YAML and shells take amiss. */
function sentence(random: () => number): string {
  const words = [
    "orders",
    "'",
    '"',
    "{{ 1 }}",
    "{% if %}",
    "#",
    ": ",
    "- ",
    "$HOME",
    "`id`",
    "é",
    "日本",
    "\\",
    "&amp;",
    "%s",
    "<b>",
    "|",
    "*x",
    "@team",
  ];
  return `Keeps ${Array.from({ length: 1 + Math.floor(random() * 6) }, () => words[Math.floor(random() * words.length)]).join(" ")}`;
}

const SECRET_KEYS = ["database", "host", "name", "password", "port", "uri", "username"];

const byEnvironment = (a: object, b: object): number =>
  (a as { environment: string }).environment.localeCompare((b as { environment: string }).environment);

async function signIn(url: string): Promise<{ database: string; role: string }> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ database: string; role: string }>("select current_database() as database, current_user as role");
    return rows[0]!;
  } finally {
    await client.end();
  }
}

async function addTeam(db: Db): Promise<void> {
  const team = { apiVersion: "backstage.io/v1alpha1", kind: "Group", metadata: { name: "team-a" }, spec: { type: "team", children: [] } };
  await transact(db, (tx) => insert(tx, testClock(), team as never, { source: "organisation" } as never));
}
