import type { Server } from "node:http";
import { closeSync } from "node:fs";
import { chmod, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@cairn/platform/kernel/clock.ts";
import { messageOf } from "@cairn/platform/kernel/faults.ts";
import type { Log } from "@cairn/platform/kernel/log.ts";
import type { SecretStore } from "@cairn/platform/secrets/contract.ts";
import type { Gate } from "./admission/gate.ts";
import { notAdmitted, quarantined, revisionHasTraffic, revisionLeaving, targetUnknown, treeChanged, unhealthy } from "./faults.ts";
import { journalWriter, keepCounters, readJournal, takeCounters, type Journal, type RevisionRecord, type TargetRecord } from "./journal.ts";
import type { Keeper } from "./keeper/keeper.ts";
import type { AgentLogLine, LogTail, Finding, RevisionSpec, TargetName, TargetStatus } from "./model.ts";
import { shortHash } from "./places.ts";
import { CallerCounts, Callers, type ServiceProcesses } from "./proxy/callers.ts";
import type { Arm, Route } from "./proxy/forward.ts";
import { closeFront, openFront } from "./proxy/front.ts";
import { SlowClients } from "./proxy/slow.ts";
import { Split } from "./proxy/split.ts";
import { Upgrades } from "./proxy/upgrade.ts";
import { readWeights } from "./requests.ts";
import { Instance } from "./services/instance.ts";
import { freeUser, type Isolation } from "./services/isolation.ts";
import { RevisionLogs, tellingLines } from "./services/logs.ts";
import { readLogs, tailLogs, type LogQuery } from "./services/read-logs.ts";
import { readWorkload } from "./services/manifest.ts";
import { freePort } from "./services/ports.ts";
import { sessionMembers } from "./services/proc.ts";
import { readTree, TreeWatch, writeTree } from "./services/tree.ts";
import { removeAll, unpack } from "./services/unpack.ts";
import { Watch } from "./services/watch.ts";

export interface DataPlaneParts {
  clock: Clock;
  log: Log;
  secrets: SecretStore;
  isolation: Isolation;
  keeper: Keeper;
  /** Decides what may start. */
  gate: Gate;
  journalFile: string;
  logsFolder: string;
  /** Different for each home, so that two on one machine seldom want the same port. */
  portSeed: string;
}

/** A target as it runs: its record, its address, its instances. */
interface Live {
  record: TargetRecord;
  front: Server | undefined;
  problem: string | null;
  route: Route;
  split: Split<Arm>;
  instances: Map<string, Instance>;
  /** Deployments under way. */
  deploying: Map<string, Promise<void>>;
  retiring: Map<string, Promise<void>>;
  /** Set from the moment that it is to go. */
  removing: Promise<void> | undefined;
}

/** Services behind stable addresses: what the journal says is what runs. */
export class DataPlane {
  readonly #parts: DataPlaneParts;
  readonly #targets = new Map<string, Live>();
  readonly #opening = new Map<string, Promise<Live>>();
  readonly #upgrades = new Upgrades();
  readonly #callers = new Callers(() => [...this.#targets.values()].map((live) => processesOf(live)));
  readonly #slow = new SlowClients();
  readonly #save: () => Promise<void>;
  readonly #watch: Watch;
  /** What was unpacked in this moment need not be compared with its artifact once more. */
  readonly #fresh = new WeakSet<RevisionRecord>();

  constructor(parts: DataPlaneParts) {
    this.#parts = parts;
    this.#watch = new Watch({
      clock: parts.clock,
      log: parts.log,
      nodeFolder: parts.isolation.nodeFolder,
      targets: () => [...this.#targets.values()].map((live) => [...live.instances.values()].map((instance) => instance.watched())),
    });
    this.#save = journalWriter(parts.journalFile, () => this.#journal());
  }

  /** Takes up the journal: addresses first, on kept sockets where there are some, then the services that live. Gives those that must be started. */
  async open(sockets: Map<number, number>): Promise<Instance[]> {
    const { targets, ...kept } = await readJournal(this.#parts.journalFile);
    this.#parts.gate.load(kept);
    for (const record of targets) {
      const live = this.#live(record);
      for (const revision of record.revisions) live.instances.set(revision.spec.id, this.#instance(live, revision));
      this.#deal(live);
      this.#targets.set(keyOf(record), live);
    }
    for (const { target, callers, revisions } of await takeCounters(this.#parts.journalFile)) {
      const live = this.#targets.get(target);
      live?.route.callers.resume(callers);
      for (const [revision, counts] of Object.entries(revisions)) live?.instances.get(revision)?.counters.resume(counts);
    }
    const instances = [...this.#targets.values()].flatMap((live) => [...live.instances.values()]);
    for (const live of this.#targets.values()) this.#barUnadmitted(live);
    const dead = instances.filter((instance) => !instance.isBarred && !instance.adopt());
    const listening = async (live: Live) => {
      if (!(await this.#listen(live, sockets.get(live.record.port)))) this.#listenLater(live);
    };
    await Promise.all([...this.#targets.values()].map(listening));
    const ports = new Set(targets.map(({ port }) => port));
    for (const [port, fd] of sockets) if (!ports.has(port)) closeSync(fd);
    for (const instance of instances) if (!instance.isBarred && !dead.includes(instance)) instance.begin();
    this.#takeUpRest();
    await this.#sweep();
    return dead;
  }

  /** Starts what does not live any more, as it was. */
  restore(dead: readonly Instance[]): void {
    this.#watch.begin();
    for (const instance of dead) {
      if (instance.record.process !== null) instance.record.restarts += 1;
      instance.begin();
    }
  }

  async ensureTarget(target: TargetName): Promise<{ url: string }> {
    return { url: urlOf((await this.#ensure(target)).record.port) };
  }

  /** Starts a revision without traffic and waits until it is healthy. Throws `runtime.unhealthy` or what unpacking and the manifests throw, and then leaves nothing. */
  async deploy(target: TargetName, spec: RevisionSpec): Promise<void> {
    await this.#keepingAttempts(async () => this.#parts.gate.admit(target, spec));
    readWorkload(spec.manifests);
    const live = await this.#ensure(target);
    if (live.retiring.has(spec.id)) throw revisionLeaving(target, spec.id);
    const under = live.deploying.get(spec.id) ?? this.#deploy(live, spec).finally(() => live.deploying.delete(spec.id));
    live.deploying.set(spec.id, under);
    return under;
  }

  async setWeights(target: TargetName, body: unknown): Promise<void> {
    const live = this.#find(target);
    const weights = readWeights(body, (revision) => live.instances.get(revision)?.record.wasHealthy === true);
    for (const revision of Object.keys(weights)) await this.#keepingAttempts(async () => this.#requireRoutable(live, revision));
    for (const revision of Object.keys(weights)) if (live.retiring.has(revision)) throw revisionLeaving(target, revision);
    live.record.weights = weights; // at once, so that nothing retires a revision in between
    await this.#save();
    this.#deal(live);
  }

  /** Bars a digest from starting here. What runs of it is left alone, and told: the last one that serves is not ours to end. */
  async quarantine(artifact: string, because: string): Promise<void> {
    this.#parts.gate.bar(artifact, because);
    await this.#save();
  }

  /** Lets a digest start again, and starts what stands still for it; takes the platform's signature. Throws `runtime.lift_refused`. */
  async liftQuarantine(artifact: string, envelope: unknown): Promise<void> {
    await this.#keepingAttempts(async () => this.#parts.gate.lift(artifact, envelope));
    await this.#save();
    for (const live of this.#targets.values())
      for (const instance of live.instances.values())
        if (instance.isBarred && instance.digest === artifact && "admission" in this.#parts.gate.check(live.record, instance.record.spec))
          this.#revive(live, instance, instance.record.spec);
  }

  /** Compares at once what runs with what was started; by itself that happens every few seconds. */
  async look(): Promise<void> {
    await this.#watch.look({ files: true });
  }

  observe(target: TargetName): TargetStatus {
    return this.#statusOf(this.#find(target));
  }

  /** The names of all targets. */
  targets(): TargetName[] {
    return [...this.#targets.values()].map(({ record: { service, environment } }) => ({ service, environment }));
  }

  status(): TargetStatus[] {
    return [...this.#targets.values()].map((live) => this.#statusOf(live));
  }

  async retire(target: TargetName, revision: string): Promise<void> {
    const live = this.#targets.get(keyOf(target));
    const instance = live?.instances.get(revision);
    if (!live || !instance) return;
    const percent = live.record.weights[revision] ?? 0;
    if (percent > 0) throw revisionHasTraffic(target, revision, percent);
    await this.#retire(live, instance, true);
  }

  async remove(target: TargetName): Promise<void> {
    const live = this.#targets.get(keyOf(target));
    if (live) await (live.removing ??= this.#remove(live));
  }

  /** The last lines of a target, with the values of its secrets taken out. */
  async logs(target: TargetName, query: LogQuery): Promise<AgentLogLine[]> {
    return readLogs(this.#polledLogsOf(target), { ...query, mask: await this.#mask(target) });
  }

  /** The lines that came after a place in a target's logs; without a place, the last ones and where they end. */
  async tail(target: TargetName, query: LogQuery & { cursor: string | undefined }): Promise<LogTail> {
    return tailLogs(this.#polledLogsOf(target), { ...query, mask: await this.#mask(target) });
  }

  /** Ends all services in order; the journal keeps what ran, for the next start. */
  async stop(): Promise<void> {
    this.#watch.stop();
    const all = [...this.#targets.values()];
    await Promise.all(all.map((live) => (live.front ? closeFront(live.front, live.route, 5) : undefined)));
    await Promise.all(all.flatMap((live) => [...live.instances.values()].map((instance) => instance.end(5))));
    await this.#keepCounters();
    await this.#save();
  }

  /** Lets requests under way end and takes no new ones; the services run on, and the keeper's sockets queue. */
  async pauseFronts(): Promise<void> {
    await Promise.all([...this.#targets.values()].map((live) => (live.front ? closeFront(live.front, live.route, 10) : undefined)));
    await this.#keepCounters();
  }

  /** The next agent counts on. Where that can't be, it begins at zero, and says so by another epoch. */
  async #keepCounters(): Promise<void> {
    const kept = [...this.#targets].map(([target, { route, instances }]) => ({
      target,
      callers: { epoch: route.callers.epoch, counts: route.callers.counts() },
      revisions: Object.fromEntries(
        [...instances].map(
          ([
            id,
            {
              counters: { epoch, requests, errors, latency },
            },
          ]) => [id, { epoch, requests, errors, latency }],
        ),
      ),
    }));
    await keepCounters(this.#parts.journalFile, kept).catch((error: unknown) =>
      this.#parts.log.warn({ err: error }, "what was counted could not be kept"),
    );
  }

  async #deploy(live: Live, spec: RevisionSpec): Promise<void> {
    const known = live.instances.get(spec.id);
    if (known) return this.#healthyOrGone(live, known.isBarred ? this.#revive(live, known, spec) : known);
    const folder = join(this.#folderOf(live.record), spec.id);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await chmod(folder, 0o755);
    let tree: string;
    try {
      tree = await writeTree(join(folder, "tree.json"), await unpack(spec.artifact, join(folder, "app")));
    } catch (error) {
      await removeAll(folder);
      throw error;
    }
    const port = await freePort(`${this.#parts.portSeed}/${keyOf(live.record)}/${spec.id}`, this.#takenPorts());
    if (live.removing) throw targetUnknown(live.record);
    const startedAt = this.#parts.clock.now().toISOString();
    const record: RevisionRecord = { spec, port, startedAt, restarts: 0, wasHealthy: false, leaving: false, process: null, tree };
    this.#fresh.add(record);
    const instance = this.#instance(live, record);
    live.instances.set(spec.id, instance);
    live.record.revisions.push(record);
    await this.#save().catch(async (error) => {
      await this.#retire(live, instance, false).catch(() => {});
      throw error;
    });
    instance.begin();
    await this.#healthyOrGone(live, instance);
  }

  async #healthyOrGone(live: Live, instance: Instance): Promise<void> {
    try {
      await instance.healthy();
      await this.#save(); // it was healthy: a restarted agent must not give it up
    } catch (error) {
      const lines = await this.#lastLines(live, instance.id);
      if ((live.record.weights[instance.id] ?? 0) === 0) await this.#retire(live, instance, false);
      throw unhealthy(live.record, instance.id, messageOf(error), lines);
    }
  }

  /** A revision that was barred and is let in again: another instance of the same record takes its place, and its process where it still lives. */
  #revive(live: Live, known: Instance, spec: RevisionSpec): Instance {
    known.record.spec = spec;
    const instance = this.#instance(live, known.record);
    live.instances.set(spec.id, instance);
    void known.pool.close().catch(() => {});
    instance.adopt();
    this.#deal(live);
    instance.begin();
    return instance;
  }

  #barUnadmitted(live: Live): void {
    for (const instance of live.instances.values()) {
      const found = this.#parts.gate.check(live.record, instance.record.spec);
      if ("because" in found) instance.bar(notAdmitted(live.record, instance.id, found.because).message);
    }
  }

  #requireRoutable(live: Live, revision: string): void {
    const instance = live.instances.get(revision);
    if (!instance) return;
    const found = this.#parts.gate.check(live.record, instance.record.spec);
    if ("because" in found) throw this.#parts.gate.refuse("give traffic to a revision", live.record, revision, found.because);
    if (instance.isBarred) throw quarantined(live.record, revision, instance.digest, instance.because ?? "");
  }

  /** A refused attempt outlives us. */
  async #keepingAttempts(body: () => Promise<unknown>): Promise<void> {
    try {
      await body();
    } catch (error) {
      const failed = (because: unknown) => this.#parts.log.error({ err: because }, "an attempt could not be kept");
      await this.#save().catch(failed);
      throw error;
    }
  }

  /**
   * Asked before each start: the admission still holds for what the journal says, its bytes are not quarantined, and the files are those of its artifact. Files
   * that were changed are unpacked anew. Throws `runtime.not_admitted`, `runtime.quarantined` or `runtime.tree_changed`.
   */
  async #mayStart(target: TargetRecord, record: RevisionRecord): Promise<void> {
    const { gate } = this.#parts;
    const { id, artifact } = record.spec;
    const found = gate.check(target, record.spec);
    if ("because" in found) throw notAdmitted(target, id, found.because);
    const barred = gate.isBarred(artifact.digest);
    if (barred !== undefined) throw quarantined(target, id, artifact.digest, barred);
    if (this.#fresh.delete(record)) return;
    const folder = join(this.#folderOf(target), id);
    const tree = record.tree ? await readTree(join(folder, "tree.json"), record.tree) : undefined;
    const [difference] = tree
      ? await new TreeWatch(join(folder, "app"), tree).compare()
      : [{ path: "tree.json", detail: "it is not the one that was written" }];
    if (!difference) return;
    const { clock, log } = this.#parts;
    log.warn({ revision: id, ...difference }, "what was unpacked was changed; it is unpacked anew");
    try {
      record.tree = await writeTree(join(folder, "tree.json"), await unpack(artifact, join(folder, "app")));
    } catch (error) {
      throw treeChanged(target, id, `${difference.path}: ${difference.detail}`, messageOf(error));
    }
    await this.#save();
    this.#targets
      .get(keyOf(target))
      ?.instances.get(id)
      ?.logs.note(clock.now(), `${difference.path} was changed (${difference.detail}): unpacked anew`);
  }

  async #remove(live: Live): Promise<void> {
    live.record.weights = {};
    this.#deal(live);
    await Promise.allSettled(live.deploying.values()); // those that have not started yet give up
    await Promise.all([...live.instances.values()].map((instance) => this.#retire(live, instance, true)));
    this.#targets.delete(keyOf(live.record));
    await this.#save();
    if (live.front) {
      this.#parts.keeper.delete(live.front);
      await this.#parts.keeper.renew();
      await closeFront(live.front, live.route, 1);
    }
    await removeAll(this.#folderOf(live.record));
    await rm(this.#logsOf(live.record), { recursive: true, force: true });
  }

  #retire(live: Live, instance: Instance, drain: boolean): Promise<void> {
    const under = live.retiring.get(instance.id);
    if (under) return under;
    const work = async () => {
      instance.record.leaving = true;
      await this.#save();
      await instance.end(drain ? DRAIN_SECONDS : 0);
      live.instances.delete(instance.id);
      live.record.revisions = live.record.revisions.filter((revision) => revision !== instance.record);
      this.#deal(live);
      await this.#save();
      await removeAll(join(this.#folderOf(live.record), instance.id));
      await this.#forgetOldLogs(live);
    };
    const begun = work().finally(() => live.retiring.delete(instance.id));
    live.retiring.set(instance.id, begun);
    return begun;
  }

  /** Revisions that were leaving leave; those that nobody waits for any more are given up when they don't become healthy. */
  #takeUpRest(): void {
    for (const live of this.#targets.values())
      for (const instance of live.instances.values()) {
        const failed = (error: unknown) =>
          this.#parts.log.error({ err: error, revision: instance.id }, "taking up what was under way failed");
        if (instance.record.leaving) void this.#retire(live, instance, true).catch(failed);
        else if (!instance.record.wasHealthy) void this.#healthyOrGone(live, instance).catch(failed);
      }
  }

  async #ensure(target: TargetName): Promise<Live> {
    const key = keyOf(target);
    const known = this.#targets.get(key);
    if (known && !known.removing) return known;
    await known?.removing;
    const opening = this.#opening.get(key) ?? this.#openTarget(target).finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return opening;
  }

  async #openTarget(target: TargetName): Promise<Live> {
    const refused = new Set<number>();
    for (;;) {
      const port = await freePort(`${this.#parts.portSeed}/${keyOf(target)}`, this.#takenPorts().union(refused));
      const live = this.#live({ service: target.service, environment: target.environment, port, user: null, weights: {}, revisions: [] });
      if (!(await this.#listen(live, undefined))) {
        refused.add(port); // somebody else was quicker
        continue;
      }
      live.record.user = this.#parts.isolation.ownUser ? freeUser(`${this.#parts.portSeed}/${keyOf(target)}`, this.#takenUsers()) : null;
      this.#targets.set(keyOf(target), live);
      await this.#save();
      return live;
    }
  }

  /** An address does not change: a port that somebody else has is tried again, and told meanwhile. */
  #listenLater(live: Live): void {
    setTimeout(async () => {
      if (this.#targets.get(keyOf(live.record)) === live && !(await this.#listen(live, undefined))) this.#listenLater(live);
    }, 1000).unref();
  }

  async #listen(live: Live, fd: number | undefined): Promise<boolean> {
    try {
      live.front = await openFront({ route: live.route, upgrades: this.#upgrades, port: live.record.port, fd });
      live.problem = null;
      this.#parts.keeper.add(live.front);
      await this.#parts.keeper.renew();
      return true;
    } catch (error) {
      live.problem = `port ${live.record.port} can't be opened: ${messageOf(error)}`;
      this.#parts.log.error({ err: error, service: live.record.service }, live.problem);
      return false;
    }
  }

  #live(record: TargetRecord): Live {
    const live: Live = {
      record,
      front: undefined,
      problem: "it is being opened",
      split: new Split<Arm>([]),
      instances: new Map(),
      deploying: new Map(),
      retiring: new Map(),
      removing: undefined,
      route: {
        closing: false,
        slow: this.#slow,
        callers: new CallerCounts(this.#callers),
        name: `${record.service} in ${record.environment}`,
        next: () => live.split.next(),
        another: (failed) => this.#another(live, failed),
      },
    };
    return live;
  }

  #deal(live: Live): void {
    const arms = Object.entries(live.record.weights).flatMap(([revision, weightPercent]) => {
      const arm = live.instances.get(revision);
      return arm && !arm.isBarred ? [{ arm, weightPercent }] : [];
    });
    live.split = new Split<Arm>(arms);
  }

  #another(live: Live, failed: Arm): Arm {
    const others = Object.entries(live.record.weights)
      .sort(([, a], [, b]) => b - a)
      .flatMap(([revision]) => live.instances.get(revision) ?? []);
    return others.find((arm) => arm !== failed && arm.health === "healthy") ?? failed;
  }

  #instance(live: Live, record: RevisionRecord): Instance {
    const logs = new RevisionLogs(join(this.#logsOf(live.record), record.spec.id));
    const folder = join(this.#folderOf(live.record), record.spec.id);
    return new Instance(live.record, record, folder, logs, {
      clock: this.#parts.clock,
      log: this.#parts.log,
      secrets: this.#parts.secrets,
      isolation: this.#parts.isolation,
      upgrades: this.#upgrades,
      save: this.#save,
      mayStart: (one) => this.#mayStart(live.record, one),
      decisionOf: (one) => {
        const found = this.#parts.gate.check(live.record, one.spec);
        return "admission" in found ? found.admission.decision.id : null;
      },
      onBarred: () => this.#deal(live),
      takenPorts: () => this.#takenPorts(),
    });
  }

  #find(target: TargetName): Live {
    const live = this.#targets.get(keyOf(target));
    if (!live) throw targetUnknown(target);
    return live;
  }

  #takenPorts(): Set<number> {
    return new Set([...this.#targets.values()].flatMap(({ record }) => [record.port, ...record.revisions.map(({ port }) => port)]));
  }

  #takenUsers(): Set<number> {
    return new Set([...this.#targets.values()].flatMap(({ record }) => (record.user === null ? [] : [record.user])));
  }

  #statusOf(live: Live): TargetStatus {
    const { service, environment, port } = live.record;
    const revisions = [...live.instances.values()].map((instance) => instance.status());
    return {
      target: { service, environment },
      url: urlOf(port),
      port,
      problem: live.problem,
      revisions,
      callers: { epoch: live.route.callers.epoch, counts: live.route.callers.counts() },
      findings: this.#findingsOf(live),
    };
  }

  #findingsOf(live: Live): Finding[] {
    return [...live.instances.values()].flatMap((instance): Finding[] => {
      const { folder, id } = instance.watched();
      const barred = this.#parts.gate.quarantine().find(({ artifact }) => artifact === instance.digest);
      const told = (kind: Finding["kind"], subject: string, detail: string, foundAt: string): Finding => ({
        id: shortHash(`${folder}\0${kind}\0${subject}`),
        kind,
        revision: id,
        subject,
        detail,
        foundAt,
      });
      const lives = instance.isBarred ? "it is not started again" : "it runs on, and does not start again once it ends";
      const found = this.#parts.gate.check(live.record, instance.record.spec);
      return [
        ...("because" in found ? [told("not_admitted", id, `${found.because}; it gets no traffic`, instance.record.startedAt)] : []),
        ...(barred ? [told("quarantined", instance.digest, `${barred.because}; ${lives}`, barred.since)] : []),
        ...this.#watch.of(folder),
      ];
    });
  }

  #journal(): Journal {
    return { version: 1, targets: [...this.#targets.values()].map(({ record }) => record), ...this.#parts.gate.kept() };
  }

  #folderOf(target: TargetName): string {
    return join(this.#parts.isolation.folder, `${target.service}.${target.environment}`);
  }

  #polledLogsOf(target: TargetName): string {
    const live = this.#find(target);
    for (const instance of live.instances.values()) instance.logs.poll(this.#parts.clock.now());
    return this.#logsOf(live.record);
  }

  #logsOf(target: TargetName): string {
    return join(this.#parts.logsFolder, `${target.service}.${target.environment}`);
  }

  async #lastLines(live: Live, revision: string): Promise<string[]> {
    live.instances.get(revision)?.logs.poll(this.#parts.clock.now());
    const lines = await readLogs(this.#logsOf(live.record), { revision, limit: 50, mask: await this.#mask(live.record) });
    return tellingLines(lines.filter(({ stream }) => stream !== "agent").map(({ line }) => line));
  }

  /** A service may print its own secrets: what we show of its logs does not hold them. */
  async #mask(target: TargetName): Promise<(line: string) => string> {
    const refs = await this.#parts.secrets.list(target);
    const values = await Promise.all(refs.map((ref) => this.#parts.secrets.reveal(ref).catch(() => "")));
    const long = values.filter((value) => value.length >= 6).sort((a, b) => b.length - a.length);
    return (line) => long.reduce((text, value) => text.replaceAll(value, "***"), line);
  }

  /** Logs outlive their revision, since one looks for them when it failed: those of the last ten stay. */
  async #forgetOldLogs(live: Live): Promise<void> {
    const folder = this.#logsOf(live.record);
    const gone = (await readdir(folder, { withFileTypes: true }).catch(() => []))
      .filter(({ name }) => !live.instances.has(name))
      .map(({ name }) => name);
    if (gone.length <= 10) return;
    const aged = await Promise.all(gone.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
    aged.sort((a, b) => b.at - a.at);
    for (const { name } of aged.slice(10)) await rm(join(folder, name), { recursive: true, force: true });
  }

  /** Removes folders that a crash left: of what the journal does not know. */
  async #sweep(): Promise<void> {
    const root = this.#parts.isolation.folder;
    await mkdir(root, { recursive: true, mode: 0o755 });
    for (const name of await readdir(root)) {
      const live = [...this.#targets.values()].find(({ record }) => `${record.service}.${record.environment}` === name);
      if (!live) {
        await removeAll(join(root, name));
        continue;
      }
      for (const revision of await readdir(join(root, name)))
        if (!live.instances.has(revision)) await removeAll(join(root, name, revision));
    }
  }
}

/** How long requests under way keep a revision that is retired. */
const DRAIN_SECONDS = 30;

const processesOf = ({ record, instances }: Live): ServiceProcesses => ({
  key: keyOf(record),
  user: record.user,
  pids: () => [...instances.values()].flatMap(({ record: { process } }) => (process ? sessionMembers(process.pid) : [])),
});

const keyOf = (target: TargetName): string => `${target.service}/${target.environment}`;
const urlOf = (port: number): string => `http://127.0.0.1:${port}`;
