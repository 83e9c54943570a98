import { appendFile, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
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
