import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "tar";
import { startAgent, stopAgent, type AgentClient } from "../client.ts";
import { systemClock } from "@cairn/platform/kernel/clock.ts";
import { places } from "@cairn/platform/kernel/config.ts";
import { ADMISSION, admissionOf, configurationDigest, revisionId, type Envelope } from "@cairn/platform/runtime/admission.ts";
import { admissionSigner } from "@cairn/platform/runtime/local/key.ts";
import { http } from "../light.ts";
import type { RevisionSpec, TargetName } from "../model.ts";

/** A home of its own in the temporary folder. As root its services need to pass through it. */
export async function temporaryHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "cairn-agent-"));
  await chmod(home, 0o755);
  return home;
}

export interface RunningAgent {
  home: string;
  agent: AgentClient;
  /** Stops the agent and removes its home. */
  end(): Promise<void>;
}

/** What the platform of this home would sign for a revision. */
export async function admit(home: string, target: TargetName, spec: RevisionSpec, issuedAt = systemClock.now()): Promise<Envelope> {
  const sign = await admissionSigner(places(home).keys);
  return sign(ADMISSION, admissionOf({ ...spec, target }, { id: "dec_test", outcome: "allow" }, issuedAt));
}

/** A real agent on a temporary home, without PostgreSQL unless asked. What it is to deploy without an admission is admitted as the platform would. */
export async function runningAgent(options: { postgres?: boolean } = {}): Promise<RunningAgent> {
  const home = await temporaryHome();
  const agent = await startAgent(home, { postgres: options.postgres ?? false });
  return {
    home,
    agent: {
      ...agent,
      deploy: async (target, spec, signal) =>
        agent.deploy(target, "admission" in spec ? spec : { ...spec, admission: await admit(home, target, spec) }, signal),
    },
    async end() {
      // A test may have killed it: its services go only with an agent.
      if (!(await stopAgent(home))) {
        await startAgent(home, { postgres: false });
        await stopAgent(home);
      }
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** An HTTP service in plain node. Paths: /pid, /env, /fail (500), /die, /slow (ends after 300 ms), /grow (takes memory until it is stopped), anything else 200. */
const SERVICE = `
import http from "node:http";
const hold = [];
http.createServer((request, response) => {
  const path = new URL(request.url, "http://service").pathname;
  if (path === "/pid") return response.end(String(process.pid));
  if (path === "/env") return response.end(JSON.stringify(process.env));
  if (path === "/fail") return response.writeHead(500).end("failed");
  if (path === "/die") process.exit(7);
  if (path === "/slow") return void setTimeout(() => response.end("slow"), 300);
  if (path === "/grow") return void setInterval(() => hold.push(Buffer.alloc(8e6, 1)), 50);
  response.end("answered by " + process.env.CAIRN_REVISION);
}).listen(process.env.PORT, "127.0.0.1", () => console.log("listening"));
process.on("SIGTERM", () => process.exit(0));
`;

/** Packs files (default: the service above as main.mjs) and gives where the artifact lies and its digest. */
export async function anArtifact(
  folder: string,
  files: Record<string, string> = { "main.mjs": SERVICE },
): Promise<RevisionSpec["artifact"]> {
  const source = join(folder, `source-${randomBytes(4).toString("hex")}`);
  await mkdir(source, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(source, name), content);
  const path = `${source}.tar.gz`;
  await create({ file: path, gzip: true, cwd: source, portable: true, mtime: new Date(0) }, Object.keys(files));
  await rm(source, { recursive: true });
  return artifactAt(path);
}

export async function artifactAt(path: string): Promise<RevisionSpec["artifact"]> {
  return {
    path,
    digest: `sha256:${createHash("sha256")
      .update(await readFile(path))
      .digest("hex")}`,
  };
}

/** A Deployment with one container, as the infrastructure renders it. */
export const aDeployment = (container: Record<string, unknown> = {}, pod: Record<string, unknown> = {}) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "service" },
  spec: {
    template: {
      spec: {
        terminationGracePeriodSeconds: 5,
        ...pod,
        containers: [{ name: "main", readinessProbe: { httpGet: { path: "/healthz", port: 8080 } }, ...container }],
      },
    },
  },
});

/** A revision that runs the service, and no other test's; needs an artifact. */
export function aSpec({ manifests = [aDeployment()], ...overrides }: Partial<RevisionSpec> & Pick<RevisionSpec, "artifact">): RevisionSpec {
  const own = { kind: "ConfigMap", metadata: { name: randomBytes(6).toString("hex") } };
  const spec = { start: "node main.mjs", release: "rel_test", ...overrides, manifests: [...manifests, own] };
  return { id: revisionId(configurationDigest(spec)), ...spec };
}

export interface Answer {
  status: number;
  body: string;
  headers: Record<string, string | string[] | undefined>;
}

/** One request on a connection of its own, or on one of `agent`'s. */
export function ask(
  url: string,
  options: { agent?: import("node:http").Agent; method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      { agent: options.agent ?? false, method: options.method ?? "GET", headers: options.headers ?? {} },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (body += chunk));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
      },
    );
    request.on("error", reject);
    request.end();
  });
}

/** Waits until `look` gives something; fails after `seconds` with what it saw last. */
export async function eventually<T>(look: () => Promise<T | undefined | false> | T | undefined | false, seconds = 20): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    let problem: unknown = "it did not come to be";
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      problem = error;
    }
    if (performance.now() > deadline) throw new Error(`after ${seconds} s: ${String(problem)}`, { cause: problem });
    await new Promise((wake) => setTimeout(wake, 20));
  }
}
