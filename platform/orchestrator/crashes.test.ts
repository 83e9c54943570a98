import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, expect, test } from "vitest";
import type { Db } from "../kernel/sql.ts";
import { testDatabase } from "../testing/database.ts";
import type { Told } from "./fixtures/crashing.ts";
import { leaveMessage } from "./messages.ts";
import { run, runs } from "./store.ts";

const program = join(import.meta.dirname, "fixtures", "crashing.ts");
const folders: string[] = [];
const processes: ChildProcess[] = [];
afterEach(async () => {
  for (const one of processes.splice(0)) one.kill("SIGKILL");
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function stage(told: Partial<Told>) {
  const { db, url } = await testDatabase();
  await sql`create table booking (n integer generated always as identity, run text not null, what text not null)`.execute(db);
  const folder = await mkdtemp(join(tmpdir(), "cairn-crash-"));
  folders.push(folder);
  const whole: Told = {
    databaseUrl: url,
    folder,
    runs: ["r"],
    kills: [],
    fails: false,
    waits: false,
    rounds: 2,
    stuckSeconds: 30,
    gate: false,
    opens: false,
    ...told,
  };
  const lines = async (name: string) =>
    (await readFile(join(folder, name), "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  return {
    db,
    whole,
    effects: () => lines("effects"),
    /** How many effects there are: the mark is the effect. Its line in the list comes after it, so a death at any moment may leave it out. */
    effectCount: async () => (await readdir(folder)).filter((name) => name.startsWith("effect-")).length,
    journal: async () =>
      (await lines("journal")).map((line) => ({ pid: Number(line.split(" ")[0]), key: line.slice(line.indexOf("r/")), line })),
    deaths: async () => (await readdir(folder)).filter((name) => name.startsWith("killed-")).length,
    bookings: async () => (await sql<{ run: string; what: string }>`select run, what from booking order by n`.execute(db)).rows,
  };
}

interface Ended {
  status: number | null;
  signal: string | null;
  ends: { output?: unknown; fault?: unknown }[];
}

function begin(told: Told): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [program, JSON.stringify(told)], { stdio: ["ignore", "pipe", "inherit"] });
  processes.push(child);
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  const ended = new Promise<Ended>((resolve) =>
    child.once("close", (status, signal) => resolve({ status, signal, ends: out ? (JSON.parse(out) as Ended["ends"]) : [] })),
  );
  return { child, ended };
}

/** Starts the program again after each death, until it ends by itself. */
async function untilItEnds(told: Told): Promise<Ended & { deaths: number }> {
  for (let deaths = 0; ; deaths++) {
    const ended = await begin(told).ended;
    if (ended.signal !== "SIGKILL") return { ...ended, deaths };
  }
}

const stepsOf = async (db: Db, id: string) => Object.fromEntries((await run(db, id)).steps.map((step) => [step.name, step.state]));
const unique = (keys: string[]) => expect(keys.toSorted()).toEqual([...new Set(keys)].toSorted());

test("a run ends as it would have, with kill -9 at every point of it in turn", { timeout: 240_000 }, async () => {
  const kills = [
    "before make",
    "after make",
    "between",
    "in transaction",
    "after transaction",
    "before dig",
    "after dig",
    "after observe 1",
    "after round 1",
    "after observe 2",
    "before last",
    "after last",
  ];
  const { db, whole, effects, bookings } = await stage({ kills });
  const ended = await untilItEnds(whole);
  expect(ended).toMatchObject({
    status: 0,
    deaths: kills.length,
    ends: [{ output: { made: "r/make", booked: 2, depth: 2, approval: "none", since: true } }],
  });
  const keys = await effects();
  unique(keys);
  expect(keys.toSorted()).toEqual(["r/delegate/dig", "r/last", "r/make", "r/observe", "r/observe.2"]);
  expect(await bookings()).toEqual([
    { run: "r", what: "book" },
    { run: "r", what: "r/observe" },
    { run: "r", what: "r/observe.2" },
  ]);
  expect(await run(db, "r")).toMatchObject({ state: "success", error: null });
  expect(await stepsOf(db, "r")).toEqual({
    make: "success",
    book: "success",
    delegate: "success",
    observe: "success",
    "carry out": "success",
    approval: "pending",
    last: "success",
  });
});

test("a rollback goes on after kill -9 in each of its parts, and the fault is the one that was thrown", { timeout: 240_000 }, async () => {
  const kills = ["after last", "before undo make", "after undo make"];
  const { db, whole, effects } = await stage({ kills, fails: true, rounds: 0 });
  const ended = await untilItEnds(whole);
  expect(ended).toMatchObject({
    status: 0,
    deaths: 3,
    ends: [{ fault: { kind: "precondition", code: "test.refused", next: "Nothing.", facts: { key: "r/last" } } }],
  });
  const keys = await effects();
  unique(keys);
  expect(keys).toEqual(["r/make", "r/delegate/dig", "r/last", "r/undo make"]);
  expect(await run(db, "r")).toMatchObject({ state: "rolled_back", error: { code: "test.refused" } });
  expect(await stepsOf(db, "r")).toMatchObject({ make: "rolled_back", last: "failed" });
});

test("a message that comes while no process lives is found by the next one", { timeout: 120_000 }, async () => {
  const { db, whole } = await stage({ waits: true, rounds: 0 });
  const first = begin(whole);
  await expect
    .poll(() => run(db, "r").catch(() => undefined), { timeout: 30_000 })
    .toMatchObject({
      state: "waiting",
      steps: expect.arrayContaining([expect.objectContaining({ state: "waiting", waitsFor: "the test" })]),
    });
  first.child.kill("SIGKILL");
  await first.ended;
  await leaveMessage(db, "r", "approval", "k", "yes");
  await leaveMessage(db, "r", "approval", "k", "yes");
  expect(await begin(whole).ended).toMatchObject({ status: 0, ends: [{ output: { approval: "yes" } }] });
});

test("of two processes at once one takes over the runs of the other when it dies", { timeout: 240_000 }, async () => {
  const ids = Array.from({ length: 12 }, (_, n) => `r/${n}`);
  const { db, whole, effects, effectCount, bookings } = await stage({ rounds: 20 });
  const first = begin({ ...whole, runs: ids.slice(0, 6) });
  const second = begin({ ...whole, runs: ids.slice(6) });
  await expect.poll(async () => (await bookings()).length, { timeout: 60_000 }).toBeGreaterThan(30);
  first.child.kill("SIGKILL");
  await first.ended;
  const third = begin({ ...whole, runs: ids });
  expect((await second.ended).ends).toHaveLength(6);
  expect((await third.ended).ends).toEqual(ids.map((id) => ({ output: expect.objectContaining({ made: `${id}/make` }) })));
  unique(await effects());
  expect(await effectCount()).toBe(12 * 23);
  unique((await bookings()).map((row) => `${row.run} ${row.what}`));
  expect(await bookings()).toHaveLength(12 * 21);
  expect(new Set((await runs(db, { limit: 100 })).map((one) => one.state))).toEqual(new Set(["success"]));
});

test("a process that was taken over while it slept neither undoes nor goes on", { timeout: 120_000 }, async () => {
  const { db, whole, journal, effects } = await stage({ rounds: 0, stuckSeconds: 3, gate: true });
  const stale = begin(whole);
  const gateway = async () => (await journal()).filter(({ key }) => key === "r/gate");
  await expect.poll(gateway, { timeout: 30_000 }).toHaveLength(1);
  stale.child.kill("SIGSTOP");
  const second = begin({ ...whole, opens: true });
  expect(await second.ended).toMatchObject({ status: 0, ends: [{ output: { made: "r/make" } }] });
  stale.child.kill("SIGCONT"); // its step throws now
  expect(await stale.ended).toMatchObject({ status: 0, ends: [{ output: { made: "r/make" } }] });
  const afterwards = (await journal()).filter(({ pid }) => pid === stale.child.pid).map(({ key }) => key);
  expect(afterwards).toEqual(["r/make", "r/delegate/dig", "r/gate"]);
  expect((await effects()).filter((key) => key.includes("undo"))).toEqual([]);
  expect(await run(db, "r")).toMatchObject({ state: "success", error: null });
  expect(await stepsOf(db, "r")).toMatchObject({ make: "success", gate: "success", last: "success" });
});
