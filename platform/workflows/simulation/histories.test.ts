import { sql } from "kysely";
import { afterAll, expect, test } from "vitest";
import { getGlobalDispatcher } from "undici";
import { insert } from "../../catalog/store.ts";
import type { Tier } from "../../catalog/model.ts";
import { revoke } from "../../evidence/store.ts";
import type { Digest } from "../../kernel/digest.ts";
import { transact, type Db } from "../../kernel/sql.ts";
import type { RecordedEvent } from "../../ledger/model.ts";
import { verify } from "../../ledger/store.ts";
import { approve } from "../../plans/store.ts";
import { find as findDecision } from "../../policy/store.ts";
import { answerRelease } from "../../releases/store.ts";
import { seeded } from "../../releases/seeded.ts";
import { testClock } from "../../testing/clock.ts";
import { database } from "../../testing/database.ts";
import { startWhatFollows } from "../start.ts";
import { Scheduler, givenSeed } from "./scheduler.ts";
import { QUALITIES, startWeb, World } from "./world.ts";

const HISTORIES = 500;
const given = givenSeed;
const { web, stop } = startWeb(getGlobalDispatcher());
afterAll(stop);

/** Steps that change nothing. */
const QUIET = new Set(["pause", "until", "observe", "decide", "child"]);

interface Row {
  id: string;
  environment: string;
  state: string;
  commit: string;
  artifact_digest: string;
  ended_at: Date | null;
  started_by: string;
}

test(
  `${HISTORIES} histories of merges, deaths, absences, verdicts, answers and revocations keep the invariants`,
  { timeout: 900_000 },
  async () => {
    const db = await database();
    const seen = new Map<string, number>();
    await addPeople(db);
    const seeds = given === undefined ? Array.from({ length: HISTORIES }, (_, n) => n + 1) : [Number(given)];
    const one = async (seed: number): Promise<void> => {
      try {
        for (const [what, times] of Object.entries(await history(db, seed))) seen.set(what, (seen.get(what) ?? 0) + times);
      } catch (error) {
        throw new Error(`history ${seed}: ${(error as Error).message}\nAgain: CAIRN_SIMULATION_SEED=${seed} npm test -- histories`, {
          cause: error,
        });
      }
    };
    // Some at a time: they share nothing but the database.
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) await one(seed);
      }),
    );
    // They are about something: each of these has come by.
    for (const what of [
      "death",
      "revocation",
      "answer roll_back",
      "deliver commit success",
      "deliver commit failed",
      "roll out success",
      "roll out rolled_back",
    ])
      if (given === undefined) expect(seen.get(what), what).toBeGreaterThan(10);
    expect(await verify(db), "the first event that does not fit the chain").toBeUndefined();
  },
);

async function history(db: Db, seed: number): Promise<Record<string, number>> {
  const random = seeded(seed * 7919);
  const clock = testClock();
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
  const service = `s${seed}`;
  const world = new World(db, clock, random, web, service);
  const scheduler = new Scheduler(world.parts, clock);
  const tier = pick<Tier>(["tier-1", "tier-2", "tier-3", "tier-3"]);
  const most = pick([1, 2, 2, 3]);
  const route = pick([["production"], ["dev", "production"], ["production"], ["dev", "staging", "production"]]);
  const counted: Record<string, number> = {};
  const count = (what: string) => void (counted[what] = (counted[what] ?? 0) + 1);

  const follow = (event: RecordedEvent) => startWhatFollows(world.parts, scheduler as never, event).catch(() => {});
  const merged: RecordedEvent[] = [];
  const merge = async () => {
    const event = await world.merge(service, {
      tier,
      environments: route,
      quality: pick(QUALITIES),
      by: "user:default/ada",
      approvedBy: random() < 0.8 ? "user:default/grace" : null,
    });
    merged.push(event);
    await follow(event);
  };
  /** Runs that would only look at a release under way, again and again. */
  const waits = async (run: { id: string; waiting?: unknown }): Promise<boolean> => {
    const name = (run.waiting as { name?: string } | undefined)?.name ?? "";
    const [, environment] = /^(?:plan|begin) (.+)$/.exec(name) ?? [];
    if (environment === undefined) return false;
    const other = await underWay(db, service, environment);
    return other !== undefined && other.commit.slice(0, 12) !== run.id.slice(-12);
  };
  const work = async (): Promise<boolean> => {
    const able = [];
    for (const run of scheduler.ready()) if (!(await waits(run))) able.push(run);
    if (able.length === 0) return false;
    const chosen = pick(able);
    const name = (chosen.waiting as { name?: string; kind: string }).name ?? chosen.waiting!.kind;
    await scheduler.advance(chosen.id);
    if (!QUIET.has(name)) await check();
    if (world.dead) {
      world.revive();
      count("death");
      await scheduler.die();
    }
    return true;
  };
  const turnOn = (): boolean => {
    const wake = scheduler.nextWake();
    if (wake === undefined) return false;
    clock.turn(Math.max(1, (wake - clock.now().getTime()) / 1000) + pick([0, 30, 300, 700])); // it may oversleep
    return true;
  };

  for (let turn = 0; turn < 30; turn++) {
    const chance = random();
    if (merged.length === 0 || (chance < 0.07 && merged.length < most)) await merge();
    else if (chance < 0.13) world.dieSoon();
    else if (chance < 0.15) world.goAway(1 + Math.floor(random() * 5));
    else if (chance < 0.17) clock.turn(pick([10, 120, 700]));
    else if (chance < 0.19) await follow(pick(merged));
    else if (chance < 0.21) {
      const known = await db.selectFrom("evidence").select("digest").where("repository", "=", service).execute();
      if (known.length > 0) {
        await transact(db, (tx) => revoke(tx, clock, "user:default/grace", pick(known).digest, "it was wrong"));
        count("revocation");
      }
    } else if (chance < 0.26) {
      const by = pick(["ada", "grace", "grace"]);
      if (await approveOne(db, clock, service, `user:default/${by}`)) count(`approval by ${by}`);
    } else if (chance < 0.3) await answer(db, clock, service, pick(["roll_back", "go_on"]), count);
    else if (!(await work()) && !turnOn()) await answer(db, clock, service, "roll_back", count);
  }
  world.goAway(0);
  for (let turn = 0; ; turn++) {
    if (turn > 3000)
      throw new Error(
        `it does not end: ${JSON.stringify([...scheduler.runs.values()].map(({ id, state, waiting }) => ({ id, state, waiting })))}`,
      );
    if (await work()) continue;
    if ([...scheduler.runs.values()].every(({ state }) => state !== "running")) break;
    if (random() < 0.5) await approveOne(db, clock, service, "user:default/grace");
    if (random() < 0.1 || !turnOn()) await answer(db, clock, service, pick(["roll_back", "go_on"]), count);
    if (random() < 0.3) clock.turn(300);
  }
  await check();
  await checkEnds();
  for (const { state, workflow } of scheduler.runs.values()) count(`${workflow.name} ${state}`);
  return counted;

  /** At the end: a line in the ledger for each change, and nothing promoted that was not shown to be good. */
  async function checkEnds(): Promise<void> {
    const { rows: events } = await sql<{ type: string; release: string; n: number; said: string[] }>`
      select type, data ->> 'release' as release, count(*)::integer as n, array_agg(data ->> 'because') as said from ledger_event
      where about = ${`component:default/${service}`} and type in ('releases.planned', 'releases.started', 'releases.promoted', 'releases.rolled_back', 'releases.failed', 'releases.refused')
      group by 1, 2`.execute(db);
    for (const { type, release, n } of events) expect(n, `${type} of ${release}`).toBe(1);
    const releases = await db.selectFrom("release").selectAll().where("service", "=", service).execute();
    const count = (id: string, type: string) => events.filter((event) => event.release === id && event.type === `releases.${type}`).length;
    for (const release of releases) {
      const { id, state, environment } = release;
      for (const end of ["promoted", "rolled_back", "failed", "refused"])
        expect(count(id, end), `${end} events of ${id}, ${state}`).toBe(state === end ? 1 : 0);
      expect(["planned", "rolling_out", "held"], `${id} has ended`).not.toContain(state);
      if (state !== "promoted") continue;
      const decision = await findDecision(db, release.decision!);
      expect(decision.outcome, id).not.toBe("deny");
      for (const result of decision.results)
        if (result.mode === "enforce") expect(["passed", "warned"], `${result.rule} let ${id} go on`).toContain(result.outcome);
      const artifact = [...world.qualities].find(([commit]) => release.commit === commit)?.[1];
      expect(["unhealthy", "untested"], `what ${id} promoted`).not.toContain(artifact);
      // What had a baseline to be compared with, and was worse or could not be judged, goes no further; but for what a rule of tier-3 or its owner says.
      if (environment !== "production" || release.previous === null || /serves already/.test(release.because)) continue;
      if (artifact === "worse") expect(release.because, id).toMatch(/decided:|accepted by rule/);
      if (artifact === "silent")
        expect(release.because, id).toMatch(tier === "tier-3" ? /accepted by rule|decided:|not worse/ : /decided:|not worse/);
    }
  }

  async function check(): Promise<void> {
    const rows: Row[] = await db
      .selectFrom("release")
      .select(["id", "environment", "state", "commit", "artifact_digest", "ended_at", "started_by"])
      .where("service", "=", service)
      .orderBy("ended_at")
      .execute();
    for (const environment of route) {
      const here = rows.filter((row) => row.environment === environment);
      const active = here.filter(({ state }) => ["rolling_out", "held"].includes(state));
      expect(active.length, `releases under way in ${environment}`).toBeLessThanOrEqual(1);
      const promoted = here.filter(({ state }) => state === "promoted");
      for (const row of [...promoted, ...active]) {
        // In the order of promotion: what goes further has been promoted before.
        const before = route[route.indexOf(environment) - 1];
        if (before !== undefined)
          expect(
            rows.filter((other) => other.environment === before && other.commit === row.commit && other.state === "promoted"),
            `${row.id} came by ${before}`,
          ).not.toEqual([]);
      }
      const bad = new Set(here.filter(({ state }) => state === "rolled_back").map((row) => row.artifact_digest));
      const place = world.places.get(`${service}/${environment}`);
      const serving = [...(place?.revisions.values() ?? [])].filter(({ weightPercent }) => weightPercent > 0);
      const current = promoted.at(-1)?.artifact_digest;
      const allowed = new Set([current, ...active.map((row) => row.artifact_digest)]);
      for (const one of serving) expect([...allowed], `what serves in ${environment}`).toContain(one.artifactDigest);
      if (active.length === 0) {
        if (current !== undefined)
          expect(
            serving.map((one) => one.artifactDigest),
            `what serves in ${environment}`,
          ).toEqual([current]);
        for (const one of serving) if (one.artifactDigest !== current) expect([...bad]).not.toContain(one.artifactDigest);
      }
    }
    for (const [id, times] of world.builds) expect(times, `builds of ${id}`).toBe(1);
  }
}

const underWay = (db: Db, service: string, environment: string) =>
  db
    .selectFrom("release")
    .select(["id", "commit", "state"])
    .where("service", "=", service)
    .where("environment", "=", environment)
    .where("state", "in", ["rolling_out", "held"])
    .executeTakeFirst();

async function answer(
  db: Db,
  clock: ReturnType<typeof testClock>,
  service: string,
  action: "roll_back" | "go_on",
  count: (what: string) => void,
): Promise<void> {
  const release = await db
    .selectFrom("release")
    .select(["id", "state"])
    .where("service", "=", service)
    .where("state", "in", ["rolling_out", "held"])
    .executeTakeFirst();
  if (!release || (action === "go_on" && release.state !== "held")) return;
  await transact(db, (tx) => answerRelease(tx, clock, "user:default/grace", release.id, { action, because: "so they say" }));
  count(`answer ${action}`);
}

/** Somebody else than the author approves what waits before its environment; now and then the author tries. */
async function approveOne(db: Db, clock: ReturnType<typeof testClock>, service: string, by: string): Promise<boolean> {
  const waiting = await db
    .selectFrom("release")
    .innerJoin("release_gate", "release_gate.release", "release.id")
    .select("release.plan")
    .where("release.service", "=", service)
    .where("release.state", "=", "planned")
    .where("release_gate.passed_at", "is", null)
    .executeTakeFirst();
  if (!waiting) return false;
  return transact(db, (tx) => approve(tx, clock, { ref: by }, waiting.plan as Digest)).then(
    () => true,
    () => false,
  );
}

async function addPeople(db: Db): Promise<void> {
  const apiVersion = "backstage.io/v1alpha1";
  const team = { apiVersion, kind: "Group", metadata: { name: "team-a" }, spec: { type: "team", children: [] } };
  const person = (name: string) => ({ apiVersion, kind: "User", metadata: { name }, spec: { memberOf: ["team-a"] } });
  for (const entity of [team, person("ada"), person("grace")])
    await transact(db, (tx) => insert(tx, testClock(), entity as never, { source: "organisation" } as never));
}
