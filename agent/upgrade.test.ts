import { appendFile, cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type * as Client from "./client.ts";
import { startAgent } from "./client.ts";
import { codeDigest } from "./code.ts";
import { agentPlaces } from "./places.ts";
import { anArtifact, ask, aSpec, runningAgent, type RunningAgent } from "./testing/fixture.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
let running: RunningAgent;
let elsewhere: string;
let other: typeof Client;
/** Another version of the agent, in a place of its own. */
beforeAll(async () => {
  running = await runningAgent();
  elsewhere = await mkdtemp(join(tmpdir(), "cairn-version-"));
  const parts = ["agent", "platform/kernel", "platform/secrets", "platform/runtime", "platform/evidence"];
  for (const part of parts) {
    await mkdir(dirname(join(elsewhere, part)), { recursive: true });
    await cp(join(root, part), join(elsewhere, part), { recursive: true, filter: (path) => !path.includes("node_modules") });
  }
  await symlink(join(root, "node_modules"), join(elsewhere, "node_modules"));
  await appendFile(join(elsewhere, "agent", "model.ts"), "\n// the next version\n");
  other = (await import(pathToFileURL(join(elsewhere, "agent", "client.ts")).href)) as typeof Client;
});
afterAll(async () => {
  await running?.end();
  await rm(elsewhere, { recursive: true, force: true });
});

test("startAgent() of another version takes the place of the one that runs, again and again under load: no request fails, and the service's process stays", async () => {
  const target = { service: "orders", environment: "dev" };
  const spec = aSpec({ artifact: await anArtifact(running.home) });
  const { url } = await running.agent.ensureTarget(target);
  await running.agent.deploy(target, spec);
  await running.agent.setWeights(target, { [spec.id]: 100 });
  const pid = (await ask(`${url}/pid`)).body;
  const failures: string[] = [];
  const stop = new AbortController();
  let answered = 0;
  const client = async (n: number) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stop.signal.aborted)
      try {
        const options = n % 2 === 0 ? { agent } : { method: "POST" };
        const { status } = await ask(n === 3 ? `${url}/slow` : url, options);
        if (status === 200) answered += 1;
        else failures.push(`status ${status}`);
      } catch (error) {
        failures.push(String(error));
      }
    agent.destroy();
  };
  const clients = Array.from({ length: 4 }, (_, n) => client(n));
  const codes = new Set<string>();
  for (let upgrade = 0; upgrade < 6; upgrade++) {
    const start = upgrade % 2 === 0 ? other.startAgent : startAgent;
    const before = await running.agent.status();
    await start(running.home, { postgres: false });
    const now = await running.agent.status();
    expect(now.pid).not.toBe(before.pid);
    codes.add(now.code);
    const command = (await readFile(`/proc/${now.pid}/cmdline`, "utf8")).split("\0");
    expect(command).toContain(join(upgrade % 2 === 0 ? elsewhere : root, "agent", "main.ts"));
    await start(running.home, { postgres: false });
    expect((await running.agent.status()).pid).toBe(now.pid); // the same version is left alone
  }
  stop.abort();
  await Promise.all(clients);
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(20);
  expect(codes.size).toBe(2);
  expect(codes).toContain(codeDigest());
  expect((await ask(`${url}/pid`)).body).toBe(pid);
  await expect(readFile(agentPlaces(running.home).next)).rejects.toThrow("ENOENT");
});
