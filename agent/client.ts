import { spawn } from "node:child_process";
import { access, mkdir, open, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { places } from "@cairn/platform/kernel/config.ts";
import { Fault, messageOf, type FaultKind } from "@cairn/platform/kernel/faults.ts";
import { codeDigest } from "./code.ts";
import { agentDidNotStart, agentNotRunning, agentSilent } from "./faults.ts";
import { http } from "./light.ts";
import type { Envelope } from "@cairn/platform/runtime/admission.ts";
import type { AgentLogLine, AgentStatus, LogTail, Attempt, Quarantined, RevisionSpec, TargetName, TargetStatus } from "./model.ts";
import { agentPlaces, privateFolder } from "./places.ts";

/** The agent's control socket, as operations. All of them may be repeated; a call that meets the agent's restart waits and is sent again. */
export interface AgentClient {
  home: string;
  status(): Promise<AgentStatus>;
  /** The superuser's connection string of the embedded PostgreSQL, as soon as it answers. Throws `agent.postgres_not_owned` or `agent.postgres_down`. */
  postgres(): Promise<{ url: string }>;
  ensureTarget(target: TargetName): Promise<{ url: string }>;
  deploy(target: TargetName, revision: RevisionSpec, signal?: AbortSignal): Promise<void>;
  setWeights(target: TargetName, weights: Record<string, number>): Promise<void>;
  observe(target: TargetName): Promise<TargetStatus>;
  targets(): Promise<TargetName[]>;
  retire(target: TargetName, revision: string): Promise<void>;
  remove(target: TargetName): Promise<void>;
  logs(target: TargetName, options?: LogOptions): Promise<AgentLogLine[]>;
  /** The lines that came after a place in the logs, and the place after them; without a place, the last ones and where they end. */
  tail(target: TargetName, options?: LogOptions & { cursor?: string }): Promise<LogTail>;
  /** What was tried without the platform's leave, the oldest first. */
  attempts(): Promise<Attempt[]>;
  quarantine(): Promise<Quarantined[]>;
  /** Bars a digest from ever starting here. */
  bar(artifact: string, because: string): Promise<void>;
  /** Lets a digest start again, with the platform's signature for it. Throws `runtime.lift_refused`. */
  lift(artifact: string, signed: Envelope): Promise<void>;
  /** Compares at once what runs with what was started; by itself that happens every few seconds. */
  look(): Promise<void>;
  /** Ends the agent in order and lets its keeper start it again: for a new version. Services run on, no request is lost. */
  restart(): Promise<void>;
}

export { placesElsewhere } from "./places.ts";

export interface StartOptions {
  /** Whether the agent runs the embedded PostgreSQL. Default: true. */
  postgres?: boolean;
}

const main = fileURLToPath(new URL("main.ts", import.meta.url));

/** The client of the agent that runs for `home`. Throws `agent.not_running`. */
export async function connectAgent(home: string): Promise<AgentClient> {
  const client = clientOf(await realHome(home));
  await client.ping(0);
  return client;
}

/**
 * Finds the agent of `home` or starts it, and waits until it answers. One that runs other code than ours is replaced: services and PostgreSQL run on, and no
 * request is lost. Two starts at once give one agent. Throws `agent.start_failed` with what it said.
 */
export async function startAgent(home: string, options: StartOptions = {}): Promise<AgentClient> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const real = await realHome(home);
  const client = clientOf(real);
  const running = await answering(client);
  if (running) {
    if (running.code !== codeDigest()) await replace(real, client, options);
    return client;
  }
  await privateFolder(places(real).agent);
  const { log } = agentPlaces(real);
  await mkdir(dirname(log), { recursive: true, mode: 0o700 });
  const deadline = performance.now() + 60_000;
  for (;;) {
    const born = await spawnAgent(real, options);
    for (;;) {
      const { because, hasEnded } = born.end;
      const pid = (await answering(client))?.pid;
      // Another start was first: ours ends by itself, and we wait for that, lest it come up after a stop.
      if (pid !== undefined && (pid === born.pid || hasEnded)) return client;
      if (because !== undefined || performance.now() > deadline)
        throw agentDidNotStart(log, [because, await born.said()].filter(Boolean).join(": "));
      if (hasEnded) break; // the one that had the lock was just ending
      await pause(25);
    }
    await pause(100);
  }
}

const commandOf = (home: string, options: StartOptions): string[] => [main, home, ...(options.postgres === false ? ["--no-postgres"] : [])];

/** Starts the process. `end` tells how it ended; that it found another agent is no reason to complain. */
async function spawnAgent(home: string, options: StartOptions) {
  const { log, compileCache } = agentPlaces(home);
  const logFile = await openLog(log);
  const from = (await logFile.stat()).size;
  const child = spawn(process.execPath, commandOf(home, options), {
    detached: true,
    cwd: "/",
    stdio: ["ignore", logFile.fd, logFile.fd],
    env: {
      ...inherited("PATH", "HOME", "USER", "LANG", "TMPDIR", "XDG_CACHE_HOME", "CAIRN_LOG", "CAIRN_OTLP_ENDPOINT"),
      NODE_COMPILE_CACHE: compileCache,
      MALLOC_ARENA_MAX: "2",
    },
  });
  child.unref();
  await logFile.close();
  const end: { hasEnded: boolean; because?: string } = { hasEnded: false };
  child.once("error", (error) => Object.assign(end, { hasEnded: true, because: messageOf(error) }));
  child.once("exit", (code, signal) =>
    Object.assign(end, { hasEnded: true, ...(code !== 75 && { because: `it ended with ${signal ?? code}` }) }),
  );
  const said = async () => (await readFile(log, "utf8").catch(() => "")).slice(from).trim().split("\n").slice(-5).join(" | ");
  return { pid: child.pid, end, said };
}

/** Has the running agent give way to one of our code, wherever that lies. */
async function replace(home: string, client: ReturnType<typeof clientOf>, options: StartOptions): Promise<void> {
  const { next } = agentPlaces(home);
  const whole = `${next}.${process.pid}`; // two starts at once: the agent must not read a half
  await writeFile(whole, JSON.stringify([process.execPath, ...commandOf(home, options)]), { mode: 0o600 });
  await rename(whole, next);
  await client.restart();
}

/** The agent that answers; undefined when none runs. */
async function answering(client: ReturnType<typeof clientOf>): Promise<Pong | undefined> {
  try {
    return await client.ping(0);
  } catch (error) {
    if (error instanceof Fault && error.code === "agent.not_running") return undefined;
    throw error;
  }
}

/** Stops the agent, its services and its PostgreSQL in order; the next start finds everything as it was. No agent is no error: gives false. */
export async function stopAgent(home: string): Promise<boolean> {
  const real = await realHome(home);
  const client = clientOf(real);
  let pid: number;
  try {
    ({ pid } = await client.call<{ pid: number }>("POST", "/stop", undefined, { patienceSeconds: 0 }));
  } catch (error) {
    if (error instanceof Fault && error.code === "agent.not_running") return false;
    throw error;
  }
  const deadline = performance.now() + 90_000;
  while (isAlive(pid)) {
    if (performance.now() > deadline) throw agentSilent(real, `process ${pid} has not ended`);
    await pause(25);
  }
  return true;
}

const realHome = (home: string): Promise<string> => realpath(home).catch(() => home);

function clientOf(home: string) {
  const { socket, token } = agentPlaces(home);
  const call = async <T>(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<T> => {
    const startedAt = performance.now();
    for (;;) {
      try {
        const answer = await send(socket, await readFile(token, "utf8"), method, path, body, options.signal);
        return JSON.parse(answer) as T;
      } catch (error) {
        if (error instanceof Fault || options.signal?.aborted) throw error;
        const seconds = (performance.now() - startedAt) / 1000;
        // Nobody there is an answer; a connection that broke is none: it may have met an agent that was just dying.
        if (seconds >= (isNobody(error) ? (options.patienceSeconds ?? 15) : 15)) throw await whyNot(home, socket, error);
        await pause(50);
      }
    }
  };
  const at = (target: TargetName, rest = ""): string =>
    `/targets/${encodeURIComponent(target.service)}/${encodeURIComponent(target.environment)}${rest}`;
  const revisionAt = (target: TargetName, revision: string): string => at(target, `/revisions/${encodeURIComponent(revision)}`);
  const client: AgentClient = {
    home,
    status: () => call("GET", "/status"),
    postgres: () => call("GET", "/postgres"),
    ensureTarget: (target) => call("PUT", at(target)),
    deploy: async (target, revision, signal) => void (await call("PUT", revisionAt(target, revision.id), revision, { signal })),
    setWeights: async (target, weights) => void (await call("PUT", at(target, "/weights"), weights)),
    observe: (target) => call("GET", at(target)),
    targets: () => call("GET", "/targets"),
    retire: async (target, revision) => void (await call("DELETE", revisionAt(target, revision))),
    remove: async (target) => void (await call("DELETE", at(target))),
    logs: (target, options = {}) => call("GET", at(target, `/logs?${logQuery({ ...options })}`)),
    tail: (target, options = {}) => call("GET", at(target, `/logs/tail?${logQuery({ ...options })}`)),
    attempts: () => call("GET", "/attempts"),
    quarantine: () => call("GET", "/quarantine"),
    bar: async (artifact, because) => void (await call("PUT", `/quarantine/${artifact}`, { because })),
    lift: async (artifact, signed) => void (await call("POST", `/quarantine/${artifact}/lift`, signed)),
    look: async () => void (await call("POST", "/look")),
    async restart() {
      const { pid } = await call<{ pid: number }>("POST", "/restart");
      while ((await client.status()).pid === pid) await pause(25);
    },
  };
  return { ...client, call, ping: (patienceSeconds: number) => call<Pong>("GET", "/ping", undefined, { patienceSeconds }) };
}

interface Pong {
  pid: number;
  /** One of before there were any has none. */
  code?: string;
}

export interface LogOptions {
  revision?: string;
  limit?: number;
  after?: Date;
  until?: Date;
  text?: string;
}

const logQuery = (options: Record<string, string | number | Date | undefined>): URLSearchParams => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options))
    if (value !== undefined) query.set(name, value instanceof Date ? value.toISOString() : String(value));
  return query;
};

interface CallOptions {
  signal?: AbortSignal | undefined;
  /** How long a call waits for an agent that is not there: it may be restarting. */
  patienceSeconds?: number;
}

function send(socketPath: string, token: string, method: string, path: string, body: unknown, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const request = http.request(
      {
        socketPath,
        method,
        path,
        signal,
        agent: false,
        headers: { authorization: `Bearer ${token}`, ...(text && { "content-type": "application/json" }) },
      },
      (response) => readAnswer(response).then(resolve, reject),
    );
    request.once("error", reject);
    request.end(text);
  });
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += chunk;
  if (response.statusCode === 200) return text;
  const { kind, code, next, detail, type: _type, title: _title, status: _status, ...facts } = JSON.parse(text) as Record<string, string>;
  throw new Fault((kind as FaultKind) ?? "failed", code ?? "agent.failed", detail ?? `status ${response.statusCode}`, next ?? "", facts);
}

async function whyNot(home: string, socket: string, error: unknown): Promise<Fault> {
  const there = await access(socket).then(
    () => true,
    () => false,
  );
  return !there || isNobody(error) ? agentNotRunning(home) : agentSilent(home, messageOf(error));
}

const isNobody = (error: unknown): boolean => ["ECONNREFUSED", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "");

/** Opens the agent's own log for appending; one that has grown large is put aside first. */
async function openLog(file: string) {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size > 16 * 1024 * 1024) await rename(file, `${file}.1`);
  return open(file, "a", 0o600);
}

const inherited = (...names: string[]): NodeJS.ProcessEnv =>
  Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise((wake) => setTimeout(wake, milliseconds));
