import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { detect } from "./detect.ts";
import { joinHistories } from "./joined.ts";
import { fetchSource } from "./source.ts";

const execute = promisify(execFile);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-import-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("detect()", () => {
  const detected = (files: Record<string, string>) =>
    detect({ paths: Object.keys(files), read: (path) => Promise.resolve(files[path]) }).then(({ answers }) => answers);

  test("reads package.json, the lock beside it, and the path that code answers health at", async () => {
    const scripts = { start: "node src/main.js", build: "tsc", test: "vitest" };
    const files = { "package.json": JSON.stringify({ scripts }), "package-lock.json": "{}", "src/main.js": `if (url === "/readyz") ok()` };
    expect(await detected(files)).toEqual({
      runtime: "nodejs",
      build: "npm ci && npm run build",
      start: "node src/main.js",
      test: "npx vitest run --reporter=junit --outputFile=reports/junit.xml",
      health_path: "/readyz",
    });
  });

  test.each([
    [
      { "go.mod": "module x", "cmd/api/main.go": "" },
      { build: "go build -o bin/service ./cmd/api", start: "./bin/service", include: "bin" },
    ],
    [
      { "requirements.txt": "flask\npytest\n", "app.py": "" },
      { start: "env PYTHONPATH=.deps python3 app.py", test: "PYTHONPATH=.deps:. python3 -m pytest --junitxml=reports/junit.xml" },
    ],
    [
      { Makefile: "build: x\n\ntest:\n", Dockerfile: 'FROM x\nCMD ["./run", "it\'s"]\n' },
      { build: "make build", test: "make test", start: String.raw`./run 'it'\''s'` },
    ],
    [{ Procfile: "web: ruby app.rb\n", "package.json": '{"scripts":{"start":"node x"}}' }, { start: "ruby app.rb" }],
  ])("proposes from %j", async (files, proposed) => {
    expect(await detected(files as Record<string, string>)).toMatchObject(proposed);
  });

  test.each([[{}], [{ "package.json": "{" }], [{ "package.json": '{"scripts":{"test":"jest"}}' }], [{ "go.mod": "module x" }]])(
    "proposes no test and no start where %j says none",
    async (files) => {
      const { answers } = await detect({
        paths: Object.keys(files),
        read: (path) => Promise.resolve((files as Record<string, string>)[path]),
      });
      expect([answers.test, answers.start, answers.health_path]).toEqual([undefined, undefined, undefined]);
    },
  );
});

test("fetchSource() names what can't be imported", async () => {
  const fetched = (from: string, branch?: string) => fetchSource(from, join(folder, `${Math.random()}.git`), branch);
  const refused = async (from: string, code: string) => expect(fetched(from), from).rejects.toMatchObject({ code: `cli.import_${code}` });
  await refused(join(folder, "nowhere"), "no_repository");
  await refused(folder, "no_repository");
  await refused("ext::sh -c id", "not_cloned");
  await refused(await repository("empty", []), "empty");
  await refused(await repository("lfs", [{ "sub/.gitattributes": "*.bin filter=lfs\n" }]), "lfs");
  const nested = await repository("nested", [{ a: "a" }]);
  await git(nested, "update-index", "--add", "--cacheinfo", `160000,${await git(nested, "rev-parse", "HEAD")},mod`);
  await git(nested, "commit", "--quiet", "--message", "submodule");
  await refused(nested, "submodule");
  const plain = await repository("plain", [{ a: "1" }, { a: "2" }]);
  await git(folder, "clone", "--quiet", "--depth", "1", `file://${plain}`, "shallow");
  await refused(join(folder, "shallow"), "shallow");
  await git(plain, "checkout", "--quiet", "--detach", "HEAD~1");
  await refused(plain, "detached");
  expect(await fetched(plain, "trunk")).toMatchObject({ branch: "trunk", commits: 2 });
  await expect(fetched(plain, "nope")).rejects.toMatchObject({ code: "cli.import_branch" });
});

test("joinHistories() keeps both histories: the repository's files win, but for descriptors of something else", async () => {
  const theirs = await repository("theirs", [
    { "main.js": "1" },
    {
      "main.js": "2",
      CODEOWNERS: "* @ann\n",
      "docs/runbook.md": "mine\n",
      "cairn.yaml": "start: 1\n",
      observability: "a file\n",
      "cairn.lock": "{}",
    },
  ]);
  const generated = await repository("generated", [
    {
      CODEOWNERS: "* @shop\n",
      "docs/runbook.md": "ours\n",
      "docs/index.md": "ours\n",
      "cairn.yaml": "ours\n",
      "observability/rules.yaml": "ours\n",
      "cairn.lock": "ours\n",
    },
  ]);
  const source = await fetchSource(theirs, join(folder, "joined.git"));
  await git(source.folder, "fetch", "--quiet", generated, "trunk:ours");
  const author = { name: "Ann", email: "ann@example.com" };
  const joined = await joinHistories(source, await git(source.folder, "rev-parse", "ours"), { service: "shop", owner: "shop" }, author);
  expect(joined).toMatchObject({ kept: ["CODEOWNERS", "docs/runbook.md", "observability"], foreignOwners: true });
  expect(joined.replaced.map(({ path }) => path)).toEqual(["cairn.lock", "cairn.yaml"]);
  const text = (path: string) => git(source.folder, "show", `${joined.commit}:${path}`);
  expect(await Promise.all(["main.js", "CODEOWNERS", "docs/runbook.md", "docs/index.md", "cairn.yaml", "observability"].map(text))).toEqual(
    ["2", "* @ann", "mine", "ours", "ours", "a file"],
  );
  expect(Number(await git(source.folder, "rev-list", "--count", joined.commit))).toBe(4);
});

/** A repository with a commit for each set of files, on trunk. */
async function repository(name: string, commits: Record<string, string>[]): Promise<string> {
  const at = join(folder, name);
  await mkdir(at);
  await git(at, "init", "--quiet", "--initial-branch", "trunk");
  for (const files of commits) {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(at, path)), { recursive: true });
      await writeFile(join(at, path), content);
    }
    await git(at, "add", "--all");
    await git(at, "commit", "--quiet", "--message", "Change it");
  }
  return at;
}

async function git(cwd: string, ...args: string[]): Promise<string> {
  return (await execute("git", ["-c", "user.name=T", "-c", "user.email=t@example.com", ...args], { cwd })).stdout.trim();
}
