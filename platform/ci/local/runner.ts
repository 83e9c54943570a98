import { lstat, mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "../../kernel/clock.ts";
import type { Digest } from "../../kernel/digest.ts";
import { isFault, messageOf } from "../../kernel/faults.ts";
import type { Log } from "../../kernel/log.ts";
import { run as runProcess } from "../../kernel/processes.ts";
import { transact, type Db, type Tx } from "../../kernel/sql.ts";
import { treeOf } from "../../forge/commit-object.ts";
import type { Forge } from "../../forge/contract.ts";
import { digestOfFile } from "../artifact.ts";
import type { Ci, CiRun } from "../contract.ts";
import { allowedNpmrc, buildEnvironment, passedOn, withReachableFiles } from "../environment.ts";
import { interrupted, orderInvalid } from "../faults.ts";
import { killLeftovers } from "../leftovers.ts";
import { createLogFile } from "../log-file.ts";
import { BuildEvent, FILES, type BuildResult, type CiStage } from "../run-contract.ts";
import { componentsOf, readSbom, type CycloneDx } from "../sbom.ts";
import { readSarif } from "../sarif.ts";
import { scan, type Scanned } from "../scanner.ts";
import { end, enqueue, find, pendingStages, show, start, wait, type Order } from "../store.ts";
import { boundsFrom, watchBounds, type Bounds } from "./bounds.ts";
import type { BuildIsolation } from "./isolation.ts";
import { adoptContent, lendCache } from "./npm-cache.ts";
import { statementsOf } from "./statements.ts";
import { turns } from "./turns.ts";
import { keepArtifact, makeWorkFolder, removeWorkFolder, type WorkFolder } from "./work-folder.ts";

/** Where evidence goes. `within` runs in the transaction that takes it in. Throws where evidence is refused. */
type FileEvidence = (
  filing: {
    artifact: { digest: string; sizeBytes: number; repository: string; commit: string; ciRun: string; path: string };
    envelopes: readonly unknown[];
    actor: string;
  },
  within: (tx: Tx, digests: string[]) => Promise<void>,
) => Promise<unknown>;

export interface LocalCiParts {
  db: Db;
  clock: Clock;
  log: Log;
  forge: Pick<Forge, "checkout" | "cloneUrl" | "commitObject">;
  /** Signs in the name of the local builder. Its key stays in this process. */
  signer: { sign(statement: unknown): unknown };
  fileEvidence: FileEvidence;
  /** For work folders and logs. */
  folder: string;
  artifacts: string;
  npmCache: string;
  /** What keeps builds away from the platform's files on this machine. */
  isolation: BuildIsolation;
  /** The server's environment: registry settings come from it by an allow-list. */
  env: NodeJS.ProcessEnv;
  /** Builds at a time. Default 2. */
  atOnce?: number;
  /** What each may use of the machine. Default: what the environment says. */
  bounds?: Bounds;
}

/** The program that builds: the same that `cairn ci` is. It runs as a process of its own. */
const BUILD_PROGRAM = fileURLToPath(new URL("../../offline/build.ts", import.meta.url));
/** Above the longest time limit that cairn.yaml may declare: then the build's own process hangs. */
const OUTER_LIMIT_SECONDS = 3700;
const AT_ONCE = 2;

/**
 * The embedded runner: each order is built in a clean checkout, in a process of its own with a scrubbed environment. It signs what it states outside that process. Of a run for a merge the artifact is kept and its evidence
 * filed, also that its tests failed: what follows from that is policy's to say. A run for a change builds the artifact too, and keeps its digest only.
 */
export function localCi(parts: LocalCiParts): Ci {
  const inTurn = turns(parts.atOnce ?? AT_ONCE);
  const underWay = new Map<string, Promise<CiRun>>();
  return {
    async run(order, signal) {
      if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}$/.test(order.id)) throw orderInvalid(order.id);
      const known = await enqueue(parts.db, parts.clock, order);
      if (known.endedAt !== null) return known;
      const same = underWay.get(order.id);
      if (same) return same;
      const running = inTurn(() => attempt(parts, order, signal), signal).finally(() => underWay.delete(order.id));
      underWay.set(order.id, running);
      return running;
    },
  };
}

async function attempt(parts: LocalCiParts, order: Order, signal?: AbortSignal): Promise<CiRun> {
  const { db, clock } = parts;
  const known = await find(db, order.id);
  if (known.endedAt !== null) return known;
  await killLeftovers(order.id);
  const work = await makeWorkFolder(join(parts.isolation.folder, order.id), join(parts.folder, "work", `${order.id}.out`));
  try {
    await transact(db, (tx) => start(tx, clock, order.id));
    const log = await createLogFile(parts.folder, order.id);
    const progress = new Progress(parts, order.id, log.line);
    try {
      await build(parts, order, work, progress, log, signal);
    } catch (error) {
      await progress.settled();
      await wait(db, order.id);
      throw error;
    } finally {
      await log.close();
    }
    return await find(db, order.id);
  } finally {
    await killLeftovers(order.id);
    await removeWorkFolder(work);
  }
}

async function build(
  parts: LocalCiParts,
  order: Order,
  work: WorkFolder,
  progress: Progress,
  log: { line(text: string): void; close(): Promise<void> },
  signal?: AbortSignal,
): Promise<void> {
  const { db, clock } = parts;
  const startedAt = clock.now();
  const fail = async (because: string, tests: CiRun["tests"] = null) => {
    progress.skipPending();
    log.line(because);
    await progress.settled();
    await transact(db, (tx) =>
      end(tx, clock, order.id, { state: "failed", because, stages: progress.stages, tests, artifact: null, evidence: [] }),
    );
  };

  progress.enter("checkout");
  let tree: string;
  try {
    tree = treeOf(order.commit, await parts.forge.commitObject(order.repository, order.commit));
    await parts.forge.checkout(order.repository, order.commit, work.source);
  } catch (error) {
    // What is not there stays so; anything else may be better at the next attempt.
    if (!isFault(error) || error.kind !== "not_found") throw error;
    progress.leave("checkout", "failed", error.message);
    return fail(`checkout failed: ${error.message}`);
  }
  progress.leave("checkout", "passed", order.commit);

  const result = await runBuild(parts, order, work, progress, signal);
  if (typeof result === "string") return fail(result);
  if (!result.artifact) return fail(result.because ?? "the build failed", result.tests);

  progress.enter("attest");
  const built = join(work.out, FILES.artifact);
  let evidence: Parameters<FileEvidence>[0];
  try {
    // The build's process said how large the artifact is and what its digest; what counts is what lies there.
    const artifact = await measured(built);
    if (!result.tests) throw new Error("the build made an artifact without a test result");
    const sbom = readSbom(await readFile(join(work.out, FILES.sbom), "utf8"));
    const scanned = await scanOf(parts, sbom, join(work.out, "scan"), order);
    progress.line(
      "attest",
      "because" in scanned ? `not scanned: ${scanned.because}` : `scanned: ${JSON.stringify(readSarif(scanned.sarif).summary)}`,
    );
    const statements = statementsOf({
      run: order.id,
      repository: order.repository,
      commit: order.commit,
      tree,
      cloneUrl: parts.forge.cloneUrl(order.repository),
      artifact,
      tests: result.tests,
      testCommand: result.stages.find((stage) => stage.name === "test")?.command ?? "",
      sbom,
      scan: "sarif" in scanned ? scanned.sarif : null,
      startedAt,
      finishedAt: clock.now(),
      isolation: parts.isolation.kind,
    });
    evidence = {
      artifact: { ...artifact, repository: order.repository, commit: order.commit, ciRun: order.id, path: "" },
      envelopes: statements.map((statement) => parts.signer.sign(statement)),
      actor: "system:ci",
    };
  } catch (error) {
    progress.leave("attest", "failed", messageOf(error));
    return fail(`attest failed: ${messageOf(error)}`, result.tests);
  }
  const artifact = { digest: evidence.artifact.digest, sizeBytes: evidence.artifact.sizeBytes };
  const ending = (digests: string[]) => ({
    state: result.state,
    because: result.because,
    stages: progress.stages,
    tests: result.tests,
    artifact,
    evidence: digests,
  });
  if (order.purpose === "change") {
    progress.leave("attest", "skipped", "a change's artifact is not released: its digest is kept, its evidence not filed");
    await progress.settled();
    await transact(db, (tx) => end(tx, clock, order.id, ending([])));
    return;
  }
  const path = await keepArtifact(parts.artifacts, built, artifact.digest as Digest);
  progress.leave("attest", "passed", `${evidence.envelopes.length} statements about ${artifact.digest}`);
  await progress.settled();
  try {
    await parts.fileEvidence({ ...evidence, artifact: { ...evidence.artifact, path } }, (tx, digests) =>
      end(tx, clock, order.id, ending(digests)),
    );
  } catch (error) {
    if (!isFault(error)) throw error;
    progress.leave("attest", "failed", error.message);
    await fail(`attest failed: ${error.message}`, result.tests);
  }
}

/** Lets the build happen in a process of its own, and gives its result, or why there is none. Throws `ci.interrupted` when the signal ended it. */
async function runBuild(
  parts: LocalCiParts,
  order: Order,
  work: WorkFolder,
  progress: Progress,
  signal?: AbortSignal,
): Promise<BuildResult | string> {
  const { isolation } = parts;
  const alsoPass = passedOn(parts.env);
  await mkdir(parts.npmCache, { recursive: true });
  const npmrc = await readFile(join(parts.env.HOME ?? homedir(), ".npmrc"), "utf8").catch(() => "");
  await writeFile(join(work.home, ".npmrc"), allowedNpmrc(npmrc, alsoPass), { mode: 0o600 });
  const apart = isolation.kind !== "none";
  if (apart) await lendCache(parts.npmCache, work.npmCache, isolation.kind === "user");
  const env = await withReachableFiles(
    buildEnvironment({
      from: parts.env,
      nodeFolder: isolation.nodeFolder,
      home: work.home,
      temp: work.temp,
      npmCache: apart ? work.npmCache : parts.npmCache,
      mark: order.id,
      alsoPass,
    }),
    apart ? work.home : undefined,
  );
  const { cell, leave } = await isolation.enter(work.root);
  const watched = watchBounds(
    { mark: order.id, user: cell.kind === "user" ? cell.user : undefined, folder: work.root },
    parts.bounds ?? boundsFrom(parts.env, parts.atOnce ?? AT_ONCE),
  );
  let result: BuildResult | undefined;
  const complaints: string[] = [];
  const ended = await runProcess(process.execPath, [BUILD_PROGRAM, work.source, work.out, order.purpose, JSON.stringify(cell)], {
    cwd: work.out,
    env,
    timeoutSeconds: OUTER_LIMIT_SECONDS,
    maxBytes: 0,
    onLine: (line, stream) => {
      if (stream === "stderr") {
        complaints.push(line.slice(0, 300));
        complaints.splice(0, complaints.length - 20);
        return;
      }
      const event = eventIn(line);
      if (event?.type === "stage") progress.set(event.stage);
      else if (event?.type === "line") progress.line(event.stage, event.text);
      else if (event?.type === "ended") result = event.result;
    },
    signal: AbortSignal.any([watched.over, ...(signal ? [signal] : [])]),
  }).finally(() => {
    watched.leave();
    return leave();
  });
  if (apart) await adoptContent(work.npmCache, parts.npmCache);
  if (signal?.aborted) throw interrupted(order.id);
  if (result) return result;
  if (watched.over.aborted) return messageOf(watched.over.reason);
  for (const line of complaints) progress.line("build", line);
  if (ended.timedOut) return `the build did not end within ${OUTER_LIMIT_SECONDS} s`;
  return `the build's process ended before the build (${ended.code === null ? (ended.signal ?? "a signal") : `status ${ended.code}`})${complaints.length > 0 ? `: ${complaints.at(-1)}` : ""}`;
}

/** What a change's build is made of is not looked through: it is not released. */
async function scanOf({ env, clock }: LocalCiParts, sbom: CycloneDx, folder: string, { purpose }: Order): Promise<Scanned> {
  if (purpose === "change") return { because: "a change's artifact is not released" };
  if (componentsOf(sbom) === null) return { because: "the components are not known: cairn.yaml declares no ci.sbom" };
  return scan(sbom, folder, env, () => clock.now());
}

function eventIn(line: string): BuildEvent | undefined {
  try {
    return BuildEvent.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

async function measured(file: string): Promise<{ digest: Digest; sizeBytes: number }> {
  if (!(await lstat(file)).isFile()) throw new Error("the artifact is not a plain file");
  return digestOfFile(file);
}

/** The stages of one run as they are now: kept in order, shown in the database as they change, told in the log. */
class Progress {
  stages = pendingStages();
  private readonly parts: LocalCiParts;
  private readonly id: string;
  private readonly tell: (text: string) => void;
  private readonly enteredAt = new Map<CiStage["name"], number>();
  private showing: Promise<unknown> = Promise.resolve();
  private stale = false;

  constructor(parts: LocalCiParts, id: string, tell: (text: string) => void) {
    this.parts = parts;
    this.id = id;
    this.tell = tell;
  }

  enter(name: CiStage["name"]): void {
    this.enteredAt.set(name, this.parts.clock.now().getTime());
    this.set({ name, state: "running", command: null, seconds: null, detail: null });
  }

  leave(name: CiStage["name"], state: CiStage["state"], detail: string): void {
    const seconds = (this.parts.clock.now().getTime() - (this.enteredAt.get(name) ?? 0)) / 1000;
    this.set({ name, state, command: null, seconds, detail });
  }

  set(stage: CiStage): void {
    this.stages = this.stages.map((other) => (other.name === stage.name ? stage : other));
    this.tell(`== ${stage.name}: ${stage.state}${stage.detail === null ? "" : ` (${stage.detail})`}`);
    if (stage.state === "running" && stage.command !== null) this.tell(`$ ${stage.command}`);
    this.show();
  }

  line(_stage: CiStage["name"], text: string): void {
    this.tell(text);
  }

  skipPending(): void {
    this.stages = this.stages.map((stage) =>
      stage.state === "pending" || stage.state === "running" ? { ...stage, state: "skipped" } : stage,
    );
  }

  /** When all that was to be shown is. Showing is a courtesy: that it failed is logged, and the run goes on. */
  async settled(): Promise<void> {
    await this.showing;
  }

  private show(): void {
    if (this.stale) return;
    this.stale = true;
    this.showing = this.showing.then(async () => {
      this.stale = false;
      await show(this.parts.db, this.id, this.stages).catch((error: unknown) =>
        this.parts.log.warn({ err: error, run: this.id }, "the stages of a CI run could not be shown"),
      );
    });
  }
}
