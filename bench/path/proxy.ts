import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { anArtifact, ask, aSpec, eventually, runningAgent } from "../../agent/testing/fixture.ts";
import { freePort } from "../../e2e/platform.ts";
import { startLoad } from "./load.ts";
import { processorSeconds } from "./processes.ts";
import { percentile, type Measurement, type Row } from "./report.ts";

const ROUNDS = 9;
const SECONDS = 1.5;
/** One client shows what a request takes on its way; many, what it costs when there is always another. */
const ONE = 1;
const MANY = 16;
const CPU_OF_NGINX = 3.5;
const ADDED_MS = 0.3;

interface Way {
  name: string;
  url: string;
  /** Of the proxy on this way. */
  pid?: number;
}

/**
 * What the proxy adds, beside nginx before the same process of the same service: rounds that alternate, each way in turn, so that a neighbour on the machine meets all
 * of them. Added are the differences to asking the service itself; the processor's time is the kernel's account of the proxy's processes.
 */
export const proxy: Measurement = async () => {
  const { home, agent, end } = await runningAgent();
  const folder = await mkdtemp(join(tmpdir(), "cairn-nginx-"));
  const stops: (() => Promise<void>)[] = [];
  try {
    const target = { service: "orders", environment: "production" };
    const spec = aSpec({ artifact: await anArtifact(home) });
    const { url } = await agent.ensureTarget(target);
    await agent.deploy(target, spec);
    await agent.setWeights(target, { [spec.id]: 100 });
    const { PORT } = JSON.parse((await ask(`${url}/env`)).body) as { PORT: string };
    const ways: Way[] = [
      { name: "direct", url: `http://127.0.0.1:${PORT}/` },
      { name: "cairn", url: `${url}/`, pid: (await agent.status()).pid },
    ];
    const nginx = await startNginx(folder, PORT);
    if (typeof nginx === "object") {
      ways.push({ name: "nginx", ...nginx });
      stops.push(nginx.stop);
    }
    return rowsOf(await measured(ways), typeof nginx === "string" ? nginx : undefined);
  } finally {
    for (const stop of stops) await stop();
    await end();
    await rm(folder, { recursive: true, force: true });
  }
};

/** By way: each round's percentiles of one client, and the processor's microseconds a request of many. */
type Found = Map<string, { p50: number[]; p99: number[]; micros: number[]; perSecond: number[] }>;

async function measured(ways: readonly Way[]): Promise<Found> {
  const found: Found = new Map(ways.map(({ name }) => [name, { p50: [], p99: [], micros: [], perSecond: [] }]));
  for (const { url } of ways) await round(url, MANY); // warm
  for (let n = 0; n < ROUNDS; n++)
    for (const { name, url, pid } of n % 2 === 0 ? ways : ways.toReversed()) {
      const of = found.get(name);
      const alone = await round(url, ONE);
      of?.p50.push(percentile(alone, 50));
      of?.p99.push(percentile(alone, 99));
      const before = pid === undefined ? 0 : processorSeconds(pid);
      const many = await round(url, MANY);
      of?.perSecond.push(many.length / SECONDS);
      if (pid !== undefined) of?.micros.push(((processorSeconds(pid) - before) * 1e6) / many.length);
    }
  return found;
}

async function round(url: string, clients: number): Promise<number[]> {
  const load = startLoad(
    url,
    Array.from({ length: clients }, () => "kept connection" as const),
  );
  await new Promise((wake) => setTimeout(wake, SECONDS * 1000));
  const { latencies, failures } = await load.stop();
  if (failures.length > 0) throw new Error(`${failures.length} requests to ${url} failed: ${failures[0]}`);
  return latencies;
}

function rowsOf(found: Found, noNginx: string | undefined): Row[] {
  const of = (name: string, what: "p50" | "p99" | "micros" | "perSecond") => found.get(name)?.[what] ?? [];
  const added = (name: string, what: "p50" | "p99") => of(name, what).map((value, n) => value - (of("direct", what)[n] ?? Number.NaN));
  const peer = (what: string, unit: string, samples: number[]): Row => (noNginx === undefined ? { what, unit, samples } : { what, unit, samples: [], missing: noNginx }); // prettier-ignore
  const ratios = of("cairn", "micros").map((micros, n) => micros / (of("nginx", "micros")[n] ?? Number.NaN));
  return [
    { ...peer("processor a request, times nginx's", "×", ratios), most: CPU_OF_NGINX },
    { what: "  processor a request: cairn", unit: "µs", samples: of("cairn", "micros") },
    peer("  processor a request: nginx", "µs", of("nginx", "micros")),
    { what: "added p50: cairn", unit: "ms", samples: added("cairn", "p50"), most: ADDED_MS },
    peer("  added p50: nginx", "ms", added("nginx", "p50")),
    { what: "added p99: cairn", unit: "ms", samples: added("cairn", "p99") },
    peer("  added p99: nginx", "ms", added("nginx", "p99")),
    { what: "p50 of the service itself", unit: "ms", samples: of("direct", "p50") },
    ...["direct", "cairn", "nginx"].map((name): Row => {
      const what = `requests a second, ${MANY} clients: ${name}`;
      const samples = of(name, "perSecond").map(Math.round);
      return name === "nginx" ? peer(what, "", samples) : { what, unit: "", samples };
    }),
  ];
}

/** nginx as one worker, with kept connections to the service and the headers that a proxy sets; or why there is none. */
async function startNginx(folder: string, port: string): Promise<{ url: string; pid: number; stop: () => Promise<void> } | string> {
  try {
    execFileSync("nginx", ["-v"], { stdio: "ignore" });
  } catch {
    return "nginx is not installed";
  }
  const own = await freePort();
  await writeFile(join(folder, "nginx.conf"), configuration(folder, own, port));
  const child = spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")], { stdio: "inherit" });
  await eventually(async () => (await ask(`http://127.0.0.1:${own}/`)).status === 200);
  return {
    url: `http://127.0.0.1:${own}/`,
    pid: child.pid ?? 0,
    async stop() {
      const ended = once(child, "close");
      child.kill("SIGQUIT");
      await ended;
    },
  };
}

const configuration = (folder: string, own: number, service: string): string => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
  upstream service { server 127.0.0.1:${service}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${own};
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto http;
      add_header X-Revision none;
    }
  }
}
`;
