import { lstat, mkdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import { isFault, messageOf } from "../kernel/faults.ts";
import { run } from "../kernel/processes.ts";
import { digestOfFile, entriesOf, isWithin, pack } from "./artifact.ts";
import { startIn, type Cell } from "./cell.ts";
import { CiStage, TestTotals, type Contract } from "./contract.ts";
import { readDescriptors, type DescriptorChecks } from "./descriptors.ts";
import { MAX_REPORT_BYTES, readJunit, type Totals } from "./junit.ts";
import { componentsOf, filesOnly, readSbom, type CycloneDx } from "./sbom.ts";
import { noTestReport, notPackable } from "./faults.ts";
import { tailing } from "./tailing.ts";

/** What a build gave. Files lie in the `out` folder: result.json (this), artifact.tar.gz, sbom.json, junit.xml. */
export const BuildResult = z.object({
  state: z.enum(["passed", "failed"]),
  because: z.string().nullable(),
  stages: z.array(CiStage),
  tests: TestTotals.nullable(),
  artifact: z.object({ digest: z.string(), sizeBytes: z.number() }).nullable(),
  /** `components` null: not known. */
  sbom: z.object({ declared: z.boolean(), components: z.number().nullable() }).nullable(),
});
export type BuildResult = z.infer<typeof BuildResult>;

/** What happens, as it happens. */
export const BuildEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("stage"), stage: CiStage }),
  z.object({ type: z.literal("line"), stage: CiStage.shape.name, text: z.string() }),
  z.object({ type: z.literal("ended"), result: BuildResult }),
]);
export type BuildEvent = z.infer<typeof BuildEvent>;

export type CiStage = z.infer<typeof CiStage>;

export const FILES = { result: "result.json", artifact: "artifact.tar.gz", sbom: "sbom.json", junit: "junit.xml" } as const;

export interface Build {
  /** A clean checkout. The commands run in its root and may change it. */
  folder: string;
  /** Where results go: made if missing. */
  out: string;
  /** The whole environment of the commands. */
  env: Readonly<Record<string, string>>;
  clock: Clock;
  onEvent: (event: BuildEvent) => void;
  checks?: DescriptorChecks;
  signal?: AbortSignal;
  /** Called after each command has ended: ends what it left running outside its process group. */
  sweep?: () => Promise<void>;
  /** What keeps the commands away from their surroundings. */
  cell?: Cell;
  /** The name that a files-only SBOM gives the artifact. */
  name?: string;
  /** Makes the artifact also where tests failed and were counted: a merge's build, whose test result is evidence for policy to judge. */
  evenWithFailedTests?: boolean;
}

/**
 * Runs what cairn.yaml declares: descriptor, build, test, sbom, package, in this order, and stops at the first that fails (but see `evenWithFailedTests`). It knows no language. What can't be known counts as failed: no
 * test report, a report without a test. A failing build is a result, not a fault. The same content packs to the same bytes.
 */
export async function runContract(build: Build): Promise<BuildResult> {
  const folder = await realpath(build.folder);
  const out = resolve(build.out);
  await mkdir(out, { recursive: true });
  const result: BuildResult = {
    state: "passed",
    because: null,
    stages: (["descriptor", "build", "test", "sbom", "package"] as const).map((name) => ({
      name,
      state: "pending",
      command: null,
      seconds: null,
      detail: null,
    })),
    tests: null,
    artifact: null,
    sbom: null,
  };
  const stages = new StageRunner(build, folder, result);

  const contract = await stages.enter("descriptor", null, async () => {
    const { contract, problems, missing } = await readDescriptors(folder, build.checks);
    for (const problem of problems) build.onEvent({ type: "line", stage: "descriptor", text: problem });
    if (!contract || problems.length > 0) throw new StageFailed(problems.join("; "));
    stages.begin(contract);
    return { value: contract, detail: missing.length === 0 ? null : `not there: ${missing.join(", ")}` };
  });
  if (contract) {
    const { ci } = contract;
    await stages.enter("build", ci.build ?? null, async () => {
      if (ci.build !== undefined) await stages.command("build", ci.build);
      return { value: true, detail: null };
    });
    result.tests =
      (await stages.enter("test", ci.test, async () => {
        const { failures, ...tests } = await testTotals(stages, folder, out, ci);
        if (result.tests === null) result.tests = tests;
        if (failures.length > 0)
          throw new StageFailed(
            `${tests.failed} of ${tests.total} tests failed: ${failures.slice(0, 5).join(", ")}`,
            build.evenWithFailedTests,
          );
        return { value: tests, detail: `${tests.total} tests${tests.skipped > 0 ? `, ${tests.skipped} skipped` : ""}` };
      })) ?? result.tests;
    const declared = await stages.enter("sbom", ci.sbom ?? null, async () => {
      const sbom = ci.sbom === undefined ? undefined : readSbom(await stages.command("sbom", ci.sbom, true));
      return {
        value: { sbom },
        detail: sbom ? `${componentsOf(sbom) ?? "unknown"} components` : "none declared: files only, components unknown",
      };
    });
    await stages.enter("package", ci.package ?? null, async () => {
      if (ci.package !== undefined) await stages.command("package", ci.package);
      const { artifact, sbom } = await packed(build, folder, out, ci.include, declared?.sbom);
      result.artifact = artifact;
      result.sbom = { declared: declared?.sbom !== undefined, components: componentsOf(sbom) };
      return { value: artifact, detail: `${artifact.digest} (${artifact.sizeBytes} bytes)` };
    });
  }
  if (stages.stopped) result.artifact = null;
  await writeFile(join(out, FILES.result), `${JSON.stringify(result, null, 2)}\n`);
  build.onEvent({ type: "ended", result });
  return result;
}

class StageFailed extends Error {
  /** The stages after it are carried out all the same. */
  readonly goesOn: boolean;

  constructor(because: string, goesOn = false) {
    super(because);
    this.goesOn = goesOn;
  }
}

/** Walks through the stages, tells of each, and keeps the time limit that holds over all of them. */
class StageRunner {
  private readonly build: Build;
  private readonly folder: string;
  private readonly result: BuildResult;
  private endsAt: number | undefined;
  private limitSeconds = 0;
  /** A stage failed, and none after it is carried out. */
  stopped = false;

  constructor(build: Build, folder: string, result: BuildResult) {
    this.build = build;
    this.folder = folder;
    this.result = result;
  }

  begin(contract: Contract): void {
    this.limitSeconds = contract.ci.timeoutSeconds;
    this.endsAt = this.build.clock.now().getTime() + this.limitSeconds * 1000;
  }

  /** Carries out a stage unless an earlier one failed; gives undefined where it failed or was skipped. */
  async enter<T>(
    name: CiStage["name"],
    command: string | null,
    body: () => Promise<{ value: T; detail: string | null }>,
  ): Promise<T | undefined> {
    const startedAt = this.build.clock.now().getTime();
    const shown = command === null ? null : command.slice(0, 2000);
    const tell = (state: CiStage["state"], detail: string | null) => {
      const seconds = state === "running" || state === "skipped" ? null : (this.build.clock.now().getTime() - startedAt) / 1000;
      const stage: CiStage = { name, state, command: shown, seconds, detail };
      this.result.stages = this.result.stages.map((other) => (other.name === name ? stage : other));
      this.build.onEvent({ type: "stage", stage });
    };
    if (this.stopped) {
      tell("skipped", null);
      return undefined;
    }
    tell("running", null);
    try {
      const { value, detail } = await body();
      // Without a command there was nothing to do; packing is always something.
      tell(command === null && (name === "build" || name === "sbom") ? "skipped" : "passed", detail);
      return value;
    } catch (error) {
      // Also what the system refuses, such as a file that can't be read, is the build's failure and not ours.
      if (!(error instanceof StageFailed) && !isFault(error) && typeof (error as NodeJS.ErrnoException).syscall !== "string") throw error;
      const because = messageOf(error);
      this.stopped = !(error instanceof StageFailed && error.goesOn);
      this.result.state = "failed";
      this.result.because = [this.result.because, `${name} failed: ${because}`].filter(Boolean).join("; ");
      tell("failed", because);
      return undefined;
    }
  }

  /** Runs a declared command by `sh -c`; gives its standard output where that is asked for. Throws StageFailed with the last line it said. */
  async command(stage: CiStage["name"], command: string, keepOutput = false): Promise<string> {
    const output = tailing((text) => this.build.onEvent({ type: "line", stage, text }));
    const leftSeconds = ((this.endsAt ?? 0) - this.build.clock.now().getTime()) / 1000;
    if (leftSeconds <= 0) throw new StageFailed(`the time limit of ${this.limitSeconds} s was over before it began`);
    const { program, args, ...user } = startIn(this.build.cell ?? { kind: "none" }, command, this.folder);
    const ended = await run(program, args, {
      ...user,
      cwd: this.folder,
      env: this.build.env,
      timeoutSeconds: leftSeconds,
      maxBytes: keepOutput ? MAX_REPORT_BYTES : 0,
      onLine: (line, stream) => {
        if (!keepOutput || stream === "stderr") output.line(line);
      },
      ...(this.build.signal && { signal: this.build.signal }),
    });
    await this.build.sweep?.();
    output.end();
    if (ended.timedOut) throw new StageFailed(`stopped at the time limit of ${this.limitSeconds} s${saying(output.last())}`);
    if (this.build.signal?.aborted) throw new StageFailed("interrupted");
    if (ended.code !== 0)
      throw new StageFailed(
        `${ended.code === null ? `ended by ${ended.signal ?? "a signal"}` : `exit status ${ended.code}`}${saying(output.last())}`,
      );
    if (keepOutput && ended.droppedBytes > 0) throw new StageFailed("it printed more than 16 MiB");
    return ended.stdout.toString("utf8");
  }
}

const saying = (line: string): string => (line === "" ? "" : `: ${line.slice(0, 300)}`);

/** Runs the tests and reads their report, which must be theirs: one that lay there before is removed. A failed run's report is read too, for its counts. */
async function testTotals(stages: StageRunner, folder: string, out: string, ci: Contract["ci"]): Promise<Totals> {
  const report = resolve(folder, ci.junit);
  if (!isWithin(folder, report) || report === folder) throw noTestReport(ci.junit, "lies outside the repository");
  if (!isWithin(folder, await realpath(dirname(report)).catch(() => folder))) throw noTestReport(ci.junit, "leads out of the repository");
  await rm(report, { recursive: true, force: true });
  let failed: StageFailed | undefined;
  await stages.command("test", ci.test).catch((error: unknown) => {
    if (!(error instanceof StageFailed)) throw error;
    failed = error;
  });
  let totals: Totals;
  try {
    totals = await readReport(folder, report, ci.junit, out);
  } catch (error) {
    throw failed ?? error;
  }
  if (failed && totals.failures.length === 0) throw failed;
  if (totals.failed > 0 && totals.failures.length === 0) totals.failures.push("unnamed");
  return totals;
}

async function readReport(folder: string, report: string, shown: string, out: string): Promise<Totals> {
  const stat = await lstat(report).catch(() => undefined);
  if (!stat) throw noTestReport(shown, "was not written by the test command");
  if (!stat.isFile() || !isWithin(folder, await realpath(report))) throw noTestReport(shown, "is not a plain file of the repository");
  if (stat.size > MAX_REPORT_BYTES) throw noTestReport(shown, "is larger than 16 MiB");
  const text = await readFile(report, "utf8");
  const totals = readJunit(text, shown);
  if (totals.total === 0) throw noTestReport(shown, "holds no test");
  await writeFile(join(out, FILES.junit), text);
  return totals;
}

async function packed(build: Build, folder: string, out: string, include: readonly string[], declared: CycloneDx | undefined) {
  const owner = build.cell?.kind === "user" ? build.cell.user : undefined;
  const entries = await entriesOf(folder, include, [await realpath(out)], owner);
  if (!entries.some((entry) => entry.kind === "file")) throw notPackable(include.join(", "), "no file is there");
  const artifact = await pack(folder, entries, join(out, FILES.artifact));
  const files: { path: string; digest: `sha256:${string}` }[] = [];
  if (!declared)
    for (const entry of entries)
      if (entry.kind === "file") files.push({ path: entry.path, digest: (await digestOfFile(join(folder, entry.path))).digest });
  const sbom = declared ?? filesOnly(build.name ?? "artifact", files);
  await writeFile(join(out, FILES.sbom), `${JSON.stringify(sbom)}\n`);
  return { artifact, sbom };
}
