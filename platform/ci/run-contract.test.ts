import { chmod, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { list, type ReadEntry } from "tar";
import { afterAll, describe, expect, test } from "vitest";
import { cairnCheck, cairnCi, type BuildEvent, type BuildResult } from "../offline.ts";
import { aProject } from "./fixture.ts";
import { runContract } from "./run-contract.ts";
import { tailing } from "./tailing.ts";

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-build-"));
  folders.push(folder);
  return folder;
}

async function write(files: Record<string, string>): Promise<string> {
  const folder = await temporary();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

interface Ran {
  result: BuildResult;
  events: BuildEvent[];
  lines: string[];
  out: string;
}

async function ci(folder: string, env: NodeJS.ProcessEnv = process.env): Promise<Ran> {
  const out = await temporary();
  const events: BuildEvent[] = [];
  const result = await cairnCi({ folder, out, env, onEvent: (event) => events.push(event) });
  return { result, events, out, lines: events.flatMap((event) => (event.type === "line" ? [event.text] : [])) };
}

const build = async (ci_: Record<string, unknown> = {}, files: Record<string, string> = {}) => ci(await write(aProject(ci_, files)));

async function entriesIn(file: string): Promise<Pick<ReadEntry, "path" | "mode" | "linkpath">[]> {
  const entries: Pick<ReadEntry, "path" | "mode" | "linkpath">[] = [];
  await list({ file, onReadEntry: (entry) => entries.push({ path: entry.path, mode: entry.mode, linkpath: entry.linkpath }) });
  return entries;
}

/** Whether a process runs: one that has ended and waits for its parent does not. */
const alive = async (pid: number): Promise<boolean> => {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
};

describe("a project in no language", () => {
  test("passes: stages in order, test counts, an artifact and a files-only SBOM that says what it does not know", async () => {
    const { result, events, out } = await build();
    expect(result).toMatchObject({ state: "passed", because: null, tests: { total: 2, failed: 0, skipped: 0, suites: ["checks"] } });
    expect(result.stages.map((stage) => [stage.name, stage.state])).toEqual([
      ["descriptor", "passed"],
      ["build", "passed"],
      ["test", "passed"],
      ["sbom", "skipped"],
      ["package", "passed"],
    ]);
    expect(events.at(-1)).toEqual({ type: "ended", result });
    expect(JSON.parse(await readFile(join(out, "result.json"), "utf8"))).toEqual(result);
    expect(await entriesIn(join(out, "artifact.tar.gz"))).toEqual([
      expect.objectContaining({ path: "dist/", mode: 0o755 }),
      expect.objectContaining({ path: "dist/serve.sh", mode: 0o755 }),
    ]);
    const sbom = JSON.parse(await readFile(join(out, "sbom.json"), "utf8"));
    expect(sbom).toMatchObject({ components: [{ type: "file", name: "dist/serve.sh" }], compositions: [{ aggregate: "unknown" }] });
    expect(result.sbom).toEqual({ declared: false, components: null });
  });

  test("packs to the same bytes elsewhere, at another time and under another umask", async () => {
    const long = `dist/${"deep/".repeat(40)}${"x".repeat(120)}-ü.txt`;
    const files = aProject({}, { "dist/a.txt": "a", [long]: "far" });
    const first = await write(files);
    const second = await write(files);
    await chmod(join(second, "dist/a.txt"), 0o600);
    await utimes(join(second, "dist/a.txt"), 1, 1);
    const [one, two] = [await ci(first), await ci(second)];
    expect(one.result.artifact?.digest).toMatch(/^sha256:/);
    expect(two.result.artifact).toEqual(one.result.artifact);
    expect((await entriesIn(join(one.out, "artifact.tar.gz"))).map((entry) => entry.path)).toContain(long);
  });

  test("takes a declared SBOM as it is, and its components as known", async () => {
    const sbom = {
      bomFormat: "CycloneDX",
      specVersion: "1.6",
      components: [{ type: "library", name: "left", purl: "pkg:npm/left@1.0.0" }],
    };
    const { result, out, lines } = await build({ sbom: "echo working >&2; cat sbom.json" }, { "sbom.json": JSON.stringify(sbom) });
    expect(result.sbom).toEqual({ declared: true, components: 1 });
    expect(JSON.parse(await readFile(join(out, "sbom.json"), "utf8"))).toEqual(sbom);
    expect(lines).toContain("working");
  });

  test("gives its commands nothing of the caller's environment but what is on the list", async () => {
    const folder = await write(aProject({ build: "env > dist.txt", include: ["dist.txt"] }));
    const { result } = await ci(folder, {
      PATH: process.env.PATH,
      SECRET_TOKEN: "leak-me",
      npm_config_registry: "http://registry.example/",
      HTTPS_PROXY: "http://me:leak-me@proxy.example",
      PASSED: "by name",
      CAIRN_CI_PASS: "PASSED",
    });
    expect(result.state).toBe("passed");
    const env = await readFile(join(folder, "dist.txt"), "utf8");
    expect(env).not.toContain("leak-me");
    expect(env).toContain("npm_config_registry=http://registry.example/");
    expect(env).toContain("PASSED=by name");
    expect(env).toContain(`PATH=${dirname(process.execPath)}:`);
  });
});

describe("a build that fails says at which stage, and the last line that was said", () => {
  test.each<[string, Record<string, unknown>, Record<string, string>, string]>([
    ["a build command", { build: "echo one; echo 'no such compiler' >&2; exit 3" }, {}, "build failed: exit status 3: no such compiler"],
    ["a test command", { test: "echo broken; exit 1" }, {}, "test failed: exit status 1: broken"],
    ["no report", { test: "true" }, {}, "test failed: No test report: reports/junit.xml was not written by the test command"],
    [
      "a report that lay there before",
      { test: "true" },
      { "reports/junit.xml": '<testsuite><testcase name="a"/></testsuite>' },
      "was not written by the test command",
    ],
    ["an empty report", { test: "mkdir -p reports; echo '<testsuites/>' > reports/junit.xml" }, {}, "holds no test"],
    ["a report elsewhere", { junit: "../junit.xml" }, {}, "lies outside the repository"],
    ["a report that is a link", { test: "mkdir -p reports; ln -s /etc/hostname reports/junit.xml" }, {}, "is not a plain file"],
    [
      "a failed case that the command hides",
      { test: "sh test.sh; sed -i 's#name=.answers./#name=\"answers\"><failure/></testcase#' reports/junit.xml" },
      {},
      "1 of 2 tests failed: answers",
    ],
    ["an SBOM that is none", { sbom: "echo '{}'" }, {}, "sbom failed: The SBOM command did not print a CycloneDX document: bomFormat"],
    ["a package command", { package: "exit 9" }, {}, "package failed: exit status 9"],
    ["an artifact without files", { build: "mkdir dist" }, {}, "package failed: dist can't go into the artifact: no file is there"],
    ["what is not there", { include: ["nothing"] }, {}, "it does not exist after the build"],
    ["what lies outside", { include: ["../.."] }, {}, "it lies outside the repository"],
    [
      "a link out",
      { build: "mkdir dist; ln -s ../../../../etc/passwd dist/passwd" },
      {},
      "dist/passwd can't go into the artifact: it is a link to",
    ],
    ["an absolute link", { build: "mkdir dist; ln -s /etc/passwd dist/passwd" }, {}, "it is a link to /etc/passwd"],
    ["a folder that leads out", { build: "ln -s /etc dist" }, {}, "it leads out of the repository"],
    ["a pipe", { build: "mkdir dist; mkfifo dist/pipe" }, {}, "neither a file nor a folder nor a link"],
  ])("%s", async (_what, declared, files, because) => {
    const { result } = await build(declared, files);
    expect(result.state).toBe("failed");
    expect(result.because).toContain(because);
    expect(result.artifact).toBeNull();
  });

  test("a time limit holds over all, and what follows is skipped", async () => {
    const events: BuildEvent[] = [];
    // The clock of a build that has almost used up its time when the first command begins.
    const clock = { now: () => new Date(events.some((event) => event.type === "stage" && event.stage.name === "build") ? 9500 : 0) };
    const folder = await write(aProject({ build: "sleep 1000 & echo waiting; wait", timeoutSeconds: 10 }));
    const result = await runContract({
      folder,
      out: await temporary(),
      env: { PATH: process.env.PATH ?? "" },
      clock,
      onEvent: (event) => events.push(event),
    });
    expect(result.because).toBe("build failed: stopped at the time limit of 10 s: waiting");
    expect(result.stages.slice(2).map((stage) => stage.state)).toEqual(["skipped", "skipped", "skipped"]);
  });

  test("links within stay links", async () => {
    const { result, out } = await build({
      build:
        "mkdir -p dist/node_modules/.bin dist/node_modules/tool; echo > dist/node_modules/tool/cli; ln -s ../tool/cli dist/node_modules/.bin/tool",
    });
    expect(result.because).toBeNull();
    expect(await entriesIn(join(out, "artifact.tar.gz"))).toContainEqual(
      expect.objectContaining({ path: "dist/node_modules/.bin/tool", linkpath: "../tool/cli" }),
    );
  });
});

test("a build leaves no process behind, also none that went to a session of its own", async () => {
  const folder = await write(
    aProject({
      build:
        "mkdir -p dist; cp serve.sh dist; (sleep 1000 & echo $! > child.pid); setsid sh -c 'echo $$ > daemon.pid; exec sleep 1000' & while [ ! -s daemon.pid ]; do sleep 0.05; done",
    }),
  );
  const { result } = await ci(folder);
  expect(result.state).toBe("passed");
  for (const file of ["child.pid", "daemon.pid"]) expect(await alive(Number(await readFile(join(folder, file), "utf8")))).toBe(false);
});

test("100 MB of output do not fill memory: the beginning and the end are told", async () => {
  const { result, lines } = await build({
    build: "mkdir -p dist; cp serve.sh dist; yes 'all work and no play' | head -c 100000000; echo; echo the end",
  });
  expect(result.state).toBe("passed");
  expect(lines.join("\n").length).toBeLessThan(6_000_000);
  expect(lines).toContain("the end");
  expect(lines.find((line) => line.endsWith("lines are left out here)"))).toBeDefined();
});

test("tailing() leaves out the middle and counts it", () => {
  const told: string[] = [];
  const output = tailing((text) => told.push(text), 6, 3);
  for (let n = 1; n <= 20; n++) output.line(`${n}`);
  output.end();
  expect(told).toEqual(["1", "2", "3", "(14 lines are left out here)", "18", "19", "20"]);
  expect(output.last()).toBe("20");
});

describe("cairnCheck() names everything that is wrong, with the line", () => {
  test.each([
    [
      "a field that is not known",
      "apiVersion: cairn.dev/v1\nkind: Contract\nci:\n  test: x\n  include: [a]\n  tets: y\nstart: z\n",
      "cairn.yaml:6: ci.tets: is not a known field",
    ],
    ["a wrong type", "apiVersion: cairn.dev/v1\nkind: Contract\nci:\n  test: x\n  include: a\nstart: z\n", "cairn.yaml:5: ci.include:"],
    ["a missing field", "apiVersion: cairn.dev/v1\nkind: Contract\nci:\n  test: x\n  include: [a]\n", "cairn.yaml:1: start:"],
    ["broken YAML", "apiVersion: [\nkind: x", "cairn.yaml:2:"],
    ["a key twice", "kind: a\nkind: b\n", "cairn.yaml:2: Map keys must be unique"],
    ["nothing", "", "cairn.yaml"],
  ])("%s", async (_what, text, problem) => {
    const { problems } = await cairnCheck(await write({ "cairn.yaml": text }));
    expect(problems).toEqual([expect.stringContaining(problem)]);
  });

  test("takes several documents where a file may hold them", async () => {
    const { problems, missing } = await cairnCheck(await write({ ...aProject(), "slo.yaml": "kind: SLO\n---\nkind: SLO\n" }));
    expect(problems).toEqual([]);
    expect(missing).toEqual(["catalog-info.yaml", "score.yaml"]);
  });

  test("all files at once", async () => {
    const folder = await write({ "catalog-info.yaml": "kind: Component\n", "score.yaml": "apiVersion: score.dev/v1b1\n" });
    await symlink("/etc/hostname", join(folder, "slo.yaml"));
    const { problems } = await cairnCheck(folder);
    expect(problems).toEqual([
      "There is no cairn.yaml",
      expect.stringMatching(/^catalog-info.yaml/),
      expect.stringMatching(/^score.yaml/),
      "slo.yaml: it is not a plain file",
    ]);
  });
});
