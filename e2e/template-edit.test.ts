import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../scripts/demo/tools.ts";
import { git, type Change, type Plan } from "./outside.ts";
import { startPlatform, type Platform } from "./platform.ts";

let platform: Platform;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-library-"));
  await cp(join(root, "library"), join(folder, "library"), { recursive: true });
  platform = await startPlatform({ env: { CAIRN_LIBRARY: join(folder, "library") } });
  await platform.cairn("org", "create-team", "team-template");
});
afterAll(async () => {
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

test("applying a plan writes the plan's files, also when the golden path's template was edited in between", async () => {
  const skeleton = join(folder, "library", "golden-paths", "http-api", "skeleton", "all");
  const answers = (name: string) => ["-a", `service_name=${name}`, "-a", "owner_team=team-template", "-a", "database=false"];
  const plan = await platform.cairn<Plan>("create", "http-api", ...answers("planned-before"));

  await writeFile(join(skeleton, "src", "added.js"), "export const added = true;\n");
  await writeFile(join(skeleton, "CODEOWNERS"), "* @somebody-else\n");
  await appendFile(join(skeleton, "README.md"), "\nEdited.\n");
  await rm(join(skeleton, "docs", "runbook.md"));
  const later = await platform.cairn<Plan>("create", "http-api", ...answers("planned-after"));
  expect(later.plan.payload.files.map(({ path }) => path)).toContain("src/added.js");

  await platform.cairn("apply", plan.digest);
  await git(platform, folder, "clone", "--quiet", `${platform.url}/git/planned-before.git`, "work");
  const work = join(folder, "work");
  const { head } = await platform.cairn<Change>("changes", "show", "planned-before/1");
  await git(platform, work, "fetch", "--quiet", "origin");
  expect(await git(platform, work, "rev-parse", "HEAD^{tree}")).toBe(plan.plan.payload.firstTree);
  expect(await git(platform, work, "rev-parse", `${head}^{tree}`)).toBe(plan.plan.payload.tree);
  await git(platform, work, "checkout", "--quiet", head);
  expect(await readFile(join(work, "README.md"), "utf8")).not.toContain("Edited.");
  expect(await git(platform, work, "ls-files")).toContain("docs/runbook.md");
});

test("code that exists is imported with its history: planned, created, pushed and checked by one command", async () => {
  const source = join(folder, "old-shop");
  await mkdir(source);
  const commit = async (files: Record<string, string>) => {
    for (const [path, content] of Object.entries(files)) await writeFile(join(source, path), content);
    await git(platform, source, "add", "--all");
    await git(platform, source, "commit", "--quiet", "--message", "Change it");
  };
  await git(platform, folder, "init", "--quiet", "--initial-branch", "trunk", "old-shop");
  await commit({
    "package.json": JSON.stringify({ scripts: { start: "node server.js", test: "node --test" } }),
    "server.js": `require("http").createServer((q, r) => r.end(q.url === "/healthz" ? "ok" : "old")).listen(process.env.PORT, "127.0.0.1");\n`,
    "adds.test.js": `require("node:test").test("adds", () => {});\n`,
  });
  await commit({ "README.md": "# Old shop\n", "cairn.yaml": "kind: Nonsense\n" });

  const asked = ["import", source, "--name", "old-shop", "--team", "team-template"];
  const { plan } = await platform.cairn<{ plan: Plan }>(...asked);
  expect(plan.plan.payload.files.map(({ path }) => path)).toContain("slo.yaml");
  await expect(platform.cairn("service", "old-shop")).rejects.toThrow(/catalog/);

  // What git refuses is said, and after mending it goes on from there.
  await writeFile(join(source, "large.bin"), Buffer.alloc(51 * 2 ** 20));
  await commit({});
  await expect(platform.cairn(...asked, "--apply")).rejects.toThrow(/large\.bin is larger than 50 MiB.*--resume/);
  await git(platform, source, "reset", "--quiet", "--hard", "HEAD~1");
  const made = await platform.cairn<{ commit: string; replaced: { path: string }[]; change: Change }>(...asked, "--apply", "--resume");
  expect(made.replaced.map(({ path }) => path)).toEqual(["cairn.yaml"]);
  expect(made.change).toMatchObject({ head: made.commit, state: "open" });
  expect(made.change.checks.map(({ name, state }) => [name, state]).toSorted()).toEqual([
    ["ci", "passed"],
    ["descriptor", "passed"],
    ["policy", "warned"],
  ]);
  await git(platform, source, "fetch", "--quiet", `${platform.url}/git/old-shop.git`, "cairn/first-change:imported");
  expect(await git(platform, source, "log", "--format=%s", "--first-parent", "imported^2")).toBe("Change it\nChange it");
  expect(await git(platform, source, "show", "imported:README.md")).toBe("# Old shop");
  await expect(platform.cairn(...asked)).rejects.toThrow(/old-shop is taken/);
});
