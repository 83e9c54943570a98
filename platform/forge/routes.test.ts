import { afterAll, beforeAll, expect, test } from "vitest";
import { database } from "../testing/database.ts";
import { at, author, someFiles } from "./contract-suite.ts";
import { startForge, type Harness } from "./local/fixture.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startForge(await database());
  await harness.forge.createRepository({ name: "orders", owner: "group:default/team-a", files: someFiles(), message: "Begin", author, at });
  await harness.forge.createBranch({
    repository: "orders",
    branch: "better",
    files: someFiles({ "a.txt": "a\n" }),
    message: "Change",
    author,
    at,
  });
});
afterAll(() => harness.stop());

async function ask(method: "GET" | "POST", url: string, body?: object, who = "ada") {
  const answer = await harness.app.inject({
    method,
    url: `/api${url}`,
    headers: { authorization: `Bearer ${who}` },
    ...(body && { payload: body }),
  });
  return { status: answer.statusCode, body: answer.json() };
}

test("repositories and their files are read over HTTP, and what is not there is told", async () => {
  const head = await harness.forge.head("orders");
  expect((await ask("GET", "/repositories")).body.repositories).toMatchObject([
    { name: "orders", owner: "group:default/team-a", head, openChanges: 0, cloneUrl: `${harness.url}/git/orders.git` },
  ]);
  expect((await ask("GET", "/repositories/orders")).body).toMatchObject({ defaultBranch: "main", head });
  expect(await ask("GET", "/repositories/nothing")).toMatchObject({ status: 404, body: { code: "forge.repository_missing" } });
  expect((await ask("GET", "/repositories/orders/files?revision=better")).body.files.map(({ path }: { path: string }) => path)).toEqual([
    "CODEOWNERS",
    "README.md",
    "a.txt",
    "src/main.ts",
  ]);
  expect((await ask("GET", "/repositories/orders/file?path=README.md")).body).toEqual({
    path: "README.md",
    commit: head,
    text: "# Orders\n",
  });
  expect(await ask("GET", "/repositories/orders/file?path=../../etc/passwd")).toMatchObject({
    status: 404,
    body: { code: "forge.file_missing" },
  });
  expect(await ask("GET", "/repositories/orders/files?revision=--help")).toMatchObject({
    status: 404,
    body: { code: "forge.revision_missing" },
  });
});

test("a change request goes from open to merged over HTTP", async () => {
  expect(await ask("POST", "/changes", { repository: "orders", branch: "better", title: " " })).toMatchObject({ status: 422 });
  expect(await ask("POST", "/changes", { repository: "nothing", branch: "better", title: "x" })).toMatchObject({ status: 404 });
  const opened = await ask("POST", "/changes", { repository: "orders", branch: "better", title: "Better" });
  expect(opened).toMatchObject({
    status: 201,
    body: { number: 1, author: "user:default/ada", createdAt: harness.clock.now().toISOString() },
  });
  const { head } = opened.body;
  expect((await ask("GET", "/changes?state=open&repository=orders")).body.changes).toHaveLength(1);
  expect((await ask("GET", "/changes?state=merged")).body.changes).toEqual([]);
  expect((await ask("GET", "/changes?team=shop")).body.changes).toHaveLength(1);
  expect((await ask("GET", "/changes?team=shop&repository=other")).body.changes).toEqual([]);
  expect((await ask("GET", "/changes?before=orders/1")).body.changes).toEqual([]);
  expect(await ask("GET", "/changes?before=1")).toMatchObject({ status: 422 });
  expect((await ask("GET", "/changes/orders/1/diff")).body.files).toMatchObject([
    { path: "a.txt", status: "added", additions: 1, patch: expect.stringContaining("+a") },
  ]);
  expect((await ask("GET", "/changes/orders/1")).body).toMatchObject({
    tier: "tier-3",
    merge: { allowed: false, code: "forge.checks_missing" },
    codeOwners: [{ owners: ["@team-a"], files: ["a.txt"] }],
  });
  expect(await ask("POST", "/changes/orders/1/merge", { head })).toMatchObject({ status: 412, body: { code: "forge.checks_missing" } });
  expect(await ask("POST", "/changes/orders/1/merge", { head: "main" })).toMatchObject({ status: 422 });
  expect(await ask("POST", "/changes/orders/1/approve", { head })).toMatchObject({ status: 403, body: { code: "forge.own_approval" } });
  expect((await ask("POST", "/changes/orders/1/approve", { head }, "grace")).body).toMatchObject({
    approvals: [{ by: "user:default/grace", commit: head }],
  });
  await harness.forge.setCheck("orders", head, { name: "ci", state: "passed", summary: "", details: [], link: null });
  expect((await ask("GET", "/changes/orders/1")).body.merge).toMatchObject({ allowed: true, warnings: [] });
  expect(await ask("POST", "/changes/orders/1/merge", { head })).toMatchObject({
    status: 200,
    body: { state: "merged", mergeCommit: expect.stringMatching(/^[0-9a-f]{40}$/) },
  });
  expect(await ask("POST", "/changes/orders/1/close")).toMatchObject({ status: 409, body: { code: "forge.change_not_open" } });
  expect((await ask("GET", "/changes/orders/1/diff")).body.files).toHaveLength(1);
  expect(await ask("GET", "/changes/orders/2")).toMatchObject({ status: 404, body: { code: "forge.change_missing" } });
  expect(await ask("GET", "/changes/orders/99999999999")).toMatchObject({ status: 422 });
});
