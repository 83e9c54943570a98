import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../kernel/processes.ts";
import { events } from "../../ledger/store.ts";
import { testDatabase, type TestDatabase } from "../../testing/database.ts";
import { at, author, git, someFiles } from "../contract-suite.ts";
import { people, startForge, type Harness } from "./fixture.ts";

let database: TestDatabase;
let harness: Harness;
let shims: string;
beforeAll(async () => {
  database = await testDatabase();
  harness = await startForge(database.db);
  shims = await mkdtemp(join(tmpdir(), "cairn-shims-"));
});
afterAll(async () => {
  await harness.stop();
  await rm(shims, { recursive: true, force: true });
});

/** A `git` that kills its parent with -9 before or after the command whose arguments hold `word`. */
async function killingGit(word: string, when: "before" | "after"): Promise<NodeJS.ProcessEnv> {
  const real = (await run("sh", ["-c", "command -v git"], { env: process.env })).stdout.toString().trim();
  const kill = `case " $* " in *" ${word} "*) kill -9 $PPID ;; esac`;
  const script = when === "before" ? `${kill}\nexec ${real} "$@"` : `${real} "$@"; status=$?\n${kill}\nexit $status`;
  await writeFile(join(shims, "git"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { ...process.env, PATH: `${shims}${delimiter}${process.env.PATH}` };
}

test.each([
  ["hash-object", "before"],
  ["hash-object", "after"],
  ["update-ref", "before"],
  ["update-ref", "after"],
] as const)("a merge whose process is killed with -9 at git %s, %s it, is finished by the next call, once", async (word, when) => {
  const name = `${word}-${when}`;
  const { forge, ground } = harness;
  const { commit: first } = await forge.createRepository({
    name,
    owner: "group:default/team-a",
    files: someFiles(),
    message: "Begin",
    author,
    at,
  });
  const { commit: head } = await forge.createBranch({
    repository: name,
    branch: "better",
    files: someFiles({ "a.txt": "a" }),
    message: "Change",
    author,
    at,
  });
  await forge.openChange({ repository: name, branch: "better", title: "Better", description: "", author: author.ref });
  await forge.setCheck(name, head, { name: "ci", state: "passed", summary: "", details: [], link: null });

  const script = fileURLToPath(new URL("./merge-and-die.fixture.ts", import.meta.url));
  const died = await run(process.execPath, [script, database.url, harness.folder, name, head], { env: await killingGit(word, when) });
  expect(died).toMatchObject({ signal: "SIGKILL" });

  await Promise.all([forge.reconcile(), forge.merge({ repository: name, number: 1, head, merger: people.ada, ...ground })]);
  const main = await forge.head(name);
  expect(await forge.change(name, 1)).toMatchObject({ state: "merged", mergeCommit: main });
  expect((await git(forge.git.pathOf(name), "log", "-1", "--format=%P", "main")).out.trim()).toBe(first);
  expect((await events(database.db, { about: `repository:${name}` })).filter(({ type }) => type === "forge.change_merged")).toHaveLength(1);
});
