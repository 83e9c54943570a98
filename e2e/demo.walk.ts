import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, output, root } from "../scripts/demo/tools.ts";
import { sendTraffic } from "../scripts/demo/traffic.ts";
import { addressOf, apiBy, processes, type Release, type Run } from "./outside.ts";
import { newHome, removeHome } from "./platform.ts";

// The demo, begun again and again against one CAIRN_HOME: each time it is killed in the first stage in which it was not killed yet, by Ctrl-C or by kill -9, until
// there is no such stage and it comes to its end. The stages are those that it announces.
const seed = Number(process.env.CAIRN_CRASH_SEED ?? Math.floor(Math.random() * 1e9));
/** The moment of a stage at which the kill comes, drawn up to this. */
const WITHIN_MS = 2000;

const say = (text: string) => process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
let home: string;
let env: NodeJS.ProcessEnv;
const demos: ChildProcess[] = [];

beforeAll(async () => {
  say(`seed ${seed}; again: npm run test:crash -- --only demo --seed ${seed}`);
  ({ home, env } = await newHome());
});
afterAll(async () => {
  for (const demo of demos) if (demo.exitCode === null && demo.signalCode === null) process.kill(-demo.pid!, "SIGKILL");
  if (!home) return;
  await output(join(root, "cairn"), ["stop", "--all"], { env });
  await removeHome(home);
});

interface Demo {
  turn: number;
  pid: number;
  /** What it has said so far. */
  said(): string;
  /** The stages that it has announced so far: lines of their own that are not indented, until the table at the end. */
  stages(): string[];
  /** The first stage that it announces and that is none of these; undefined where it ends without. */
  announces(none: ReadonlySet<string>): Promise<string | undefined>;
  ended: Promise<number | NodeJS.Signals>;
}

function startDemo(turn: number): Demo {
  const child = spawn(process.execPath, [join(root, "scripts", "demo", "main.ts")], {
    env: { ...env, DEMO_TURN: String(turn) },
    cwd: root,
    detached: true, // a process group of its own, as a terminal's
    stdio: ["ignore", "pipe", "pipe"],
  });
  demos.push(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | NodeJS.Signals>((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal ?? 0)));
  const announces = (none: ReadonlySet<string>) =>
    new Promise<string | undefined>((resolve) => {
      const look = () => {
        const next = stagesIn(said).find((stage) => !none.has(stage));
        if (next !== undefined) resolve(next);
      };
      child.stdout.on("data", look);
      child.once("close", () => (look(), resolve(undefined)));
    });
  return { turn, pid: child.pid ?? 0, said: () => said, stages: () => stagesIn(said), announces, ended };
}

function stagesIn(said: string): string[] {
  const lines = said.split("\n").slice(0, -1); // the last may be half
  const table = lines.findIndex((line) => /^(Stage {2,}What|Interrupted)/.test(line));
  return lines.slice(0, table < 0 ? undefined : table).filter((line) => /^\S/.test(line));
}

/** What demos have started for themselves that lives: the demo, CLI and git; not the platform, which may have been started by one and has its environment. */
async function ownProcesses(of: Demo[]): Promise<number[]> {
  const turns = of.map(({ turn }) => String(turn));
  const own = processes(({ command, env: its }) => its.CAIRN_HOME === home && turns.includes(its.DEMO_TURN ?? "") && OWN.test(command));
  const folders = of.map(({ pid }) => join(tmpdir(), `cairn-demo-${pid}-`));
  const within = await Promise.all(
    processes(() => true).map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      return folders.some((folder) => cwd.startsWith(folder)) ? [pid] : [];
    }),
  );
  return [...new Set([...own, ...within.flat()])];
}
const OWN = /(demo|cli)\/main\.ts|git-credential/;

const foldersOf = async (pid: number) => (await readdir(tmpdir())).filter((name) => name.startsWith(`cairn-demo-${pid}-`));
const cairn = async <T>(...args: string[]) => JSON.parse(await output(join(root, "cairn"), [...args, "-o", "json"], { env })) as T;

test(
  "the demo holds after Ctrl-C and kill -9 in each of its stages, and no killed one leaves a process",
  { timeout: 3_600_000 },
  async () => {
    const killed: Demo[] = [];
    const met = new Set<string>();
    const missed = new Set<string>();
    for (let turn = 0; ; turn++) {
      const demo = startDemo(turn);
      const said = () => `seed ${seed}, turn ${turn}\n${demo.said()}`;
      const stage = await demo.announces(met);
      if (stage === undefined) {
        expect(await demo.ended, said()).toBe(0);
        expect(demo.said()).toMatch(/Every stage held\.\n$/);
        expect(demo.stages().length, "stages were found").toBeGreaterThan(8);
        say(`the demo held in all its ${demo.stages().length} stages, after ${turn} kills`);
        break;
      }
      // One that went by before the drawn moment is met as it is announced.
      if (!missed.has(stage)) await sleep(drawn(`${seed} ${turn}`) % WITHIN_MS);
      const now = demo.stages().at(-1) ?? "";
      if (now !== stage) missed.add(stage);
      met.add(now);
      const [signal, word] = (met.size + seed) % 2 === 0 ? (["SIGINT", "Ctrl-C"] as const) : (["SIGKILL", "kill -9"] as const);
      say(`${word} in "${now}"`);
      process.kill(signal === "SIGINT" ? -demo.pid : demo.pid, signal);
      const code = await demo.ended;
      killed.push(demo);
      expect(code, said()).toBe(signal === "SIGINT" ? 130 : "SIGKILL");
      if (signal === "SIGINT") {
        expect(demo.said(), said()).toMatch(/Interrupted in ".+"\.[^]*npm stop stops it/);
        expect(await foldersOf(demo.pid)).toEqual([]);
        expect(await ownProcesses([demo]), said()).toEqual([]);
      }
      // What it has started goes on: a platform that was there still answers.
      if (stage !== "Start") expect(await cairn("status")).toMatchObject({ server: { ready: true } });
    }

    await eventually("the end of all that killed demos had started", 180, async () =>
      (await ownProcesses(killed)).length === 0 ? true : undefined,
    );
    for (const { pid } of killed) expect(await foldersOf(pid)).toEqual([]);

    // What they had begun comes to its end too, without its client; a canary that lost its traffic gets some.
    const { url } = await cairn<{ url: string }>("start");
    const { token } = await cairn<{ token: string }>("tokens", "create", "walk");
    const api = apiBy({ url }, token);
    const { releases } = await api<{ releases: Release[] }>("/api/releases?environment=production");
    const open = new Set(releases.filter(({ state }) => state === "rolling_out").map((release) => release.service));
    say(`without a client: ${[...open].join(", ") || "none"}`);
    const traffic = await Promise.all(
      [...open].map(async (each) => sendTraffic(`${await addressOf({ cairn }, each, "production")}/items`, 100)),
    );
    try {
      const runs = await eventually("the end of what the demos had begun", 900, async () => {
        const all = (await api<{ runs: Run[] }>("/api/runs?limit=500")).runs;
        return all.every(({ state }) => ["success", "failed", "rolled_back"].includes(state)) ? all : undefined;
      });
      expect(runs.filter(({ workflow, state }) => workflow === "deliver commit" && state === "success").length).toBeGreaterThan(1);
      // The bad change is rolled back; nothing else may fail.
      const failed = runs.filter(({ state, error }) => state === "failed" && error?.code !== "workflows.release_rolled_back");
      expect(failed.map(({ id, error }) => `${id}: ${error?.message}`)).toEqual([]);
    } finally {
      for (const each of traffic) await each.stop();
    }
  },
);

const drawn = (text: string): number => createHash("sha256").update(text).digest().readUInt32BE();
