import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectAgent } from "@cairn/agent/client.ts";
import type { AgentStatus } from "@cairn/agent/model.ts";
import { runningServer } from "@cairn/platform/server/record.ts";
import { eventually } from "../scripts/demo/tools.ts";
import { sendTraffic, type Seen } from "../scripts/demo/traffic.ts";
import { delivered, instances, processes, apiOf, type Change } from "./outside.ts";
import { startPlatform, type Platform } from "./platform.ts";

// The data plane outlives what may die around it: the agent, its keeper, the server; and goes when it is told to.
const service = `agent-${randomInt(36 ** 5).toString(36)}`;
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await platform.cairn("org", "create-team", "team-agent");
  const answers = ["-a", `service_name=${service}`, "-a", "owner_team=team-agent", "-a", "database=true"];
  await platform.cairn("create", "http-api", ...answers, "--apply");
  await platform.cairn("merge", `${service}/1`);
  const { mergeCommit } = await platform.cairn<Change>("changes", "show", `${service}/1`);
  expect(await delivered(await apiOf(platform), service, mergeCommit ?? "")).toMatchObject({ state: "success" });
});
afterAll(async () => {
  await platform?.stop();
});

test("kill -9 of the agent: services answer on, nothing is refused, and the next agent finds all as it was", async () => {
  const before = await status();
  const marks = instances(service);
  const item = await write("before");
  const traffic = ["dev", "production"].map((environment) => sendTraffic(`${urlOf(before, environment)}/healthz`, 100));
  await eventually("load", 20, async () => (traffic.every(({ seen }) => answers(seen) > 50) ? true : undefined));
  process.kill(before.pid, "SIGKILL");
  const after = await eventually("another agent", 60, async () => {
    const found = await status().catch(() => undefined);
    return found && found.pid !== before.pid && found.postgres.state === "running" ? found : undefined;
  });
  await eventually("its database", 30, async () => ((await read(item)) === 200 ? true : undefined));
  const sofar = traffic.map(({ seen }) => answers(seen));
  await eventually("load again", 20, async () => (traffic.every(({ seen }, n) => answers(seen) > (sofar[n] ?? 0) + 50) ? true : undefined));
  for (const each of traffic) {
    const { dropped, byDigest } = await each.stop();
    // Those under way were cut; whoever came then has waited.
    expect(dropped.filter((message) => !/ECONNRESET|socket hang up/.test(message))).toEqual([]);
    expect([...byDigest.values()].map(({ failures }) => failures)).toEqual([0]);
  }
  expect(shape(after)).toEqual(shape(before));
  expect(instances(service)).toEqual(marks);
  expect(await write("after")).not.toBe(item);
  expect(ours()).toEqual({ agents: [after.pid], keepers: [after.keeperPid], databases: 1 });
});

test("kill -9 of keeper and agent: services live on, and the server brings their addresses and its own database back", async () => {
  const before = await status();
  const marks = instances(service);
  const server = await runningServer(platform.home);
  process.kill(before.keeperPid ?? 0, "SIGKILL");
  process.kill(before.pid, "SIGKILL");
  const after = await eventually("another agent", 60, async () => {
    const found = await status().catch(() => undefined);
    return found && found.pid !== before.pid && found.postgres.state === "running" ? found : undefined;
  });
  expect(shape(after)).toEqual(shape(before));
  expect(instances(service)).toEqual(marks);
  await eventually("its database", 30, async () => ((await write("again")) === "" ? undefined : true));
  expect(ours()).toEqual({ agents: [after.pid], keepers: [after.keeperPid], databases: 1 });
  await eventually("the platform", 30, async () => ((await fetch(`${platform.url}/readyz`)).ok ? true : undefined));
  expect(await runningServer(platform.home), "the server that was there").toEqual(server);
});

test("cairn stop says what goes on, services answer meanwhile, and the next start finds everything as it was", async () => {
  const before = await status();
  const marks = instances(service);
  expect(await platform.cairn("stop")).toEqual({ server: true, agent: "runs on" });
  await expect(fetch(platform.url)).rejects.toThrow();
  const item = await write("while the server is down");
  expect(item).not.toBe("");
  const traffic = sendTraffic(`${urlOf(before, "production")}/items`, 100);
  await platform.start();
  const { dropped, byDigest } = await traffic.stop();
  expect(dropped).toEqual([]);
  expect([...byDigest.values()].map(({ failures }) => failures)).toEqual([0]);
  const after = await status();
  expect([after.pid, after.postgres.pid, shape(after)]).toEqual([before.pid, before.postgres.pid, shape(before)]);
  expect(instances(service)).toEqual(marks);
  const { environments } = await platform.cairn<{ environments: { environment: string; url: string }[] }>("service", service);
  expect(environments.map(({ environment, url }) => [environment, url]).toSorted()).toEqual(
    before.targets.map(({ target, url }) => [target.environment, url]).toSorted(),
  );
});

test("cairn stop --all leaves no process behind; a start brings services and data back at their addresses", async () => {
  const before = await status();
  const item = await write("kept");
  const postgres = before.postgres.pid ?? 0;
  expect(left(postgres).length).toBeGreaterThan(5);
  expect(await platform.cairn("stop", "--all")).toEqual({ server: true, agent: "stopped" });
  expect(left(postgres)).toEqual([]);
  expect(await platform.cairn("stop", "--all")).toEqual({ server: false, agent: "none" });

  await platform.start();
  const after = await eventually("all services", 60, async () => {
    const found = await status();
    return found.targets.every(({ revisions }) => revisions.every(({ health }) => health === "healthy")) ? found : undefined;
  });
  expect(shape(after)).toEqual(
    shape(before).map((target) => ({
      ...target,
      revisions: target.revisions.map((each) => ({ ...each, pid: expect.any(Number) as number })),
    })),
  );
  expect(await read(item)).toBe(200);
  for (const marks of Object.values(instances(service))) expect(marks).toHaveLength(1);
});

test("cairn doctor finds nothing that failed, and cairn uninstall leaves nothing", async () => {
  const findings = await platform.cairn<{ what: string; state: string }[]>("doctor");
  expect(findings.map(({ what }) => what)).toContain("Database");
  expect(findings.filter(({ state }) => state === "failed")).toEqual([]);
  const postgres = (await status()).postgres.pid ?? 0;
  const { folders } = await platform.cairn<{ folders: string[] }>("uninstall", "--yes");
  expect(folders).toContain(platform.home);
  for (const folder of folders) expect(existsSync(folder), folder).toBe(false);
  expect(left(postgres)).toEqual([]);
  await expect(platform.cairn("doctor")).rejects.toThrow(/"what": "Agent"[^}]*"state": "failed"/);
  expect(await platform.cairn("uninstall", "--yes")).toMatchObject({ folders: [] });
});

const status = async (): Promise<AgentStatus> => (await connectAgent(platform.home)).status();

const urlOf = ({ targets }: AgentStatus, environment: string): string =>
  targets.find(({ target }) => target.environment === environment)?.url ?? "";

/** What must not change: addresses, weights, what runs. */
const shape = ({ targets }: AgentStatus) =>
  targets
    .map(({ target, url, revisions }) => ({
      ...target,
      url,
      revisions: revisions.map(({ revision, artifactDigest, weightPercent, health, pid, restarts }) => ({
        revision,
        artifactDigest,
        weightPercent,
        health,
        pid,
        restarts,
      })),
    }))
    .toSorted((a, b) => (a.environment < b.environment ? -1 : 1));

/** Makes an item in production; gives its address, or nothing where that failed. */
async function write(name: string): Promise<string> {
  const url = `${urlOf(await status(), "production")}/items`;
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ name }) });
  return response.status === 201 ? `${url}/${((await response.json()) as { id: string }).id}` : "";
}

const read = (item: string): Promise<number> =>
  fetch(item).then(
    ({ status: code }) => code,
    () => 0,
  );

const answers = ({ byDigest }: Seen): number => [...byDigest.values()].reduce((sum, { requests }) => sum + requests, 0);

/** The agents, keepers and PostgreSQL servers of this home. */
function ours(): { agents: number[]; keepers: number[]; databases: number } {
  const isKeeper = (command: string) => command.includes("keep.sh");
  const keepers = processes(({ command }) => isKeeper(command) && command.endsWith(` ${platform.home}`));
  const agents = processes(
    ({ command }) => !isKeeper(command) && command.includes("agent/main.ts") && command.endsWith(` ${platform.home}`),
  );
  const databases = processes(({ command }) => /^\S*\/postgres -D /.test(command) && command.includes(`-D ${platform.home}`)).length;
  return { agents, keepers, databases };
}

/** Processes of this home and of its services, and its PostgreSQL. */
const left = (postgres: number): number[] =>
  processes(
    ({ pid, command, env }) =>
      pid === postgres || command.includes(platform.home) || env.CAIRN_HOME === platform.home || env.CAIRN_SERVICE === service,
  );
