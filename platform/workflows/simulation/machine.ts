import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { placesElsewhere, startAgent, stopAgent, type AgentClient } from "@cairn/agent/client.ts";
import { freePort } from "@cairn/agent/services/ports.ts";
import { create } from "tar";
import { systemClock } from "../../kernel/clock.ts";
import { places } from "../../kernel/config.ts";
import { sha256 } from "../../kernel/digest.ts";
import type { SignAdmission } from "../../runtime/admission.ts";
import type { Runtime, Target } from "../../runtime/contract.ts";
import { admissionSigner } from "../../runtime/local/key.ts";
import { localRuntime } from "../../runtime/local/runtime.ts";
import type { SecretStore } from "../../secrets/contract.ts";
import { openSecretStore } from "../../secrets/local/store.ts";

/** What goes wrong on the machine under one delivery, at one of its calls of the runtime. */
export const MISHAPS = ["none", "agent refuses", "agent killed", "port taken", "service killed", "exits at once"] as const;
export type Mishap = (typeof MISHAPS)[number];

/** One process of a service, as the kernel tells it. */
export interface Running {
  pid: number;
  user: number;
  environment: string;
  revision: string;
  instance: string;
  /** Its whole environment. */
  env: Record<string, string>;
  /** What it listens on: `address:port`. */
  listens: string[];
}

/** A machine: a real agent, as a process of its own in a home of its own, with the secret store that it reads; and a look at it from outside, through /proc alone. */
export class Machine {
  readonly home: string;
  readonly secrets: SecretStore;
  readonly signAdmission: SignAdmission;
  readonly agent: AgentClient;
  readonly #runtime: Runtime;

  private constructor(home: string, agent: AgentClient, sign: SignAdmission) {
    this.home = home;
    this.agent = agent;
    this.secrets = openSecretStore(home);
    this.#runtime = localRuntime(agent, systemClock);
    // The history's clock stands somewhere else than the machine's, by which the agent judges how old an admission is.
    this.signAdmission = (type, statement) => sign(type, { ...statement, issuedAt: systemClock.now().toISOString() });
  }

  static async start(): Promise<Machine> {
    const home = await mkdtemp(join(tmpdir(), "cairn-machine-"));
    await chmod(home, 0o755); // as root its services need to pass through it
    const sign = await admissionSigner(places(home).keys);
    return new Machine(home, await startAgent(home, { postgres: false }), sign);
  }

  async end(): Promise<void> {
    await startAgent(this.home, { postgres: false }); // it may just have been killed
    await stopAgent(this.home);
    for (const folder of [this.home, ...placesElsewhere(this.home)]) await rm(folder, { recursive: true, force: true });
  }

  /** CI's artifact of a commit: a service in plain Node at the place where the golden path's is. Two of one commit are the same bytes. */
  async artifactOf(commit: string, exits: boolean) {
    const source = join(this.home, "artifacts", commit);
    await mkdir(join(source, "src"), { recursive: true });
    await writeFile(join(source, "src/main.js"), exits ? `console.log("${commit} is wrong"); process.exit(3);` : serviceOf(commit));
    const path = `${source}.tar.gz`;
    await create({ file: path, gzip: true, cwd: source, portable: true, mtime: new Date(0) }, ["src/main.js"]);
    const bytes = await readFile(path);
    return { digest: sha256(bytes), path, sizeBytes: bytes.length };
  }

  /** The runtime with one mishap, at one of the calls to come. `done` gives back what the mishap took. */
  runtime(service: string, mishap: Mishap, random: () => number): { runtime: Runtime; happened: () => boolean; done: () => Promise<void> } {
    const ofDeployments = ["agent refuses", "port taken"].includes(mishap);
    let calls = Math.floor(random() * (ofDeployments ? 3 : 6));
    let happened = mishap === "none";
    const squatters: Server[] = [];
    const happen = async (method: string, args: unknown[]): Promise<void> => {
      if (happened || (ofDeployments && method !== "deploy") || calls-- > 0) return;
      if (mishap === "agent killed") {
        const { pid } = await this.agent.status();
        // In the midst of what it is asked for, or just before.
        setTimeout(() => kill(pid), Math.floor(random() * 40));
      } else if (mishap === "service killed") {
        const [one] = this.processesOf(service);
        if (!one) return;
        kill(one.pid);
      } else {
        const revision = args[0] as { id: string; target: Target; admission: object };
        if (mishap === "agent refuses") revision.admission = { ...revision.admission, payload: "" };
        if (mishap === "port taken") squatters.push(await this.#squat(`${service}/${revision.target.environment}/${revision.id}`));
      }
      happened = true;
    };
    const runtime = new Proxy(this.#runtime, {
      get: (target, name) => {
        const method = target[name as keyof Runtime] as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          const own = name === "deploy" ? [{ ...(args[0] as object) }] : args;
          await happen(String(name), own);
          return method.apply(target, own);
        };
      },
    });
    return { runtime, happened: () => happened, done: async () => void (await Promise.all(squatters.map(closed))) };
  }

  /** Takes the port that the agent would give first. */
  async #squat(seed: string): Promise<Server> {
    const port = await freePort(`${this.home}/${seed}`, new Set());
    const server = createServer();
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
    return server;
  }

  /** All processes that run from this machine's services, by what the kernel knows of them; or those of one service. */
  processesOf(service?: string): Running[] {
    const sockets = listening();
    const roots = this.#roots;
    const isBelow = (at: string | undefined) => at !== undefined && roots.some((root) => at.startsWith(root));
    return pids().flatMap((pid): Running[] => {
      const text = readable(() => readFileSync(`/proc/${pid}/environ`, "utf8"), "");
      if (!roots.some((root) => text.includes(root)) && !isBelow(workingFolder(pid))) return [];
      const env = variablesOf(text);
      if (service !== undefined && env.CAIRN_SERVICE !== service) return [];
      const { CAIRN_ENVIRONMENT: environment = "", CAIRN_REVISION: revision = "", CAIRN_INSTANCE: instance = "" } = env;
      return [{ pid, user: userOf(pid), environment, revision, instance, env, listens: held(pid, sockets) }];
    });
  }

  /** The addresses that the agent answers at. */
  async addresses(): Promise<string[]> {
    return held((await this.agent.status()).pid, listening());
  }

  /** Folders in which revisions lie unpacked: of one service, or all. */
  async unpacked(service = ""): Promise<string[]> {
    const found = await Promise.all(this.#roots.map(async (root) => readdir(root).catch(() => [])));
    return found.flat().filter((name) => service === "" || name.startsWith(`${service}.`));
  }

  /** The names of secrets, as files: `environment/name/key`. */
  async secretsOf(service: string): Promise<string[]> {
    const root = join(places(this.home).secrets, service);
    const entries = await readdir(root, { recursive: true }).catch(() => []);
    const isFile = await Promise.all(entries.map(async (entry) => (await stat(join(root, entry))).isFile()));
    return entries.filter((_, at) => isFile[at]).toSorted();
  }

  get #roots(): string[] {
    return [places(this.home).services, ...placesElsewhere(this.home).filter((folder) => folder.startsWith("/var/lib/"))];
  }
}

const serviceOf = (commit: string): string =>
  `require("http").createServer((_, answer) => answer.end("${commit}")).listen(process.env.PORT, process.env.HOST);`;

const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it ended by itself meanwhile
  }
}

const pids = (): number[] => readdirSync("/proc").map(Number).filter(Number.isInteger);

const readable = <T>(look: () => T, otherwise: T): T => {
  try {
    return look();
  } catch {
    return otherwise; // it ended while we looked
  }
};
const variablesOf = (text: string): Record<string, string> =>
  Object.fromEntries(text.split("\0").map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]));
const workingFolder = (pid: number): string | undefined => readable(() => readlinkSync(`/proc/${pid}/cwd`), undefined);
const userOf = (pid: number): number => readable(() => Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]), -1);

/** What listens, by inode. Source: proc_pid_net(5), state 0A; addresses byte-swapped. */
function listening(): Map<string, string> {
  return new Map(
    ["tcp", "tcp6"].flatMap((table) =>
      readable(() => readFileSync(`/proc/net/${table}`, "utf8"), "")
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .filter((fields) => fields[3] === "0A")
        .map((fields): [string, string] => {
          const [address = "", port = ""] = (fields[1] ?? "").split(":");
          return [`socket:[${fields[9]}]`, `${address === "0100007F" ? "127.0.0.1" : address}:${Number.parseInt(port, 16)}`];
        }),
    ),
  );
}

function held(pid: number, sockets: Map<string, string>): string[] {
  const folder = `/proc/${pid}/fd`;
  return readable(() => readdirSync(folder), []).flatMap((fd) => sockets.get(readable(() => readlinkSync(`${folder}/${fd}`), "")) ?? []);
}
