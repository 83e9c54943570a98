import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Db } from "../../kernel/sql.ts";
import { events } from "../../ledger/store.ts";
import { database } from "../../testing/database.ts";
import { at, author, git, someFiles } from "../contract-suite.ts";
import { people, startForge, type Harness } from "./fixture.ts";
import { localForge } from "./forge.ts";
import { branchHead, moveBranch } from "./history.ts";
import { prepareMerge } from "./merge.ts";

let db: Db;
let harness: Harness;
let count = 0;
beforeAll(async () => {
  db = await database();
  harness = await startForge(db);
});
afterAll(() => harness.stop());

const aRepository = async (files = someFiles()) => {
  const name = `pay-${++count}`;
  const { commit } = await harness.forge.createRepository({ name, owner: "group:default/team-a", files, message: "Begin", author, at });
  return { name, commit };
};
/** A branch with these files on top of the first ones, and its change request with a check that passed. */
const aChange = async (repository: string, files: Record<string, string>, branch = "better", files_ = someFiles(files)) => {
  await harness.forge.createBranch({ repository, branch, files: files_, message: "Change", author, at });
  const change = await harness.forge.openChange({
    repository,
    branch,
    title: "Make it better",
    description: "Because.",
    author: author.ref,
  });
  await pass(repository, change.head);
  return change;
};
const pass = (repository: string, head: string) =>
  harness.forge.setCheck(repository, head, { name: "ci", state: "passed", summary: "", details: [], link: null });
const merge = (repository: string, number: number, head: string, merger = people.ada) =>
  harness.forge.merge({ repository, number, head, merger, ...harness.ground });
const said = async (repository: string) =>
  (await events(db, { about: `repository:${repository}` })).map(({ type, actor }) => `${type} by ${actor}`);
const bare = (repository: string) => harness.forge.git.pathOf(repository);

test("merge() squashes the change into one commit of main, recorded with its warnings, and once however often it is asked", async () => {
  const { name, commit } = await aRepository();
  const change = await aChange(name, { "src/main.ts": "export const answer = 43;\n" });
  await expect(merge(name, 1, "0".repeat(40))).rejects.toMatchObject({ code: "forge.head_moved" });
  const [merged, same] = await Promise.all([merge(name, 1, change.head), merge(name, 1, change.head)]);
  expect(same).toEqual(merged);
  expect(await merge(name, 1, change.head)).toEqual(merged);
  expect(merged).toMatchObject({
    state: "merged",
    base: commit,
    head: change.head,
    warnings: [expect.stringContaining("author alone")],
    mergeCommit: await harness.forge.head(name),
  });
  const shown = (await git(bare(name), "log", "-1", "--format=%P%n%an <%ae>%n%B", merged.mergeCommit!)).out;
  expect(shown).toBe(
    `${commit}\nada <ada@default.user.invalid>\nMake it better (#1)\n\nBecause.\n\nChange-Request: ${name}#1\nHead: ${change.head}\nMerged-By: ada <user:default/ada>\n\n`,
  );
  expect(await said(name)).toEqual([
    "forge.repository_created by user:default/ada",
    "forge.change_opened by user:default/ada",
    "forge.check_reported by system:forge",
    "forge.change_merged by user:default/ada",
  ]);
  await expect(harness.forge.close({ repository: name, number: 1, by: author.ref })).rejects.toMatchObject({
    code: "forge.change_not_open",
  });
  await expect(harness.forge.approve({ repository: name, number: 1, head: change.head, by: people.grace })).rejects.toMatchObject({
    code: "forge.change_not_open",
  });
});

test("two merges at once both land, one on top of the other", async () => {
  const { name } = await aRepository();
  const one = await aChange(name, { "one.txt": "1" }, "one");
  const two = await aChange(name, { "two.txt": "2" }, "two");
  const ended = await Promise.all([merge(name, 1, one.head), merge(name, 2, two.head)]);
  expect(ended.map(({ state }) => state)).toEqual(["merged", "merged"]);
  expect((await harness.forge.listFiles(name, "main")).map(({ path }) => path)).toEqual(expect.arrayContaining(["one.txt", "two.txt"]));
  expect((await git(bare(name), "rev-list", "--count", "main")).out.trim()).toBe("3");
  for (const [number, path] of [
    [1, "one.txt"],
    [2, "two.txt"],
  ] as const)
    expect((await harness.forge.diff(name, number)).files).toMatchObject([{ path, status: "added" }]);
});

test("a conflict is told when main moves, with the files, and refuses the merge", async () => {
  const { name } = await aRepository();
  const one = await aChange(name, { "README.md": "# One\n" }, "one");
  const two = await aChange(name, { "README.md": "# Two\n", "other.txt": "fine" }, "two");
  expect(two.mergeable).toBe(true);
  await merge(name, 1, one.head);
  expect((await harness.forge.changes({ repository: name, state: "open" }))[0]).toMatchObject({
    mergeable: false,
    conflicts: ["README.md"],
  });
  await expect(merge(name, 2, two.head)).rejects.toMatchObject({ code: "forge.conflicts", message: expect.stringContaining("README.md") });
});

test("a tier-1 change needs a code owner's approval of the head: not the author's, not a stranger's, not of an older head", async () => {
  const { name } = await aRepository();
  const change = await aChange(name, { "src/main.ts": "changed\n", CODEOWNERS: "* @eve\n" });
  harness.ground.tier = "tier-1";
  try {
    const approve = (by: (typeof people)["ada"], head = change.head) => harness.forge.approve({ repository: name, number: 1, head, by });
    await expect(approve(people.ada)).rejects.toMatchObject({ code: "forge.own_approval" });
    await expect(approve({ ...people.grace, kind: "system", ref: "system:create" })).rejects.toMatchObject({
      code: "forge.system_approval",
    });
    await approve(people.eve); // the change names her, main does not
    const review = await harness.forge.review(name, 1, author.ref, harness.ground);
    expect(review).toMatchObject({
      tier: "tier-1",
      merge: { allowed: false, code: "forge.approval_missing" },
      codeOwners: [{ owners: ["@team-a"], fileCount: 2, approvedBy: [] }],
    });
    await expect(merge(name, 1, change.head)).rejects.toMatchObject({ code: "forge.approval_missing" });
    await approve(people.grace);

    const into = join(harness.folder, `.clone-${name}`);
    await git(harness.folder, "clone", "--quiet", "--branch", "better", harness.urlFor(name, "linus"), into);
    await git(into, "commit", "--quiet", "--allow-empty", "-m", "More");
    await git(into, "push", "--quiet", "origin", "better");
    const { head } = await harness.forge.change(name, 1);
    expect(head).not.toBe(change.head);
    expect(await git(into, "fetch", "--quiet", "origin", "refs/changes/1/head")).toMatchObject({ code: 0 });
    await pass(name, head);
    await expect(merge(name, 1, change.head)).rejects.toMatchObject({ code: "forge.head_moved" });
    await expect(merge(name, 1, head)).rejects.toMatchObject({ code: "forge.approval_missing" });
    await expect(approve(people.linus, head)).rejects.toMatchObject({ code: "forge.own_approval" }); // it is his commit
    await expect(approve(people.grace, change.head)).rejects.toMatchObject({ code: "forge.head_moved" });
    await approve(people.grace, head);
    await approve(people.grace, head);
    expect(await merge(name, 1, head)).toMatchObject({ state: "merged", warnings: [] });
    expect((await said(name)).filter((line) => /approved|updated/.test(line))).toEqual([
      "forge.change_approved by user:default/eve",
      "forge.change_approved by user:default/grace",
      "forge.change_updated by user:default/linus",
      "forge.change_approved by user:default/grace",
    ]);
  } finally {
    harness.ground.tier = "tier-3";
  }
});

test("who pushed a branch before somebody else opened its change can't approve it", async () => {
  const { name } = await aRepository();
  const into = join(harness.folder, `.clone-${name}`);
  await git(harness.folder, "clone", "--quiet", harness.urlFor(name, "grace"), into);
  await git(into, "commit", "--quiet", "--allow-empty", "-m", "Nothing");
  await writeFile(join(into, "README.md"), "# Mine\n");
  await git(into, "commit", "--quiet", "-am", "Mine");
  await git(into, "push", "--quiet", "origin", "HEAD:refs/heads/mine");
  const { number, head } = await harness.forge.openChange({
    repository: name,
    branch: "mine",
    title: "Mine",
    description: "",
    author: author.ref,
  });
  await expect(harness.forge.approve({ repository: name, number, head, by: people.grace })).rejects.toMatchObject({
    code: "forge.own_approval",
  });
  expect(await harness.forge.approve({ repository: name, number, head, by: people.linus })).toMatchObject({
    approvals: [{ by: people.linus.ref }],
  });
});

test("an approval is of one result of merging: where main has moved, what was approved is void, and another is wanted", async () => {
  const { name } = await aRepository();
  const other = await aChange(name, { "other.txt": "other" }, "other");
  const change = await aChange(name, { "a.txt": "a" });
  harness.ground.tier = "tier-1";
  try {
    const approve = (by: (typeof people)["grace"], number: number, result?: string) =>
      harness.forge.approve({ repository: name, number, head: number === 1 ? other.head : change.head, by, result });
    const seen = (await harness.forge.change(name, 2)).result!;
    await approve(people.grace, 1);
    await approve(people.grace, 2, seen);
    expect(await harness.forge.review(name, 2, people.ada.ref, harness.ground)).toMatchObject({ merge: { allowed: true } });
    await merge(name, 1, other.head);
    expect(await harness.forge.review(name, 2, people.ada.ref, harness.ground)).toMatchObject({
      merge: { allowed: false, code: "forge.approval_missing", because: expect.stringContaining("main has moved since") },
      codeOwners: [{ approvedBy: [] }],
    });
    await expect(merge(name, 2, change.head)).rejects.toMatchObject({ code: "forge.approval_missing" });
    await expect(approve(people.grace, 2, seen)).rejects.toMatchObject({ code: "forge.result_moved" });
    await approve(people.grace, 2, (await harness.forge.change(name, 2)).result!);
    expect(await merge(name, 2, change.head)).toMatchObject({ state: "merged" });
    expect(await harness.forge.readFile(name, "main", "other.txt")).toBe("other");
  } finally {
    harness.ground.tier = "tier-3";
  }
});

test("prepareMerge() prepares nothing where main moved after the answer, or a merge would give something else", async () => {
  const { name, commit } = await aRepository();
  const change = await aChange(name, { "a.txt": "a" });
  const { merge: answer, ...facts } = await harness.forge.review(name, 1, author.ref, harness.ground);
  const prepare = (over: { main?: string; result?: string }) =>
    prepareMerge(db, harness.clock, harness.forge.git, {
      change: { ...facts, ...(over.result && { result: over.result }) },
      answer,
      head: change.head,
      merger: people.ada,
      main: over.main ?? commit,
    });
  expect(await prepare({ main: "0".repeat(40) })).toBe("moved");
  expect(await prepare({ result: "0".repeat(40) })).toBe("moved");
  expect(await harness.forge.change(name, 1)).toMatchObject({ state: "open" });
});

test("who has left the group since approves nothing any more: membership is asked at the merge", async () => {
  const { name } = await aRepository();
  const change = await aChange(name, { "a.txt": "a" });
  const groups = new Map([[people.grace.ref, ["group:default/team-a"]]]);
  const ground = {
    tierOf: async () => "tier-2" as const,
    needsCodeOwner: () => true,
    directory: { groupsOf: async (ref: string) => groups.get(ref) ?? [] },
  };
  const mergeNow = () => harness.forge.merge({ repository: name, number: 1, head: change.head, merger: people.ada, ...ground });
  await harness.forge.approve({ repository: name, number: 1, head: change.head, by: people.grace });
  expect(await harness.forge.review(name, 1, people.ada.ref, ground)).toMatchObject({ merge: { allowed: true } });
  groups.clear();
  await expect(mergeNow()).rejects.toMatchObject({ code: "forge.approval_missing" });
  groups.set(people.grace.ref, ["group:default/team-a"]);
  expect(await mergeNow()).toMatchObject({ state: "merged" });
});

test("the author's token, under whatever name, approves nothing", async () => {
  const { name } = await aRepository();
  const change = await aChange(name, { "a.txt": "a" });
  const approve = (by: Parameters<typeof harness.forge.approve>[0]["by"]) =>
    harness.forge.approve({ repository: name, number: 1, head: change.head, by });
  await expect(approve({ ...people.ada, ref: author.ref, kind: "token" })).rejects.toMatchObject({ code: "forge.own_approval" });
  await expect(approve({ ...people.grace, kind: "token", tokenBy: author.ref })).rejects.toMatchObject({ code: "forge.own_approval" });
  expect(await approve({ ...people.grace, kind: "token", tokenBy: people.eve.ref })).toMatchObject({
    approvals: [{ by: people.grace.ref, tokenBy: people.eve.ref }],
  });
});

test.each(["before main moved", "after main moved"])("a merge that a crash cut off %s is finished by reconcile(), once", async (when) => {
  const { name } = await aRepository();
  const change = await aChange(name, { "a.txt": "a" });
  const { forge, clock, ground } = harness;
  const { merge: answer, ...facts } = await forge.review(name, 1, author.ref, ground);
  await prepareMerge(db, clock, forge.git, {
    change: facts,
    answer,
    head: change.head,
    merger: people.ada,
    main: (await forge.head(name))!,
  });
  const { merging } = await db.selectFrom("forge_change").select("merging").where("repository", "=", name).executeTakeFirstOrThrow();
  if (when.startsWith("after")) expect(await moveBranch(forge.git, name, "main", merging!.parent, merging!.commit)).toBe(true);
  await expect(forge.close({ repository: name, number: 1, by: author.ref })).rejects.toMatchObject({ code: "forge.change_not_open" });

  const another = await localForge({ db, clock, folder: harness.folder, publicUrl: harness.url });
  await Promise.all([another.reconcile(), forge.reconcile(), merge(name, 1, change.head)]);
  expect(await another.change(name, 1)).toMatchObject({ state: "merged", mergeCommit: merging!.commit });
  expect(await another.head(name)).toBe(merging!.commit);
  expect((await said(name)).filter((line) => line.includes("merged"))).toHaveLength(1);
});

test("reconcile() records a push that a crash kept from the database, and closes a change whose branch is gone", async () => {
  const { name, commit } = await aRepository();
  const change = await aChange(name, { "a.txt": "a" }, "one");
  const { commit: next } = await harness.forge.createBranch({
    repository: name,
    branch: "spare",
    files: someFiles({ "a.txt": "b" }),
    message: "b",
    author,
    at,
  });
  await aChange(name, { "c.txt": "c" }, "two");
  await git(bare(name), "update-ref", "refs/heads/one", next, change.head);
  await git(bare(name), "update-ref", "-d", "refs/heads/two");
  await mkdir(join(harness.forge.git.aside, `new-${name}-0123abcd.git`));
  await harness.forge.reconcile();
  await harness.forge.reconcile();
  expect(await readdir(harness.forge.git.aside)).not.toContainEqual(expect.stringMatching(/^new-/));
  expect(await harness.forge.change(name, 1)).toMatchObject({ head: next, base: commit, state: "open" });
  expect(await harness.forge.change(name, 2)).toMatchObject({ state: "closed" });
  expect((await said(name)).slice(-2)).toEqual(["forge.change_updated by system:forge", "forge.change_closed by system:forge"]);
  expect((await git(bare(name), "rev-parse", "refs/changes/1/head")).out.trim()).toBe(next);
});

test("createRepository() goes on where a crash left a folder without a row, and puts what it does not know aside", async () => {
  const { name, commit } = await aRepository();
  const left = (await readdir(harness.forge.git.aside)).length;
  await db.deleteFrom("forge_repository").where("name", "=", name).execute();
  await expect(harness.forge.head(name)).rejects.toMatchObject({ code: "forge.repository_missing" });
  expect(
    await harness.forge.createRepository({ name, owner: "group:default/team-a", files: someFiles(), message: "Begin", author, at }),
  ).toMatchObject({ commit });
  expect(await readdir(harness.forge.git.aside)).toHaveLength(left + 1);
});

test("diff() shows text, counts binary files and renames, and leaves out what is too large to show", async () => {
  const lines = (n: number, text: string) => Array.from({ length: n }, (_, line) => `${text} ${line}\n`).join("");
  const { name, commit } = await aRepository(someFiles({ "old-name.txt": lines(50, "same"), "gone.txt": "gone\n", "tricky.txt": "a\n" }));
  const files = someFiles({
    "new-name.txt": lines(50, "same"),
    "README.md": "# Better\n",
    "huge.txt": lines(40_000, "a long line of text, to be sure"),
    "tricky.txt": "a\rdiff --git a/x b/x\n\u2028diff --git a/y b/y\n",
    "ünï.txt": "ü\n",
  });
  files.push({ path: "logo.png", mode: "100644", encoding: "base64", content: Buffer.from([0, 1, 2, 255]).toString("base64") });
  files.push({ path: "zz.sh", mode: "100755", encoding: "utf8", content: "" });
  await aChange(name, {}, "better", files);
  const diff = await harness.forge.diff(name, 1);
  expect(diff).toMatchObject({ base: commit, fileCount: 8, truncated: false });
  const file = (path: string) => diff.files.find((one) => one.path === path);
  expect(file("README.md")).toMatchObject({
    status: "modified",
    additions: 1,
    deletions: 1,
    patch: expect.stringMatching(/^diff --git[^]*-# Orders\n\+# Better\n$/),
  });
  expect(file("logo.png")).toMatchObject({ status: "added", binary: true, additions: null, patch: null, truncated: false });
  expect(file("huge.txt")).toMatchObject({ additions: 40_000, patch: null, truncated: true });
  expect(file("new-name.txt")).toMatchObject({ status: "renamed", previousPath: "old-name.txt", additions: 0 });
  expect(file("gone.txt")).toMatchObject({ status: "deleted", deletions: 1 });
  expect(file("tricky.txt")).toMatchObject({ status: "modified", patch: expect.stringContaining("diff --git a/y b/y") });
  expect(file("ünï.txt")).toMatchObject({ patch: expect.stringContaining("+ü") });
  expect(file("zz.sh")).toMatchObject({ status: "added", additions: 0, patch: expect.stringContaining("new file mode 100755") });
});

test("changes() finds by repository, state and branch, newest first, and a closed change makes room for another", async () => {
  const { name } = await aRepository();
  await aChange(name, { "a.txt": "a" }, "one");
  harness.clock.turn(60);
  await aChange(name, { "b.txt": "b" }, "two");
  await harness.forge.close({ repository: name, number: 1, by: "user:default/ada" });
  harness.clock.turn(60);
  const again = await harness.forge.openChange({ repository: name, branch: "one", title: "Again", description: "", author: author.ref });
  expect(again.number).toBe(3);
  const numbers = async (filter: object) => (await harness.forge.changes({ repository: name, ...filter })).map(({ number }) => number);
  expect(await numbers({})).toEqual([3, 2, 1]);
  expect(await numbers({ state: "open" })).toEqual([3, 2]);
  expect(await numbers({ branch: "one", limit: 1 })).toEqual([3]);
  expect((await harness.forge.repository(name)).openChanges).toBe(2);
  expect((await harness.forge.repositories()).map((one) => one.name)).toContain(name);
});

test("git fsck finds nothing in what the forge wrote", async () => {
  const { name } = await aRepository();
  const change = await aChange(name, { "a/b/c.txt": "c", "a.b/x": "x", "a-b": "y" });
  await merge(name, 1, change.head);
  expect(await git(bare(name), "fsck", "--strict", "--full")).toMatchObject({ code: 0, said: expect.not.stringMatching(/error|warning/) });
  expect(await branchHead(harness.forge.git, name, "refs/platform/writing")).toBeUndefined();
});
