import { mkdir, rm } from "node:fs/promises";
import { chownSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@cairn/platform/kernel/clock.ts";
import { isFault, messageOf } from "@cairn/platform/kernel/faults.ts";
import type { Log } from "@cairn/platform/kernel/log.ts";
import type { SecretStore } from "@cairn/platform/secrets/contract.ts";
import type { Pool as UndiciPool } from "undici";
import type { RevisionRecord, TargetRecord } from "../journal.ts";
import { Pool } from "../light.ts";
import type { Health, RevisionStatus } from "../model.ts";
import { shortHash } from "../places.ts";
import { Counters } from "../proxy/counters.ts";
import type { Arm } from "../proxy/forward.ts";
import type { Upgrades } from "../proxy/upgrade.ts";
import { environmentOf, hiddenValues } from "./environment.ts";
import type { Isolation } from "./isolation.ts";
import type { RevisionLogs } from "./logs.ts";
import { readWorkload, type Probe, type Workload } from "./manifest.ts";
import { freePort, isFree } from "./ports.ts";
import { ask } from "./probe.ts";
import { isAlive, marked, sessionMembers, signalSession, treeMemoryBytes } from "./proc.ts";
import { endProcess, endRest, startProcess } from "./process.ts";
import { answersAt, heldBy, isEverywhere, listeningSockets, shown } from "./sockets.ts";
import type { Observed } from "./watch.ts";

/** What an instance needs from the agent. */
export interface InstanceParts {
  clock: Clock;
  log: Log;
  secrets: SecretStore;
  isolation: Isolation;
  upgrades: Upgrades;
  /** Writes the journal. */
  save(): Promise<void>;
  /** Makes sure that what is about to start is what was admitted, down to its files. Throws why it may not. */
  mayStart(record: RevisionRecord): Promise<void>;
  /** The decision that admitted a revision; null where none did. */
  decisionOf(record: RevisionRecord): string | null;
  /** It may not be started or routed any more. */
  onBarred(): void;
  /** Ports that are given to somebody, running or not. */
  takenPorts(): Set<number>;
}

const LEAST_BACK_OFF = 100;
const MOST_BACK_OFF = 30_000;
/** A first start that fails is repeated: another process may have taken its port meanwhile. */
const FIRST_STARTS = 3;

/** One revision that runs: its process, started anew with back-off whenever it ends, its health, its connections. */
export class Instance implements Arm {
  readonly record: RevisionRecord;
  readonly counters = new Counters();
  readonly workload: Workload;
  readonly logs: RevisionLogs;
  /** Settles when it is healthy for the first time; rejects when it was given up. */
  readonly ready: Promise<void>;
  pool: UndiciPool;
  health: Health = "starting";
  because: string | null = null;
  memoryBytes: number | null = null;
  /** It may not be started, or not be routed: not admitted, or quarantined and ended. Only another deployment brings it back. */
  isBarred = false;
  readonly #target: TargetRecord;
  readonly #folder: string;
  readonly #parts: InstanceParts;
  #running: Promise<void> | undefined;
  #ending = false;
  /** How its process ended; one that was adopted does not tell. */
  #exit = "it ended";
  #wake: () => void = () => {};
  #settle!: { healthy: () => void; givenUp: (because: Error) => void };

  constructor(target: TargetRecord, record: RevisionRecord, folder: string, logs: RevisionLogs, parts: InstanceParts) {
    this.#target = target;
    this.#folder = folder;
    this.#parts = parts;
    this.record = record;
    this.logs = logs;
    this.workload = readWorkload(record.spec.manifests);
    this.pool = poolOf(record.port);
    this.ready = new Promise<void>((healthy, givenUp) => (this.#settle = { healthy, givenUp }));
    this.ready.catch(() => {});
  }

  get id(): string {
    return this.record.spec.id;
  }
  get digest(): string {
    return this.record.spec.artifact.digest;
  }
  get port(): number {
    return this.record.port;
  }

  /** As the watch over what runs sees it. */
  watched(): Observed {
    const { record } = this;
    return {
      id: this.id,
      folder: this.#folder,
      port: record.port,
      process: this.#lives() ? record.process : null,
      mark: this.#instance,
      user: this.#target.user,
      tree: record.tree ?? null,
    };
  }

  /** Keeps it from being started and routed. A process that lives is left alone: ending it is not for us to decide. */
  bar(because: string): void {
    this.isBarred = true;
    this.#say(because);
    this.#set(this.#lives() ? "unhealthy" : "stopped", because);
    this.#settle.givenUp(new Error(because));
    this.#parts.onBarred();
  }

  /** Starts its process, or adopts the one that lives; from now on it is kept running. */
  begin(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      this.#parts.log.error({ err: error, revision: this.id }, "a service is no longer watched");
      this.#set("stopped", messageOf(error));
      this.#settle.givenUp(error as Error);
    });
  }

  /** Adopts its living process, if it has one, as what it was. Gives whether it did. */
  adopt(): boolean {
    if (this.record.process === null || !isAlive(this.record.process)) return false;
    if (this.record.wasHealthy) this.#healthy();
    this.#say(`adopted: process ${this.record.process.pid}`);
    return true;
  }

  /**
   * Ends it: waits until no request is under way (at most `drainSeconds`, then cuts what is left), closes our connections, so that the service's own close is not
   * held up by them, then SIGTERM, and after its grace SIGKILL.
   */
  async end(drainSeconds: number): Promise<void> {
    this.#ending = true;
    this.#wake();
    await this.#drain(drainSeconds);
    await Promise.race([this.pool.close().catch(() => {}), pause(1000)]);
    await this.pool.destroy().catch(() => {});
    await this.#running;
    if (this.record.process) await endProcess(this.record.process, this.#mark, this.workload.graceSeconds);
    this.record.process = null;
    this.#set("stopped", null);
    this.#say("stopped");
    this.logs.poll(this.#parts.clock.now());
    this.#settle.givenUp(new Error("it was stopped"));
  }

  /** Waits until it is healthy, now and not only once; rejects when it isn't within its time to start. */
  async healthy(): Promise<void> {
    await this.ready;
    const deadline = performance.now() + this.workload.startSeconds * 1000;
    while (this.health !== "healthy") {
      if (this.#ending || performance.now() > deadline) throw new Error(this.because ?? "it was stopped");
      await pause(25);
    }
  }

  status(): RevisionStatus {
    const { counters, record } = this;
    return {
      revision: this.id,
      artifactDigest: this.digest,
      release: record.spec.release,
      weightPercent: this.#target.weights[this.id] ?? 0,
      health: this.health,
      because: this.because,
      decision: this.#parts.decisionOf(record),
      restarts: record.restarts,
      startedAt: record.startedAt,
      pid: record.process?.pid ?? null,
      memoryBytes: record.process && isAlive(record.process) ? treeMemoryBytes(record.process.pid) : null,
      memoryLimitBytes: this.workload.memoryLimitBytes ?? null,
      epoch: counters.epoch,
      requests: counters.requests,
      errors: counters.errors,
      latency: [...counters.latency],
      inFlight: counters.inFlight,
    };
  }

  async #run(): Promise<void> {
    let failures = 0;
    for (let starts = 1; !this.#ending; starts++) {
      let healthyFor = 0;
      let how: string;
      try {
        this.logs.hide(await hiddenValues(this.workload, this.#target, this.#parts.secrets));
        if (!this.#lives()) {
          await this.#clear(); // what a process left that died while nobody watched
          const barred = await this.#barredBy();
          if (barred !== undefined) return this.bar(barred);
          if (this.#ending) return;
          await this.#start();
        }
        const healthyAt = await this.#becomeHealthy();
        how = typeof healthyAt === "number" ? await this.#stayHealthy() : healthyAt;
        if (typeof healthyAt === "number") healthyFor = performance.now() - healthyAt;
      } catch (error) {
        how = messageOf(error); // e.g. a secret is missing
      }
      if (this.#ending) return;
      await this.#clear();
      this.#say(how);
      this.#set("unhealthy", how);
      if (
        !this.record.wasHealthy &&
        (this.#target.weights[this.id] ?? 0) === 0 &&
        (starts >= FIRST_STARTS || how.startsWith("it did not become"))
      ) {
        return this.#settle.givenUp(new Error(how));
      }
      failures = healthyFor > 30_000 ? 0 : failures + 1;
      await this.#pause(Math.min(MOST_BACK_OFF, LEAST_BACK_OFF * 2 ** failures));
      if (this.#ending) return;
      this.record.restarts += 1;
    }
  }

  async #barredBy(): Promise<string | undefined> {
    try {
      await this.#parts.mayStart(this.record);
      return undefined;
    } catch (error) {
      if (isFault(error)) return error.message;
      throw error; // e.g. a full disk: tried again
    }
  }

  async #start(): Promise<void> {
    const { record } = this;
    const { isolation, clock } = this.#parts;
    if (!(await isFree(record.port))) await this.#movePort();
    const user = this.#target.user === null ? undefined : { uid: this.#target.user, gid: this.#target.user };
    const home = await this.#ownFolder("home", user);
    const temporary = await this.#ownFolder("tmp", user);
    const around = {
      target: this.#target,
      revision: this.id,
      artifactDigest: this.digest,
      port: record.port,
      nodeFolder: isolation.nodeFolder,
      homeFolder: home,
      temporaryFolder: temporary,
      instance: this.#instance,
      user: user ? `cairn-${user.uid}` : (process.env.USER ?? "cairn"),
      otlpEndpoint: process.env.CAIRN_OTLP_ENDPOINT || undefined,
    };
    this.#set("starting", null);
    this.#exit = "it ended";
    await startProcess({
      command: record.spec.start,
      folder: join(this.#folder, "app"),
      env: await environmentOf(this.workload, around, this.#parts.secrets),
      user,
      out: this.logs.file("out"),
      err: this.logs.file("err"),
      memoryLimitBytes: this.workload.memoryLimitBytes,
      onBorn: (born) => {
        record.process = born;
        record.startedAt = clock.now().toISOString();
        return this.#parts.save();
      },
      onExit: (how) => {
        this.#exit = how;
        this.#wake();
      },
    });
    this.#say(`started: process ${record.process?.pid} on port ${record.port}`);
  }

  /** Gives when it became healthy, or why it did not. */
  async #becomeHealthy(): Promise<number | string> {
    const probe = this.workload.readiness ?? this.workload.liveness ?? { path: undefined, timeoutSeconds: 1 };
    const deadline = performance.now() + this.workload.startSeconds * 1000;
    if (this.record.wasHealthy && this.health === "healthy") return performance.now(); // adopted
    for (let wait = 25; !this.#ending; wait = Math.min(250, wait * 1.3)) {
      if (!this.#lives()) return this.#exit;
      const because = await ask(this.port, probe);
      if (because === undefined && this.#lives()) {
        const stranger = this.#strangerAtPort();
        if (stranger) return stranger;
        this.#healthy();
        return performance.now();
      }
      this.because = because ?? null;
      this.logs.poll(this.#parts.clock.now());
      if (performance.now() > deadline)
        return `it did not become ready within ${this.workload.startSeconds} s: ${because}${this.#listensElsewhere()}`;
      const overLimit = this.#overLimit();
      if (overLimit) return overLimit;
      await this.#pause(wait);
    }
    return "it was stopped";
  }

  /** Watches until its process has ended or must end; gives why. */
  async #stayHealthy(): Promise<string> {
    const readiness = new Watched(this.workload.readiness);
    const liveness = new Watched(this.workload.liveness);
    let memoryAt = 0;
    while (!this.#ending) {
      if (!this.#lives()) return this.#exit;
      const now = performance.now();
      this.logs.poll(this.#parts.clock.now());
      if (now - memoryAt > 1000) {
        memoryAt = now;
        const overLimit = this.#overLimit();
        if (overLimit) return overLimit;
      }
      const [ready, live] = await Promise.all([readiness.look(this.port, now), liveness.look(this.port, now)]);
      if (live.failed) return `it is not alive: ${live.because}`;
      if (ready.failed !== (this.health === "unhealthy")) {
        this.#set(ready.failed ? "unhealthy" : "healthy", ready.because ?? null);
        this.#say(ready.failed ? `not ready: ${ready.because}` : "ready again");
      }
      await this.#pause(250);
    }
    return "it was stopped";
  }

  /** What answered for it may be another's: who listens at its port is one of its own processes. */
  #strangerAtPort(): string | undefined {
    const there = listeningSockets().filter((socket) => answersAt(socket, this.port));
    const own = this.#members();
    if (there.length === 0 || own.length === 0 || heldBy(there, own).length > 0) return undefined;
    return `it does not listen on its port ${this.port}: another process does, and what answered is not this revision`;
  }

  #listensElsewhere(): string {
    const all = listeningSockets();
    const own = heldBy(all, this.#members());
    if (own.length === 0) return ". It listens nowhere: it is to listen on $PORT";
    if (own.some((socket) => answersAt(socket, this.port))) return "";
    const where = own.map(shown).join(" and ");
    const what = own.some(({ address }) => !isEverywhere(address) && address !== "127.0.0.1")
      ? "127.0.0.1 ($HOST) and port $PORT"
      : "$PORT";
    return `. It listens on ${where} instead: it is to listen on ${what}, here ${this.port}`;
  }

  /** All of its session, and what left it with its mark. */
  #members(): number[] {
    return this.record.process ? [...new Set([...sessionMembers(this.record.process.pid), ...marked(this.#mark)])] : [];
  }

  #overLimit(): string | undefined {
    const limit = this.workload.memoryLimitBytes;
    if (limit === undefined || !this.record.process) return undefined;
    this.memoryBytes = treeMemoryBytes(this.record.process.pid);
    if (this.memoryBytes <= limit) return undefined;
    signalSession(this.record.process.pid, "SIGKILL");
    return `it was killed: it used ${mebibytes(this.memoryBytes)} MiB of memory, its limit is ${mebibytes(limit)} MiB`;
  }

  #healthy(): void {
    this.#set("healthy", null);
    if (!this.record.wasHealthy) {
      this.record.wasHealthy = true;
      this.#say("healthy");
    }
    this.#settle.healthy();
  }

  /** Ends what is left of its process, so that nothing runs twice. */
  async #clear(): Promise<void> {
    const { process } = this.record;
    if (process && isAlive(process)) await endProcess(process, this.#mark, this.workload.graceSeconds);
    else if (process) await endRest(process, this.#mark);
    this.record.process = null;
    this.logs.poll(this.#parts.clock.now());
  }

  async #movePort(): Promise<void> {
    const before = this.pool;
    this.record.port = await freePort(this.#folder, this.#parts.takenPorts());
    this.pool = poolOf(this.record.port);
    void before.close().catch(() => {});
  }

  async #drain(seconds: number): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    while (this.counters.inFlight > 0 && performance.now() < deadline) await pause(5);
    if (this.counters.inFlight === 0) return;
    this.counters.cut += this.counters.inFlight;
    this.#say(`${this.counters.inFlight} requests longer than ${seconds} s were cut`);
    this.#parts.upgrades.cut(this);
    await this.pool.destroy().catch(() => {});
  }

  async #ownFolder(name: string, user: { uid: number; gid: number } | undefined): Promise<string> {
    const folder = join(this.#folder, name);
    if (name === "tmp") await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (user) chownSync(folder, user.uid, user.gid);
    return folder;
  }

  get #instance(): string {
    return shortHash(this.#folder);
  }
  get #mark(): string {
    return `CAIRN_INSTANCE=${this.#instance}`;
  }

  #lives(): boolean {
    return this.record.process !== null && isAlive(this.record.process);
  }

  #set(health: Health, because: string | null): void {
    this.health = health;
    this.because = because;
  }

  #say(line: string): void {
    this.logs.note(this.#parts.clock.now(), line);
    this.#parts.log.info({ service: this.#target.service, environment: this.#target.environment, revision: this.id }, line);
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((done) => {
      const timer = setTimeout(done, milliseconds);
      this.#wake = () => (clearTimeout(timer), done());
      if (this.#ending) this.#wake();
    });
  }
}

/** A probe over time: failed after as many failures in a row as it allows. */
class Watched {
  readonly #probe: Probe | undefined;
  #nextAt: number;
  #failures = 0;
  #because: string | undefined;

  constructor(probe: Probe | undefined) {
    this.#probe = probe;
    this.#nextAt = performance.now() + (probe?.periodSeconds ?? 0) * 1000;
  }

  async look(port: number, now: number): Promise<{ failed: boolean; because: string | undefined }> {
    const probe = this.#probe;
    if (probe && now >= this.#nextAt) {
      this.#nextAt = now + probe.periodSeconds * 1000;
      this.#because = await ask(port, probe);
      this.#failures = this.#because === undefined ? 0 : this.#failures + 1;
    }
    return { failed: probe !== undefined && this.#failures >= probe.failureThreshold, because: this.#because };
  }
}

const poolOf = (port: number): UndiciPool =>
  new Pool(`http://127.0.0.1:${port}`, { pipelining: 1, headersTimeout: 120_000, bodyTimeout: 0, connect: { timeout: 5000 } });

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
const pause = (milliseconds: number): Promise<void> => new Promise((wake) => setTimeout(wake, milliseconds));
