import { randomInt } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allWorkflows } from "@cairn/platform/workflows/start.ts";
import type { Victim } from "./kill-points.ts";
import { apiBy, type Api, type Plan, type Run } from "./outside.ts";
import {
  answerAnIncident,
  breakTheGlass,
  create,
  createAndDeliver,
  effectsOf,
  ENVIRONMENTS,
  expectOnce,
  NOTHING,
  startWalk,
  type Walk,
} from "./walk.ts";

// Every step of every workflow, with kill -9 of server, agent and PostgreSQL as it begins, inside of it, and before it is recorded; and the same in the
// rollback of every step that can be made to fail. The steps are those that runs show, from what their workflows declare.
const seed = Number(process.env.CAIRN_CRASH_SEED ?? Math.floor(Math.random() * 1e9));
const only = process.env.CAIRN_CRASH_ONLY?.split("/");
const victims = (process.env.CAIRN_CRASH_VICTIMS ?? "server,agent,postgres").split(",") as Victim[];
/** Processes are told by their service's name: two walks at once have names of their own. */
const tag = randomInt(36 ** 4).toString(36);
/** A service meets most points; what an earlier death hid is met by one of the next. */
const SERVICES = 8;

const began = Date.now();
const say = (text: string) => process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
let walk: Walk;
/** Somebody else of the team, who breaks the glass. */
let second: Api;
let shown = 0;
const progress = async () => {
  const kills = await walk.kills();
  for (const kill of kills.slice(shown)) say(`kill -9 ${kill}`);
  shown = kills.length;
};

beforeAll(async () => {
  say(`seed ${seed}; again: npm run test:crash -- --seed ${seed}${only ? ` --only ${only.join("/")}` : ""}`);
  walk = await startWalk({ seed, victims, fails: null, only: only ? [` | ${only.join(" | ")}`] : [] });
  await walk.platform.cairn("org", "create-team", "team-crash", "--member", "user:default/administrator", "user:default/second");
  const { token } = await walk.platform.cairn<{ token: string }>("tokens", "create", "admin", "--scope", "admin");
  const asked = { name: "second", scopes: ["write"], person: "user:default/second" };
  second = apiBy(walk.platform, (await apiBy(walk.platform, token)<{ token: string }>("/api/auth/tokens", asked)).token);
});
afterAll(async () => {
  if (walk) for (const line of tally(await walk.kills())) say(line);
  await walk?.stop();
});

/** How often who was killed, by workflow. */
function tally(kills: readonly string[]): string[] {
  const among = (some: readonly string[]) =>
    victims.map((victim) => `${victim} ${some.filter((kill) => kill.startsWith(`${victim} | `)).length}`).join(", ");
  const byWorkflow = Object.entries(Object.groupBy(kills, (kill) => kill.split(" | ")[1] ?? ""));
  const minutes = Math.round((Date.now() - began) / 60_000);
  return [
    ...byWorkflow.map(([workflow, some = []]) => `${workflow}: ${some.length} kills (${among(some)})`),
    `${kills.length} kills in ${minutes} min (${among(kills)})`,
  ];
}

/** Says where it was when something did not hold. */
async function located<T>(what: string, body: () => Promise<T>): Promise<T> {
  const watching = setInterval(() => void progress(), 1000);
  try {
    return await body();
  } catch (error) {
    await progress();
    say(`FAILED (seed ${seed}) ${what}; the last kills:\n  ${(await walk.kills()).slice(-5).join("\n  ")}`);
    throw error;
  } finally {
    clearInterval(watching);
  }
}

test(
  "every step survives the death of server, agent and PostgreSQL, and each outside effect happens once",
  { timeout: 7_200_000 },
  async () => {
    for (let round = 1; ; round++) {
      const service = `walk-${tag}-${round}`;
      await located(`service ${service}`, async () => {
        const done = await createAndDeliver(walk, service);
        await expectOnce(walk, service, done);
        await breakTheGlass(walk, service, second);
        await answerAnIncident(walk, service);
        const kept = round % 2 === 0;
        const deletion = await walk.platform.cairn<Plan>("delete", service, ...(kept ? [] : ["--drop-data"]));
        const run = await walk.insist(
          `the deletion of ${service}`,
          () => walk.platform.cairn("apply", deletion.digest, "--no-wait"),
          async () => (await walk.platform.cairn<{ run: string | null }>("plan", deletion.digest)).run ?? undefined,
        );
        expect(await walk.ended(run)).toMatchObject({ state: "success", error: null });
        const left = await effectsOf(walk, service);
        // Kept under another name, once: a database an environment, each with its role.
        expect(left.databases).toHaveLength(kept ? ENVIRONMENTS.length : 0);
        for (const name of left.databases) expect(name).toMatch(/^kept_/);
        expect(left.roles).toEqual(left.databases);
        expect({ ...left, databases: [], roles: [] }).toEqual(NOTHING);
      });
      const { all, left } = await walk.points();
      say(`${service}: ${all.length - left.length} of ${all.length} points met`);
      if (left.length === 0) break;
      if (round === SERVICES) expect(left).toEqual([]);
    }
    const { workflows, neverBegun } = await walk.points();
    for (const step of neverBegun) say(`not walked, since no story comes by: ${step}`);
    if (!only) expect(workflows, "a workflow without a story").toEqual(allWorkflows.map(({ name }) => name).toSorted());
  },
);

test("a creation in which a step fails leaves nothing, through every death in its rollback", { timeout: 3_600_000 }, async () => {
  const outline = allWorkflows.find(({ name }) => name === "create service")?.outline({} as never) ?? [];
  for (const [at, step] of outline.entries()) {
    for (let round = 1; round <= 3; round++)
      await located(`create service fails in ${step}`, async () => {
        const service = `fails-${tag}-${at}-${round}`;
        await walk.set({ fails: `create service/${step}` });
        const { run } = await create(walk, service);
        expect(run, step).toMatchObject({ state: at === 0 ? "failed" : "rolled_back" });
        await walk.set({ fails: null });
        expect(await effectsOf(walk, service)).toEqual(NOTHING);
        await expect(walk.api<Run>(`/services/${service}`)).rejects.toThrow("404");
      });
  }
  await progress();
});
