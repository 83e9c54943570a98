import { closeSync } from "node:fs";
import type { Log } from "@cairn/platform/kernel/log.ts";
import { messageOf } from "@cairn/platform/kernel/faults.ts";
import { postgresDown, postgresNotOwned } from "../faults.ts";
import type { PostgresStatus } from "../model.ts";
import { adoptPostgres, startPostgres, type Handover, type Postgres } from "./launch.ts";

/** Small when idle, enough for a platform and some tens of services. Replication and parallel query are off: one machine, small tables. */
const SETTINGS: Record<string, string> = {
  max_connections: "200",
  shared_buffers: "32MB",
  work_mem: "4MB",
  maintenance_work_mem: "32MB",
  max_wal_size: "256MB",
  min_wal_size: "32MB",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_worker_processes: "2",
  max_parallel_workers: "0",
  max_parallel_workers_per_gather: "0",
  max_logical_replication_workers: "0",
  autovacuum_max_workers: "2",
  autovacuum_worker_slots: "2",
  io_method: "sync",
  jit: "off",
  huge_pages: "off",
  timezone: "UTC",
  log_timezone: "UTC",
};

/** Keeps the PostgreSQL of a folder running: starts it, and starts it again with back-off when it dies. */
export class PostgresKeeper {
  readonly #folder: string;
  readonly #logFile: string;
  readonly #log: Log;
  /** Told whenever what another process could take over from us changes. */
  readonly #onHandover: (handover: Handover | null) => void;
  #inherited: Handover | undefined;
  #running: Postgres | undefined;
  #state: PostgresStatus["state"] = "not_owned";
  #because: string | null = null;
  #restarts = 0;
  #stopping = false;
  #loop: Promise<void> | undefined;
  #wake: () => void = () => {};
  #changed: (() => void)[] = [];

  constructor(options: {
    folder: string;
    logFile: string;
    log: Log;
    onHandover: (handover: Handover | null) => void;
    /** One that our predecessor started, and that runs on. */
    inherited: Handover | undefined;
  }) {
    this.#onHandover = options.onHandover;
    this.#inherited = options.inherited;
    this.#folder = options.folder;
    this.#logFile = options.logFile;
    this.#log = options.log;
  }

  /** Whether it runs on when we end: the keeper holds its pipe. */
  get outlivesUs(): boolean {
    return this.#state === "not_owned" || this.#running?.handover != null;
  }

  start(): void {
    this.#state = "starting";
    this.#loop ??= this.#run();
  }

  status(): PostgresStatus {
    return { state: this.#state, pid: this.#running?.pid ?? null, restarts: this.#restarts, because: this.#because };
  }

  /** The superuser's connection string, as soon as PostgreSQL answers. Throws `agent.postgres_not_owned` or, after `patienceSeconds`, `agent.postgres_down`. */
  async url(patienceSeconds = 60): Promise<string> {
    if (this.#state === "not_owned") throw postgresNotOwned();
    const deadline = performance.now() + patienceSeconds * 1000;
    while (!this.#running) {
      const left = deadline - performance.now();
      if (left <= 0 || this.#state === "stopped") throw postgresDown(this.#because ?? "it is starting");
      await new Promise<void>((wake) => {
        const timer = setTimeout(wake, left);
        this.#changed.push(() => (clearTimeout(timer), wake()));
      });
    }
    return this.#running.url();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake();
    await this.#running?.stop();
    await this.#loop;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopping;) {
      try {
        const options = { folder: this.#folder, logFile: this.#logFile, settings: SETTINGS };
        const running = (await this.#adopt(options)) ?? (await startPostgres(options));
        this.#set(running, "running", null);
        this.#onHandover(running.handover);
        this.#log.info({ pid: running.pid }, "PostgreSQL runs");
        failures = 0;
        if (this.#stopping) await running.stop();
        await running.exited;
        this.#onHandover(null);
        this.#set(undefined, this.#stopping ? "stopped" : "starting", this.#stopping ? null : "it died and is being restarted");
        if (this.#stopping) return;
        this.#restarts += 1;
        this.#log.warn({ pid: running.pid }, "PostgreSQL died; starting it again");
      } catch (error) {
        failures += 1;
        this.#set(undefined, "starting", messageOf(error));
        this.#log.error({ err: error }, "PostgreSQL did not start");
        await this.#pause(Math.min(30_000, 500 * 2 ** failures));
      }
    }
    this.#set(undefined, "stopped", null);
  }

  async #adopt(options: { folder: string; logFile: string }): Promise<Postgres | undefined> {
    const inherited = this.#inherited;
    if (!inherited) return undefined;
    this.#inherited = undefined;
    const adopted = await adoptPostgres(options, inherited);
    if (!adopted) closeSync(inherited.fd);
    return adopted;
  }

  #set(running: Postgres | undefined, state: PostgresStatus["state"], because: string | null): void {
    this.#running = running;
    this.#state = state;
    this.#because = because;
    for (const wake of this.#changed.splice(0)) wake();
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((wake) => {
      const timer = setTimeout(wake, milliseconds);
      this.#wake = () => (clearTimeout(timer), wake());
    });
  }
}
