import { randomBytes } from "node:crypto";
import { appendFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { run } from "../../kernel/processes.ts";
import { database } from "../../testing/database.ts";
import { at, author, git, someFiles } from "../contract-suite.ts";
import { startForge, type Harness } from "./fixture.ts";

const MAX_PUSH_BYTES = 2 * 1024 * 1024;
let harness: Harness;
let folder: string;
let count = 0;
beforeAll(async () => {
  harness = await startForge(await database(), { maxPushBytes: MAX_PUSH_BYTES });
  folder = await mkdtemp(join(tmpdir(), "cairn-git-"));
});
afterAll(async () => {
  await harness.stop();
  await rm(folder, { recursive: true, force: true });
});

const aRepository = async () => {
  const name = `web-${++count}`;
  await harness.forge.createRepository({ name, owner: "group:default/team-a", files: someFiles(), message: "Begin", author, at });
  return name;
};
const aClone = async (name: string, ...options: string[]) => {
  const into = join(folder, `${name}-${++count}`);
  expect(await git(folder, "clone", "--quiet", ...options, harness.urlFor(name), into)).toMatchObject({ code: 0 });
  return into;
};
const basic = `Basic ${Buffer.from("x:ada").toString("base64")}`;

test("without a token git is asked for one, and a wrong one tells how to get one", async () => {
  const name = await aRepository();
  const asked = await fetch(`${harness.url}/git/${name}.git/info/refs?service=git-upload-pack`);
  expect(asked.status).toBe(401);
  expect(asked.headers.get("www-authenticate")).toMatch(/^Basic realm=/);
  expect((await git(folder, "ls-remote", harness.urlFor(name, "nobody"))).said).toMatch(/remote: Git needs a Cairn token[^]*cairn login/);
  for (const service of ["git-upload-pack", "git-receive-pack"])
    expect(
      (
        await fetch(`${harness.url}/git/${name}.git/${service}`, {
          method: "POST",
          headers: { "content-type": `application/x-${service}-request` },
          body: "0000",
        })
      ).status,
    ).toBe(401);
});

test("other paths, other services and other types are refused in words", async () => {
  const name = await aRepository();
  const get = async (path: string, init?: RequestInit) => {
    const answer = await fetch(harness.url + path, { headers: { authorization: basic }, ...init });
    return { status: answer.status, text: await answer.text() };
  };
  expect(await get(`/git/${name}/info/refs?service=git-upload-pack`)).toMatchObject({
    status: 404,
    text: expect.stringContaining("/git/NAME.git"),
  });
  expect(await get(`/git/..%2f..%2fetc.git/info/refs?service=git-upload-pack`)).toMatchObject({ status: 404 });
  expect(await get(`/git/.platform.git/info/refs?service=git-upload-pack`)).toMatchObject({ status: 404 });
  expect(await get(`/git/${name}.git/info/refs`)).toMatchObject({ status: 403 });
  expect(await get(`/git/${name}.git/info/refs?service=git-upload-archive`)).toMatchObject({ status: 403 });
  expect(await get(`/git/${name}.git/config`)).toMatchObject({ status: 404 });
  expect(
    await get(`/git/${name}.git/git-upload-pack`, {
      method: "POST",
      headers: { authorization: basic, "content-type": "text/plain" },
      body: "x",
    }),
  ).toMatchObject({ status: 415 });
});

test.each(["0", "1", "2"])("git speaks protocol version %s, and shallow and partial clones", async (version) => {
  const name = await aRepository();
  for (const options of [[], ["--depth=1"], ["--filter=blob:none"]]) {
    const into = await aClone(name, "-c", `protocol.version=${version}`, ...options);
    await git(into, "switch", "--quiet", "--create", `v${version}-${options.length}${options[0]?.length ?? 0}`);
    await git(into, "commit", "--quiet", "--allow-empty", "-m", "Empty");
    expect(await git(into, "-c", `protocol.version=${version}`, "push", "--quiet", "origin", "HEAD")).toMatchObject({ code: 0 });
  }
});

test("a compressed request is understood, and one that is not what it says is refused", async () => {
  const name = await aRepository();
  const body = "0014command=ls-refs\n0001000csymrefs\n0000";
  const post = (content: Buffer, encoding: Record<string, string>) =>
    fetch(`${harness.url}/git/${name}.git/git-upload-pack`, {
      method: "POST",
      headers: { authorization: basic, "content-type": "application/x-git-upload-pack-request", "git-protocol": "version=2", ...encoding },
      body: new Uint8Array(content),
    });
  expect(await (await post(gzipSync(body), { "content-encoding": "gzip" })).text()).toContain("refs/heads/main");
  expect(await (await post(Buffer.from(body), { "content-encoding": "gzip" })).text()).not.toContain("refs/heads/main");
});

test("a push over the limit is refused, saying so, however it is sent; one below it passes", async () => {
  const name = await aRepository();
  const into = await aClone(name);
  await git(into, "switch", "--quiet", "--create", "large");
  await writeFile(join(into, "large.bin"), randomBytes(MAX_PUSH_BYTES + 1024 * 1024));
  await git(into, "add", ".");
  await git(into, "commit", "--quiet", "-m", "Too large");
  for (const buffer of ["http.postBuffer=1000", "http.postBuffer=100000000"]) {
    const pushed = await git(into, "-c", buffer, "push", "origin", "large");
    expect(pushed).toMatchObject({
      code: 1,
      said: expect.stringMatching(/remote: fatal: pack exceeds maximum allowed size \(2(\.00)? MiB\)/),
    });
  }
  expect(await harness.forge.head(name, "large")).toBeUndefined();

  await writeFile(join(into, "large.bin"), randomBytes(MAX_PUSH_BYTES - 1024 * 1024));
  await git(into, "commit", "--quiet", "--amend", "-am", "Just right");
  expect(await git(into, "push", "--quiet", "origin", "large")).toMatchObject({ code: 0 });
});

test("objects that could reach outside a work tree are refused", async () => {
  const name = await aRepository();
  const into = await aClone(name);
  const blob = (await git(into, "hash-object", "-w", "README.md")).out.trim();
  for (const path of [".git", "..", ".", "a/b", ".GIT"]) {
    const body = Buffer.concat([Buffer.from(`100644 ${path}\0`), Buffer.from(blob, "hex")]);
    await writeFile(join(folder, "tree"), body);
    const tree = (await git(into, "hash-object", "-t", "tree", "-w", "--literally", join(folder, "tree"))).out.trim();
    const commit = (await git(into, "commit-tree", "-m", "Escape", tree)).out.trim();
    const pushed = await git(into, "push", "origin", `${commit}:refs/heads/escape`);
    expect({ path, ...pushed }).toMatchObject({ path, code: 1, said: expect.stringMatching(/fsck|unpacker error/) });
  }
});

test("a client that goes away in the middle of a push leaves nothing behind", async () => {
  const name = await aRepository();
  const before = await readdir(join(harness.forge.git.pathOf(name), "objects"));
  await new Promise<void>((resolve, reject) => {
    const sent = request(`${harness.url}/git/${name}.git/git-receive-pack`, {
      method: "POST",
      headers: { authorization: basic, "content-type": "application/x-git-receive-pack-request", "transfer-encoding": "chunked" },
    });
    sent.on("error", (error: NodeJS.ErrnoException) => (error.code === "ECONNRESET" ? resolve() : reject(error)));
    sent.on("close", () => resolve());
    const command = `${"0".repeat(40)} ${"1".repeat(40)} refs/heads/half\0report-status side-band-64k\n`;
    sent.write(`${(command.length + 4).toString(16).padStart(4, "0")}${command}0000PACK\0\0\0\x02\0\0\0\x09half`, () => sent.destroy());
  });
  await vi.waitFor(
    async () => {
      expect(await readdir(join(harness.forge.git.pathOf(name), "objects"))).toEqual(before);
      const processes = await run("ps", ["-eo", "args"], { env: process.env });
      expect(processes.stdout.toString()).not.toContain(harness.forge.git.pathOf(name));
    },
    { timeout: 30_000 },
  );
  expect(await harness.forge.head(name, "half")).toBeUndefined();
});

test("many clones and pushes at once all arrive", async () => {
  const name = await aRepository();
  const clones = await Promise.all(Array.from({ length: 4 }, () => aClone(name)));
  const pushed = await Promise.all(
    clones.map(async (into, n) => {
      await appendFile(join(into, "README.md"), `${n}\n`);
      await git(into, "commit", "--quiet", "-am", `Change ${n}`);
      return git(into, "push", "--quiet", "origin", `HEAD:refs/heads/branch-${n}`);
    }),
  );
  expect(pushed.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  for (const n of [0, 1, 2, 3]) expect(await harness.forge.head(name, `branch-${n}`)).toMatch(/^[0-9a-f]{40}$/);
});
