import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectAgent, startAgent, stopAgent } from "@cairn/agent/client.ts";
import { systemClock } from "../kernel/clock.ts";
import { silentLog } from "../kernel/log.ts";
import { testClock } from "../testing/clock.ts";
import { startKeepingAgent, startsAgainAt } from "./keep-agent.ts";

const log = silentLog;
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "cairn-keep-"));
});
afterAll(async () => {
  await stopAgent(home);
  await rm(home, { recursive: true, force: true });
});

test("startKeepingAgent() leaves an agent that is there, and starts one that was killed with its keeper", async () => {
  const start = () => startAgent(home, { postgres: false });
  const before = await (await start()).status();
  let starts = 0;
  const counted = () => ((starts += 1), start());
  const keeping = startKeepingAgent({ home, clock: systemClock, log, start: counted, everyMs: 20 });
  try {
    process.kill(before.keeperPid ?? 0, "SIGKILL");
    process.kill(before.pid, "SIGKILL");
    const pid = () =>
      connectAgent(home).then(
        async (agent) => (await agent.status()).pid,
        () => undefined,
      );
    await expect.poll(pid, { timeout: 30_000 }).not.toBeOneOf([undefined, before.pid]);
    await expect.poll(() => keeping.absence()).toBeUndefined();
  } finally {
    await keeping.close();
  }
  expect(starts).toBe(1);
});

test("startKeepingAgent() waits longer from start to start where none helps, and says when the next one is and why the last was in vain", async () => {
  const nobody = join(home, "nobody");
  const clock = testClock("2026-01-05T09:00:00Z");
  const start = () => Promise.reject(new Error("no memory"));
  const keeping = startKeepingAgent({ home: nobody, clock, log, start, everyMs: 1 });
  const told = (starts: string, at: string) =>
    expect
      .poll(() => keeping.absence(), { timeout: 30_000 })
      .toBe(`No agent runs, after ${starts} in ten minutes (the last: no memory); it is started again at ${at}`);
  try {
    await told("1 start", "2026-01-05T09:00:01.000Z");
    clock.turn(1);
    await told("2 starts", "2026-01-05T09:00:03.000Z");
    clock.turn(2);
    await told("3 starts", "2026-01-05T09:00:07.000Z");
  } finally {
    await keeping.close();
  }
});

test("startsAgainAt() is at once, then 1, 2, 4 and up to 60 seconds after the last start", () => {
  const now = new Date("2026-01-05T09:00:00Z");
  const waits = [0, 1, 2, 3, 7, 20].map(
    (count) =>
      startsAgainAt(
        Array.from({ length: count }, () => now),
        now,
      ).getTime() - now.getTime(),
  );
  expect(waits).toEqual([0, 1000, 2000, 4000, 60_000, 60_000]);
});
