import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSecretStore } from "@cairn/platform/secrets/local/store.ts";
import { connectAgent, startAgent, stopAgent } from "./client.ts";
import { http } from "./light.ts";
import { takeLock } from "./lock.ts";
import { agentPlaces } from "./places.ts";
import { identify, marked } from "./services/proc.ts";
import { aDeployment, anArtifact, ask, aSpec, eventually, runningAgent, temporaryHome, type RunningAgent } from "./testing/fixture.ts";

const isGone = (pid: number): boolean => identify(pid) === undefined;
const kill = (pid: number | null): void => void process.kill(pid as number, "SIGKILL");

describe("start and stop", () => {
  test("connectAgent() and stopAgent() say that none is running", async () => {
    const home = await temporaryHome();
    await expect(connectAgent(home)).rejects.toMatchObject({ code: "agent.not_running", next: expect.any(String) });
    expect(await stopAgent(home)).toBe(false);
    await rm(home, { recursive: true });
  });

  test("startAgent() many times at once gives one agent, below a home whose path is too long for a socket", async () => {
    const home = join(await temporaryHome(), "x".repeat(120));
    try {
      const agents = await Promise.all(Array.from({ length: 4 }, () => startAgent(home, { postgres: false })));
      const pids = new Set(await Promise.all(agents.map(async (agent) => (await agent.status()).pid)));
      expect(pids.size).toBe(1);
      expect((await stat(agentPlaces(home).token)).mode & 0o777).toBe(0o600);
      const status = await agents[0]?.status();
      expect(status).toMatchObject({ postgres: { state: "not_owned" }, targets: [] });
      expect(await stopAgent(home)).toBe(true);
      expect([...pids].every(isGone) && isGone(status?.keeperPid as number)).toBe(true);
    } finally {
      await rm(join(home, ".."), { recursive: true });
    }
  });

  test("takeLock() finds the home's lock held by the keeper as long as no agent lives, and the keeper's agent has it from there", async () => {
    const { home, agent, end } = await runningAgent();
    const { pid, keeperPid } = await agent.status();
    process.kill(keeperPid as number, "SIGSTOP");
    kill(pid);
    await eventually(() => isGone(pid));
    expect(await takeLock(home, 0)).toBeUndefined();
    process.kill(keeperPid as number, "SIGCONT");
    const after = await agent.status();
    expect(after.pid).not.toBe(pid);
    expect(await takeLock(home, 0)).toBeUndefined();
    await end();
    const lock = await takeLock(home, 0);
    expect(lock).toBeDefined();
    lock?.close();
  });

  test("the agent owns PostgreSQL: it is started again after kill -9, lives on through kill -9 and restart of the agent, and goes with agent and keeper; stopping stops it", async () => {
    const { home, agent, end } = await runningAgent({ postgres: true });
    const { url } = await agent.postgres();
    const running = async () => {
      await agent.postgres();
      return (await agent.status()).postgres.pid;
    };
    const first = await running();
    kill(first);
    const second = await eventually(async () => {
      const pid = await running();
      return pid !== first && pid !== null && pid;
    });
    kill((await agent.status()).pid);
    expect(await running()).toBe(second);
    await agent.restart();
    expect(await running()).toBe(second);
    expect((await agent.postgres()).url).toBe(url);
    const { pid, keeperPid } = await agent.status();
    kill(keeperPid);
    kill(pid);
    await eventually(() => isGone(second)); // nobody holds its pipe: its watchdog shuts it down
    await startAgent(home);
    const third = await running();
    expect((await agent.postgres()).url).toBe(url);
    await end();
    expect(isGone(third as number)).toBe(true);
  });
});

describe("the control socket", () => {
  let running: RunningAgent;
  beforeAll(async () => {
    running = await runningAgent();
  });
  afterAll(() => running?.end());

  const call = (method: string, path: string, options: { token?: string; body?: string } = {}) =>
    new Promise<{ status: number; problem: Record<string, unknown> }>((resolve, reject) => {
      const { socket } = agentPlaces(running.home);
      const headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
      const request = http.request({ socketPath: socket, method, path, headers, agent: false }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, problem: JSON.parse(text) }));
      });
      request.on("error", reject);
      request.end(options.body);
    });

  test("it refuses whoever has not the token, unknown operations, and bodies that are not as agreed, each with what to do", async () => {
    const token = await readFile(agentPlaces(running.home).token, "utf8");
    const problem = (code: string) => ({ code, next: expect.stringMatching(/./), detail: expect.stringMatching(/./) });
    for (const bad of [undefined, "", "wrong", `${token}x`]) {
      const options = bad === undefined ? {} : { token: bad };
      expect(await call("GET", "/status", options)).toMatchObject({ status: 401, problem: problem("agent.token_refused") });
    }
    expect(await call("GET", "/nothing", { token })).toMatchObject({ status: 404, problem: problem("agent.no_such_operation") });
    expect(await call("GET", "/postgres", { token })).toMatchObject({ status: 404, problem: problem("agent.postgres_not_owned") });
    const revision = "/targets/orders/dev/revisions/aaaaaaaaaaaa";
    for (const [path, body] of [
      [revision, "{"],
      [revision, "[]"],
      [revision, "{}"],
      [revision, JSON.stringify({ artifact: { digest: "sha256:x", path: "/a" }, start: "true", manifests: [], release: "r" })],
      [
        revision,
        JSON.stringify({ artifact: { digest: `sha256:${"0".repeat(64)}`, path: "a" }, start: "true", manifests: [], release: "r" }),
      ],
      ["/targets/orders/dev/revisions/..%2F..", "{}"],
      ["/targets/..%2Fx/dev", ""],
      ["/targets/Orders/dev", ""],
      ["/targets/%zz/dev", ""],
    ] as const)
      expect(await call("PUT", path, { token, body })).toMatchObject({ status: 422, problem: problem("agent.request_invalid") });
    expect(await call("PUT", revision, { token, body: "x".repeat(9 * 1024 * 1024) }).catch(() => ({ status: 413 }))).toMatchObject({
      status: 413,
    });
    expect(await running.agent.targets()).toEqual([]);
  });
});

describe("services", () => {
  let running: RunningAgent;
  let artifact: Awaited<ReturnType<typeof anArtifact>>;
  let services = 0;
  beforeAll(async () => {
    running = await runningAgent();
    artifact = await anArtifact(running.home);
  });
  afterAll(() => running?.end());
  const aTarget = () => ({ service: `orders-${++services}`, environment: "dev" });
  const serving = async (target: { service: string; environment: string }, overrides: Partial<Parameters<typeof aSpec>[0]> = {}) => {
    const spec = aSpec({ artifact, ...overrides });
    const { url } = await running.agent.ensureTarget(target);
    await running.agent.deploy(target, spec);
    await running.agent.setWeights(target, { [spec.id]: 100 });
    return { url, spec };
  };
  const only = async (target: { service: string; environment: string }) => {
    const [revision] = (await running.agent.observe(target)).revisions;
    if (!revision) throw new Error("nothing runs");
    return revision;
  };

  test("a service gets its own environment and secrets, as another user where we are root, and nothing of the agent's", async () => {
    const target = aTarget();
    const ref = { ...target, name: "db", key: "url" };
    await openSecretStore(running.home).set(ref, "value-of-the-secret");
    const env = [{ name: "DATABASE_URL", valueFrom: { secretKeyRef: { name: "db", key: "url" } } }];
    const start = "echo I know $DATABASE_URL; exec node main.mjs";
    const { url, spec } = await serving(target, { start, manifests: [aDeployment({ env, resources: { limits: { memory: "256Mi" } } })] });
    const seen = JSON.parse((await ask(`${url}/env`)).body) as Record<string, string>;
    expect(seen).toMatchObject({ DATABASE_URL: "value-of-the-secret", CAIRN_REVISION: spec.id, NODE_OPTIONS: "--max-old-space-size=192" });
    for (const name of ["CAIRN_SOCKETS", "CAIRN_KEEPER_PID", "NODE_COMPILE_CACHE", "PWD"])
      expect(seen[name] ?? "absent").toMatch(/absent|app$/);
    const { pid } = await only(target);
    const owner = /^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
    expect(Number(owner) >= 70_000).toBe(process.getuid?.() === 0);
    const journal = await readFile(agentPlaces(running.home).journal, "utf8");
    expect(journal).toContain("secretKeyRef");
    expect(journal).not.toContain("value-of-the-secret");
    const lines = await eventually(async () => {
      const found = await running.agent.logs(target);
      return found.some(({ line }) => line.includes("I know")) && found;
    });
    expect(lines.map(({ line }) => line)).toContain("I know ***");
  });

  test("deploy() refuses a service whose secret is missing, and names it", async () => {
    const env = [{ name: "A", valueFrom: { secretKeyRef: { name: "nowhere", key: "k" } } }];
    const deployed = running.agent.deploy(aTarget(), aSpec({ artifact, manifests: [aDeployment({ env })] }));
    await expect(deployed).rejects.toMatchObject({ code: "runtime.unhealthy", message: expect.stringContaining("nowhere/k") });
  });

  test("deploy() refuses a service that listens and never gets ready, with the probe's answer", async () => {
    const manifests = [
      aDeployment({
        readinessProbe: { httpGet: { path: "/fail" } },
        startupProbe: { httpGet: { path: "/fail" }, periodSeconds: 1, failureThreshold: 1 },
      }),
    ];
    const target = aTarget();
    await expect(running.agent.deploy(target, aSpec({ artifact, manifests }))).rejects.toMatchObject({
      message: expect.stringContaining("/fail answered 500"),
    });
    expect((await running.agent.observe(target)).revisions).toEqual([]);
  });

  test("a service over its memory limit is killed with all of its tree and started again", async () => {
    const target = aTarget();
    const limit = { resources: { limits: { memory: "160Mi" } }, env: [{ name: "NODE_OPTIONS", value: "" }] };
    const { url } = await serving(target, { start: "node main.mjs & wait", manifests: [aDeployment(limit)] });
    const before = await only(target);
    void ask(`${url}/grow`).catch(() => {});
    const after = await eventually(async () => {
      const now = await only(target);
      return now.restarts === 1 && now.health === "healthy" && now;
    });
    expect(after.pid).not.toBe(before.pid);
    expect((await running.agent.logs(target)).map(({ line }) => line)).toContainEqual(
      expect.stringMatching(/killed: it used \d+ MiB of memory, its limit is 160 MiB/),
    );
  });

  test("a service that fails its liveness probe is started again; one that is not ready is shown as unhealthy and left alone", async () => {
    const flaky = `import http from "node:http"; let ill = false;
      http.createServer((q, r) => { if (q.url === "/ill") ill = true; r.writeHead(q.url === "/check" && ill ? 500 : 200).end(); }).listen(process.env.PORT);`;
    const own = await anArtifact(running.home, { "main.mjs": flaky });
    const probe = { httpGet: { path: "/check" }, periodSeconds: 1, failureThreshold: 1 };
    const [alive, ready] = [aTarget(), aTarget()];
    const first = await serving(alive, { artifact: own, manifests: [aDeployment({ livenessProbe: probe })] });
    const second = await serving(ready, { artifact: own, manifests: [aDeployment({ readinessProbe: probe })] });
    await Promise.all([ask(`${first.url}/ill`), ask(`${second.url}/ill`)]);
    await eventually(async () => (await only(alive)).restarts === 1);
    expect(await eventually(async () => (await only(ready)).health === "unhealthy" && (await only(ready)))).toMatchObject({
      restarts: 0,
      because: "/check answered 500",
    });
  });

  test("retire() ends a service that ignores SIGTERM, with what it started in a session of its own", async () => {
    const target = aTarget();
    const start =
      "trap '' TERM; setsid node main.mjs & PORT=1 node -e 'process.on(\"SIGTERM\", () => {}); setInterval(() => {}, 1000)' & wait";
    const { url, spec } = await serving(target, { start, manifests: [aDeployment({}, { terminationGracePeriodSeconds: 1 })] });
    const pid = Number((await ask(`${url}/pid`)).body);
    const { pid: leader } = await only(target);
    const next = aSpec({ artifact });
    await running.agent.deploy(target, next);
    await running.agent.setWeights(target, { [next.id]: 100 });
    await running.agent.retire(target, spec.id);
    expect(isGone(pid) && isGone(leader as number)).toBe(true);
  });

  test("restart() brings a new agent without touching services, loses no request, and counts on", async () => {
    const target = aTarget();
    const { url } = await serving(target);
    const { pid, epoch, requests } = await only(target);
    let answered = 0;
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    const failures: unknown[] = [];
    const stop = new AbortController();
    const client = async () => {
      while (!stop.signal.aborted)
        await ask(url, { agent }).then(
          ({ status }) => (status === 200 ? (answered += 1) : failures.push(status)),
          (error) => failures.push(error),
        );
    };
    const clients = [client(), client()];
    await running.agent.restart();
    await eventually(async () => (await ask(url)).status === 200 && (answered += 1));
    stop.abort();
    await Promise.all(clients);
    agent.destroy();
    expect(failures).toEqual([]);
    expect(await only(target)).toMatchObject({ pid, epoch, requests: requests + answered });
  });

  test("after kill -9 of the keeper there is another; after kill -9 of both, the next start finds the services, ports and weights", async () => {
    const target = aTarget();
    const { url, spec } = await serving(target);
    const { pid } = await only(target);
    const before = await running.agent.status();
    kill(before.keeperPid);
    const keeperPid = await eventually(async () => {
      const now = (await running.agent.status()).keeperPid;
      return now !== before.keeperPid && now;
    });
    kill(keeperPid);
    kill(before.pid);
    await eventually(() => isGone(before.pid));
    await startAgent(running.home, { postgres: false });
    expect(await ask(url)).toMatchObject({ status: 200, headers: { "x-cairn-revision": spec.id } });
    expect(await only(target)).toMatchObject({ pid, weightPercent: 100, health: "healthy", restarts: 0 });
  });

  test("a service that died while no agent lived is started again with what it left cleared away", async () => {
    const target = aTarget();
    const { url } = await serving(target, { start: "sleep 1000 & exec node main.mjs" });
    const { pid } = await only(target);
    const status = await running.agent.status();
    kill(status.keeperPid);
    kill(status.pid);
    kill(pid);
    await eventually(() => isGone(status.pid) && isGone(pid as number));
    await startAgent(running.home, { postgres: false });
    const now = await eventually(async () => (await only(target)).health === "healthy" && (await only(target)));
    expect(now).toMatchObject({ restarts: 1, weightPercent: 100 });
    expect((await ask(url)).status).toBe(200);
  });

  test("stopAgent() ends every service, and the next start brings them back under their addresses", async () => {
    const target = aTarget();
    const { url, spec } = await serving(target);
    const { pid } = await only(target);
    await stopAgent(running.home);
    expect(isGone(pid as number)).toBe(true);
    await expect(ask(url)).rejects.toThrow("ECONNREFUSED");
    await startAgent(running.home, { postgres: false });
    await eventually(async () => (await ask(url).catch(() => undefined))?.headers["x-cairn-revision"] === spec.id);
  });
});

describe("races", () => {
  let running: RunningAgent;
  beforeAll(async () => {
    running = await runningAgent();
  });
  afterAll(() => running?.end());

  test("many targets at once get an address and a user each", async () => {
    const targets = Array.from({ length: 12 }, (_, n) => ({ service: `many-${n}`, environment: "dev" }));
    const urls = await Promise.all(targets.flatMap((target) => [running.agent.ensureTarget(target), running.agent.ensureTarget(target)]));
    expect(new Set(urls.map(({ url }) => url)).size).toBe(12);
    const { targets: kept } = JSON.parse(await readFile(agentPlaces(running.home).journal, "utf8")) as {
      targets: { user: number | null }[];
    };
    if (process.getuid?.() === 0) expect(new Set(kept.map(({ user }) => user)).size).toBe(12);
    await Promise.all(targets.map((target) => running.agent.remove(target)));
    expect(await running.agent.targets()).toEqual([]);
  });

  test("remove() while a deployment is under way leaves no process, whichever is first", async () => {
    const artifact = await anArtifact(running.home);
    for (let round = 0; round < 5; round++) {
      const target = { service: `short-${round}`, environment: "dev" };
      const spec = aSpec({ artifact });
      await running.agent.ensureTarget(target);
      const deployed = running.agent.deploy(target, spec).catch((error: { code: string }) => error.code);
      if (round > 0) await eventually(async () => (await running.agent.observe(target)).revisions.length === 1);
      await running.agent.remove(target);
      expect([undefined, "runtime.target_unknown", "runtime.unhealthy"]).toContain(await deployed);
      const left = (await running.agent.targets()).filter(({ service }) => service === target.service);
      for (const one of left) await running.agent.remove(one);
      expect(marked(`CAIRN_REVISION=${spec.id}`)).toEqual([]);
    }
  });

  test("PostgreSQL's socket can be reached by a service's user", async () => {
    const { agent, home, end } = await runningAgent({ postgres: true });
    try {
      const folder = new URL((await agent.postgres()).url).searchParams.get("host") as string;
      const reach = `import http from "node:http"; import net from "node:net";
        http.createServer((q, r) => net.connect(${JSON.stringify(join(folder, ".s.PGSQL.5432"))}).on("connect", () => r.end("reached")).on("error", (e) => r.writeHead(503).end(e.code))).listen(process.env.PORT);`;
      const target = { service: "orders", environment: "dev" };
      await agent.deploy(target, aSpec({ artifact: await anArtifact(home, { "main.mjs": reach }) }));
      expect((await agent.observe(target)).revisions).toMatchObject([{ health: "healthy" }]);
    } finally {
      await end();
    }
  });
});
