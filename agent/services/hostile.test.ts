import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RevisionSpec } from "../model.ts";
import { aDeployment, anArtifact, ask, aSpec, eventually, runningAgent, type RunningAgent } from "../testing/fixture.ts";
import { findIsolation } from "./isolation.ts";
import { identify, marked } from "./proc.ts";

let running: RunningAgent;
let services = 0;
beforeAll(async () => {
  running = await runningAgent();
});
afterAll(() => running?.end());

const aTarget = () => ({ service: `bad-${++services}`, environment: "dev" });
const SOON = { startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 2 } };
const http = (listen: string) => `import http from "node:http"; http.createServer((q, r) => r.end("well")).listen(${listen});`;

async function anUnwell(main: string, container: Record<string, unknown> = {}, start = "node main.mjs"): Promise<RevisionSpec> {
  const artifact = await anArtifact(running.home, { "main.mjs": main });
  return aSpec({ artifact, start, manifests: [aDeployment({ ...SOON, ...container })] });
}

/** What the refusal says; afterwards nothing of it is left: no process, no port, no folder, no entry. */
async function refusal(spec: RevisionSpec): Promise<string> {
  const target = aTarget();
  const failed = await running.agent.deploy(target, spec).then(
    () => undefined,
    (error: { code: string; message: string; next: string }) => error,
  );
  expect(failed).toMatchObject({ code: "runtime.unhealthy", next: expect.stringMatching(/Nothing of it is running/) });
  expect(marked(`CAIRN_REVISION=${spec.id}`)).toEqual([]);
  expect((await running.agent.observe(target)).revisions).toEqual([]);
  const { folder } = await findIsolation(running.home);
  expect(await readdir(join(folder, `${target.service}.dev`)).catch(() => [])).toEqual([]);
  const { url } = await running.agent.ensureTarget(target);
  expect((await ask(url)).status).toBe(503);
  return failed?.message ?? "";
}

test.each<[string, string, RegExp]>([
  [
    "ends at once, with its status and last words",
    "console.error('no database here'); process.exit(3)",
    /it ended with status 3.*no database here/,
  ],
  ["ends by a signal", "process.kill(process.pid, 'SIGABRT')", /it ended with status 134, as by SIGABRT/],
  ["throws", "throw new Error('a bug')", /it ended with status 1.*a bug/],
  [
    "listens nowhere",
    "setInterval(() => {}, 1000)",
    /did not become ready within 2 s: .*nothing listens on port \d+\. It listens nowhere: it is to listen on \$PORT/,
  ],
  [
    "listens on another port",
    http("0, process.env.HOST"),
    /nothing listens on port \d+\. It listens on 127\.0\.0\.1:\d+ instead: it is to listen on \$PORT, here \d+/,
  ],
  [
    "listens on IPv6 alone",
    http('process.env.PORT, "::1"'),
    /It listens on \[::1\]:\d+ instead: it is to listen on 127\.0\.0\.1 \(\$HOST\)/,
  ],
  [
    "answers its probe with an error",
    `import http from "node:http"; http.createServer((q, r) => r.writeHead(500).end()).listen(process.env.PORT, process.env.HOST);`,
    /\/healthz answered 500/,
  ],
  [
    "never answers its probe",
    `import http from "node:http"; http.createServer(() => {}).listen(process.env.PORT, process.env.HOST);`,
    /no answer within 1 s/,
  ],
  [
    "speaks no HTTP",
    `import net from "node:net"; net.createServer((s) => s.end("hello")).listen(process.env.PORT, process.env.HOST);`,
    /\/healthz: /,
  ],
])("a service that %s is refused with why", async (_what, main, because) => {
  expect(await refusal(await anUnwell(main))).toMatch(because);
});

test("a service that eats memory before it is ready is killed at its limit, and says which", async () => {
  const hungry = "const hold = []; setInterval(() => hold.push(Buffer.alloc(2e7, 1)), 10);";
  const limit = { resources: { limits: { memory: "128Mi" } }, env: [{ name: "NODE_OPTIONS", value: "" }] };
  expect(
    await refusal(await anUnwell(hungry, { ...limit, startupProbe: { tcpSocket: {}, periodSeconds: 10, failureThreshold: 3 } })),
  ).toMatch(/it was killed: it used \d+ MiB of memory, its limit is 128 MiB/);
});

test("a service that wants the port of another gets an error, and the other answers on", async () => {
  const artifact = await anArtifact(running.home, { "main.mjs": http("process.env.PORT, process.env.HOST") });
  const target = aTarget();
  const good = aSpec({ artifact });
  const { url } = await running.agent.ensureTarget(target);
  await running.agent.deploy(target, good);
  await running.agent.setWeights(target, { [good.id]: 100 });
  const port = new URL(url).port;
  for (const listen of [`${port}, "127.0.0.1"`, `${port}`]) expect(await refusal(await anUnwell(http(listen)))).toMatch(/EADDRINUSE/);
  expect((await ask(url)).body).toBe("well");
});

test("whoever sits on the port that a revision is given is never taken for it: the revision gets another", async () => {
  const spec = await anUnwell(http("process.env.PORT, process.env.HOST"));
  const target = aTarget();
  await running.agent.deploy(target, spec);
  await running.agent.setWeights(target, { [spec.id]: 100 });
  const { url } = await running.agent.ensureTarget(target);
  const [before] = (await running.agent.observe(target)).revisions;
  const port = Number(/port (\d+)/.exec((await running.agent.logs(target)).map(({ line }) => line).join(" "))?.[1]);
  // It dies, and in the same moment somebody else takes its port.
  const squatter = createServer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nwrong"));
  process.kill(before?.pid as number, "SIGKILL");
  await eventually(async () => {
    if (identify(before?.pid as number)) return false;
    return new Promise<boolean>((resolve) => {
      squatter.once("error", () => resolve(false));
      squatter.listen(port, "127.0.0.1", () => resolve(true));
    });
  });
  try {
    const answer = await eventually(async () => {
      const { status, body } = await ask(url);
      const [now] = (await running.agent.observe(target)).revisions;
      return status === 200 && now?.health === "healthy" && now.pid !== before?.pid && body;
    });
    expect(answer).toBe("well");
  } finally {
    squatter.close();
  }
});

test("a service that ignores SIGTERM and starts more of itself goes all the same", async () => {
  const stubborn = `import http from "node:http"; import { spawn } from "node:child_process";
    process.on("SIGTERM", () => {});
    spawn("sh", ["-c", "trap '' TERM; sleep 1000 & wait"], { detached: true, stdio: "ignore" }).unref();
    http.createServer((q, r) => r.end("well")).listen(process.env.PORT, process.env.HOST);`;
  const target = aTarget();
  const artifact = await anArtifact(running.home, { "main.mjs": stubborn });
  const spec = aSpec({ artifact, manifests: [aDeployment({}, { terminationGracePeriodSeconds: 1 })] });
  await running.agent.deploy(target, spec);
  await running.agent.retire(target, spec.id);
  expect(marked(`CAIRN_REVISION=${spec.id}`)).toEqual([]);
  expect((await running.agent.observe(target)).revisions).toEqual([]);
});
