import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../kernel/processes.ts";
import { events } from "../../ledger/store.ts";
import { testDatabase, type TestDatabase } from "../../testing/database.ts";
import { git } from "../contract-suite.ts";
import { startForge, type Harness } from "./fixture.ts";

let database: TestDatabase;
let harness: Harness;
let shims: string;
beforeAll(async () => {
  database = await testDatabase();
  harness = await startForge(database.db);
  shims = await mkdtemp(join(tmpdir(), "cairn-shims-"));
  // A `git` that does its work and then kills its parent with -9, the first time that it is told to write just that.
  const real = (await run("sh", ["-c", "command -v git"], { env: process.env })).stdout.toString().trim();
  const shim = `#!/bin/sh
${real} "$@"
status=$?
case " $* " in *" init "*|*" fast-import "*|*" update-ref "*|*" hash-object "*) ;; *) exit $status ;; esac
told=$(echo "$*" | sed -E 's/-[0-9a-f]{8}[.]git/.git/')
grep -qxF -e "$told" "${shims}/killed" && exit $status
echo "$told" >>"${shims}/killed"
kill -9 $PPID
`;
  await writeFile(join(shims, "killed"), "");
  await writeFile(join(shims, "git"), shim, { mode: 0o755 });
});
afterAll(async () => {
  await harness.stop();
  await rm(shims, { recursive: true, force: true });
});

const script = fileURLToPath(new URL("./whole-path.fixture.ts", import.meta.url));
const walk = (name: string, path: string | undefined) =>
  run(process.execPath, [script, database.url, harness.folder, name], { env: { ...process.env, PATH: path } });

test("killed with -9 after each write of git, the way from nothing to the first merge is gone once", { timeout: 180_000 }, async () => {
  const { forge } = harness;
  let ended = await walk("orders", `${shims}${delimiter}${process.env.PATH}`);
  for (; ended.signal === "SIGKILL";) ended = await walk("orders", `${shims}${delimiter}${process.env.PATH}`);
  expect(ended).toMatchObject({ code: 0 });
  const writes = (await readFile(join(shims, "killed"), "utf8")).trim().replaceAll(/^--git-dir=\S+ /gm, "");
  expect(writes.split("\n").map((told) => told.split(" ", 2).join(" "))).toEqual([
    "init --quiet",
    "fast-import --quiet",
    "update-ref -d",
    "update-ref refs/heads/main",
    "fast-import --quiet",
    "update-ref -d",
    "update-ref refs/heads/first",
    "update-ref refs/changes/1/head",
    "hash-object -t",
    "update-ref refs/heads/main",
  ]);

  expect(await forge.change("orders", 1)).toMatchObject({ state: "merged", mergeCommit: await forge.head("orders") });
  expect((await git(forge.git.pathOf("orders"), "log", "--format=%s", "main")).out).toBe("First (#1)\nBegin\n");
  expect((await events(database.db)).map(({ type }) => type)).toEqual([
    "forge.repository_created",
    "forge.change_opened",
    "forge.check_reported",
    "forge.change_merged",
  ]);
  expect(await git(forge.git.pathOf("orders"), "fsck", "--strict", "--full")).toMatchObject({ code: 0 });
  await forge.reconcile();
  expect(await readdir(forge.git.aside)).toEqual([]);

  // Without a crash the same calls make the same commits.
  expect(await walk("undisturbed", process.env.PATH)).toMatchObject({ code: 0 });
  expect(await forge.head("undisturbed", "first")).toBe(await forge.head("orders", "first"));
});
