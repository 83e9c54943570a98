import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, output, root } from "../scripts/demo/tools.ts";
import type { Platform } from "./platform.ts";

// What tests see of a platform from outside: git, HTTP, /proc.

export interface Change {
  number: number;
  head: string;
  state: string;
  mergeCommit: string | null;
  checks: { name: string; state: string; summary: string; details: string[] }[];
  merge: { allowed: boolean; code: string; because: string };
}
export interface Release {
  id: string;
  service: string;
  environment: string;
  commit: string;
  artifactDigest: string;
  revision: string;
  plan: string;
  state: string;
  because: string;
}
export interface Run {
  id: string;
  workflow: string;
  state: string;
  error: { code: string; message: string } | null;
  steps: { name: string; state: string; detail: string; attempts: number }[];
}
interface Environment {
  environment: string;
  url: string;
  revisions: { revision: string; artifactDigest: string; weightPercent: number; health: string; restarts: number }[];
}
export interface Plan {
  digest: string;
  plan: {
    payload: { tree: string; firstTree: string; files: { path: string }[] };
    changes: { kind: string; id: string; action: string; environment: string | null }[];
  };
}

/** The ordinary git client, signed in by the CLI. */
export const git = async ({ env }: Platform, folder: string, ...args: string[]): Promise<string> => {
  const helper = `credential.helper=!${join(root, "cairn")} git-credential`;
  const identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"];
  return (
    await output("git", ["-c", helper, ...identity, ...args], {
      cwd: folder,
      env: { ...env, GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    })
  ).trim();
};

/** Asks the API as a program does: GET, or POST where there is a body. */
export type Api = <T>(path: string, body?: object) => Promise<T>;

export async function apiOf(platform: Platform): Promise<Api> {
  const { token } = await platform.cairn<{ token: string }>("tokens", "create", "test");
  return apiBy(platform, token);
}

/** The same by a token that somebody has. */
export function apiBy(platform: Pick<Platform, "url">, token: string): Api {
  return async <T>(path: string, body?: object) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(`${platform.url}${path}`, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  };
}

/** Waits until the delivery of a commit has ended, well or badly. */
export const delivered = (api: Api, service: string, commit: string, seconds = 240): Promise<Run> =>
  eventually(`the end of the delivery of ${service} ${commit.slice(0, 12)}`, seconds, async () => {
    const run = await api<Run>(`/api/runs/deliver-${service}-${commit.slice(0, 12)}`).catch(() => undefined);
    return run && ["success", "failed", "rolled_back"].includes(run.state) ? run : undefined;
  });

const environments = async ({ cairn }: Pick<Platform, "cairn">, service: string): Promise<Environment[]> =>
  (await cairn<{ environments: Environment[] }>("service", service)).environments;

export async function addressOf(platform: Pick<Platform, "cairn">, service: string, environment: string): Promise<string> {
  const found = (await environments(platform, service)).find((each) => each.environment === environment);
  if (!found) throw new Error(`${service} has no address in ${environment}`);
  return found.url;
}

/** Living processes for which `holds` is true of their command line and environment. */
export function processes(holds: (process: { pid: number; command: string; env: Record<string, string> }) => boolean): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const pid = Number(name);
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        if (/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2))) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        const pairs = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
        const env = Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
        return holds({ pid, command, env }) ? [pid] : [];
      } catch {
        return []; // it has ended, or is somebody else's
      }
    });
}

/** The instances of a service that have living processes, by environment. Each start of one has a mark of its own, which all its processes inherit. */
export function instances(service: string): Record<string, string[]> {
  const found = new Map<string, Set<string>>();
  processes(({ env }) => {
    if (env.CAIRN_SERVICE !== service) return false;
    const { CAIRN_ENVIRONMENT: environment = "", CAIRN_INSTANCE: instance = "" } = env;
    found.set(environment, (found.get(environment) ?? new Set()).add(instance));
    return true;
  });
  return Object.fromEntries([...found].map(([environment, marks]) => [environment, [...marks]]));
}

/** A client that asks a service every 50 ms and now and then writes something and reads it back; it keeps what went wrong. */
export class Client {
  readonly failures: string[] = [];
  asked = 0;
  written = 0;
  #stopped = false;
  readonly #loop: Promise<void>;

  constructor(url: string, options: { writes: boolean }) {
    this.#loop = (async () => {
      for (let turn = 0; !this.#stopped; turn++) {
        const next = new Promise((wake) => setTimeout(wake, 50));
        if (options.writes && turn % 20 === 10) await this.#write(url, `item ${turn}`);
        else await this.#ask(`${url}/`);
        await next;
      }
    })();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
  }

  async #ask(url: string): Promise<void> {
    this.asked++;
    await this.#expect(url, {}, (status) => status < 500);
  }

  async #write(url: string, name: string): Promise<void> {
    const headers = { "content-type": "application/json" };
    const made = await this.#expect(
      `${url}/items`,
      { method: "POST", headers, body: JSON.stringify({ name }) },
      (status) => status === 201,
    );
    if (made === undefined) return;
    const { id } = JSON.parse(made) as { id: string };
    const read = await this.#expect(`${url}/items/${id}`, {}, (status) => status === 200);
    if (read?.includes(name)) this.written++;
    else if (read !== undefined) this.failures.push(`${new Date().toISOString()} ${name} was written, but read is ${read.slice(0, 200)}`);
  }

  async #expect(url: string, request: RequestInit, holds: (status: number) => boolean): Promise<string | undefined> {
    try {
      const response = await fetch(url, { ...request, signal: AbortSignal.timeout(10_000) });
      const text = await response.text();
      if (holds(response.status)) return text;
      this.failures.push(`${new Date().toISOString()} ${url} answered ${response.status}: ${text.slice(0, 200)}`);
    } catch (error) {
      this.failures.push(`${new Date().toISOString()} ${url}: ${String(error)} ${String((error as Error).cause ?? "")}`);
    }
    return undefined;
  }
}
