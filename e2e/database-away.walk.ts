import { createHash, randomInt } from "node:crypto";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client as Postgres } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectAgent } from "@cairn/agent/client.ts";
import { runningServer } from "@cairn/platform/server/record.ts";
import { addressOf, Client, processes, type Run } from "./outside.ts";
import { createAndDeliver, ENVIRONMENTS, expectOnce, startWalk, type Walk } from "./walk.ts";

// The database is away for a minute while a delivery is under way: dead and kept from coming back, or there and silent.
const seed = Number(process.env.CAIRN_CRASH_SEED ?? Math.floor(Math.random() * 1e9));
const MINUTE_MS = 60_000;
/** Processes are told by their service's name: two walks at once have names of their own. */
const tag = randomInt(36 ** 4).toString(36);

const say = (text: string) => process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
let walk: Walk;
let postgres: { pid: number; data: string };

beforeAll(async () => {
  say(`seed ${seed}; again: npm run test:crash -- --only "database away" --seed ${seed}`);
  walk = await startWalk({ seed, victims: [], fails: null, only: [] });
  await walk.platform.cairn("org", "create-team", "team-crash");
  await createAndDeliver(walk, `steady-${tag}`);
}, 900_000);
afterAll(async () => {
  await walk?.stop();
});

/** Where PostgreSQL is now: it has another number after each death. */
async function find(): Promise<void> {
  const { url } = await (await connectAgent(walk.platform.home)).postgres();
  const client = new Postgres({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ data_directory: string }>("show data_directory");
  await client.end();
  const data = rows[0]?.data_directory ?? "";
  postgres = { data, pid: Number((await readFile(join(data, "postmaster.pid"), "utf8")).split("\n")[0]) };
}

/** The postmaster and its backends. */
async function family(): Promise<number[]> {
  const parents = await Promise.all(
    processes(() => true).map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
      return { pid, parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) };
    }),
  );
  return [postgres.pid, ...parents.filter(({ parent }) => parent === postgres.pid).map(({ pid }) => pid)];
}

/** The ways of being away, and of being back. */
const ways = {
  "dead, and not to be started": {
    refuses: true,
    async goes() {
      await chmod(join(postgres.data, "global", "pg_control"), 0o000); // whoever runs it can't read it
      process.kill(postgres.pid, "SIGKILL");
    },
    comesBack: () => chmod(join(postgres.data, "global", "pg_control"), 0o600),
  },
  "there, and silent": {
    refuses: false, // whoever asks waits
    async goes() {
      process.kill(postgres.pid, "SIGSTOP"); // so that it makes no further backend
      for (const pid of await family()) process.kill(pid, "SIGSTOP");
    },
    async comesBack() {
      for (const pid of (await family()).toReversed()) process.kill(pid, "SIGCONT");
    },
  },
};

test.each(Object.entries(ways))(
  "a delivery goes on to its end after a minute in which the database was %s; services answer on",
  { timeout: 1_800_000 },
  async (name, { goes, comesBack, refuses }) => {
    const { platform, api } = walk;
    const service = `away-${tag}-${Object.keys(ways).indexOf(name)}`;
    const clients = await Promise.all(
      ENVIRONMENTS.map(async (each) => new Client(await addressOf(platform, `steady-${tag}`, each), { writes: false })),
    );
    const isAway = async (at: string) => {
      const server = await runningServer(platform.home);
      await find();
      say(`the database is ${name}: ${service} is at "${at}"`);
      await goes();
      try {
        await sleep(MINUTE_MS / 2);
        expect(
          (await fetch(`${platform.url}/healthz`, { signal: AbortSignal.timeout(10_000) })).status,
          "the server says that it lives",
        ).toBe(200);
        if (refuses) await expect(api("/api/ledger?limit=1"), "what the API says").rejects.toThrow(/answered 503: .*http\.database_away/);
        await sleep(MINUTE_MS / 2);
      } finally {
        await comesBack();
        say("the database may come back");
      }
      expect(await runningServer(platform.home), "the server that was there").toEqual(server);
    };
    const wanted = drawn(`${seed} ${name}`) % 12;
    let away: Promise<void> | undefined;
    try {
      const done = await createAndDeliver(walk, service, async () => {
        if (away) return;
        const runs = (await runsOf(service)).filter(({ workflow }) => workflow === "deliver commit" || workflow === "roll out");
        const steps = runs.flatMap((run) => run.steps.map((step) => ({ ...step, at: `${run.workflow}/${step.name}` })));
        const now = steps.find(({ state }) => state === "running");
        if (now && steps.filter(({ state }) => state === "success").length >= wanted) {
          away = isAway(now.at);
          away.catch(() => {}); // awaited below
        }
      });
      expect(away, "the delivery was under way").toBeDefined();
      await away;
      await expectOnce(walk, service, done);
    } finally {
      await away?.catch(() => {});
      for (const client of clients) await client.stop();
    }
    const asked = clients.map((client) => client.asked);
    say(`services answered ${asked.join(", ")} requests`);
    expect(clients.flatMap(({ failures }) => failures)).toEqual([]);
    for (const count of asked) expect(count).toBeGreaterThan(100);

    async function runsOf(about: string): Promise<Run[]> {
      const { runs } = await api<{ runs: Run[] }>(`/api/runs?about=component:default/${about}`);
      return Promise.all(runs.map(({ id }) => api<Run>(`/api/runs/${encodeURIComponent(id)}`)));
    }
  },
);

const drawn = (text: string): number => createHash("sha256").update(text).digest().readUInt32BE();
