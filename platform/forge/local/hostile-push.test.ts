import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { deflateSync } from "node:zlib";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { events } from "../../ledger/store.ts";
import { database } from "../../testing/database.ts";
import { CANNOT_MOUNT, smallDisk } from "../../testing/small-disk.ts";
import { at, author, git, someFiles } from "../contract-suite.ts";
import { startForge, type Harness } from "./fixture.ts";

const db = await database();
let harness: Harness;
let folder: string;
let count = 0;
beforeAll(async () => {
  harness = await startForge(db);
  folder = await mkdtemp(join(tmpdir(), "cairn-hostile-push-"));
});
afterAll(async () => {
  await harness.stop();
  await rm(folder, { recursive: true, force: true });
});

async function aClone(of: Harness = harness): Promise<{ name: string; into: string; main: string }> {
  const name = `web-${++count}`;
  await of.forge.createRepository({ name, owner: "group:default/team-a", files: someFiles(), message: "Begin", author, at });
  const into = join(folder, name);
  expect(await git(folder, "clone", "--quiet", of.urlFor(name), into)).toMatchObject({ code: 0 });
  return { name, into, main: (await of.forge.head(name)) ?? "" };
}

/** What the ledger has of refused pushes; it is written when git has answered. */
const recorded = (name: string, many = 1) =>
  vi.waitFor(
    async () => {
      const found = await events(db, { about: `repository:${name}`, types: ["forge.push_refused"] });
      expect(found).toHaveLength(many);
      return found;
    },
    { timeout: 30_000 },
  );

/** Writes an object as git would, whatever it holds; gives its id. */
async function object(into: string, kind: "blob" | "tree" | "commit", content: Buffer | string): Promise<string> {
  const bytes = Buffer.from(content);
  const whole = Buffer.concat([Buffer.from(`${kind} ${bytes.length}\0`), bytes]);
  const id = createHash("sha1").update(whole).digest("hex");
  const path = join(into, ".git", "objects", id.slice(0, 2), id.slice(2));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, deflateSync(whole));
  return id;
}
const tree = (into: string, entries: { mode: string; name: string; id: string }[]) =>
  object(
    into,
    "tree",
    Buffer.concat(entries.map(({ mode, name, id }) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, "hex")]))),
  );
const commit = (into: string, of: string, message = "Hostile") =>
  object(into, "commit", `tree ${of}\nauthor A <a@example.com> 1 +0000\ncommitter A <a@example.com> 1 +0000\n\n${message}\n`);

test.each([
  ["a push", ["push", "origin", "HEAD:refs/heads/main"]],
  ["a forced push", ["push", "--force", "origin", "HEAD:refs/heads/main"]],
  ["a forced push of another history", ["push", "--force", "origin", "orphan:refs/heads/main"]],
  ["a deletion", ["push", "origin", ":refs/heads/main"]],
])("%s of the protected branch is refused in words and recorded, and the branch stays", async (_what, push) => {
  const { name, into, main } = await aClone();
  await git(into, "commit", "--quiet", "--allow-empty", "-m", "More");
  await git(into, "branch", "orphan", (await git(into, "commit-tree", "-m", "Other", "HEAD^{tree}")).out.trim());
  expect(await git(into, ...push)).toMatchObject({ code: 1, said: expect.stringContaining("main is protected") });
  expect(await harness.forge.head(name)).toBe(main);
  expect(await recorded(name)).toMatchObject([
    {
      actor: "user:default/ada",
      data: {
        repository: name,
        refs: [{ ref: "refs/heads/main", because: "pre-receive hook declined" }],
        said: expect.stringContaining("main is protected"),
      },
    },
  ]);
});

test("of several branches in one push none comes in when one is refused", async () => {
  const { name, into } = await aClone();
  await git(into, "commit", "--quiet", "--allow-empty", "-m", "More");
  expect(await git(into, "push", "origin", "HEAD:refs/heads/fine", "HEAD:refs/platform/mine")).toMatchObject({ code: 1 });
  expect(await harness.forge.head(name, "fine")).toBeUndefined();
  expect((await recorded(name))[0]?.data).toMatchObject({ refs: [{ ref: "refs/heads/fine" }, { ref: "refs/platform/mine" }] });
});

test("a file of 100 MB is refused by name, however small it packs", async () => {
  const { name, into } = await aClone();
  await writeFile(join(into, "zeros.bin"), Buffer.alloc(100 * 1024 * 1024));
  await git(into, "add", ".");
  await git(into, "commit", "--quiet", "-m", "Large");
  expect(await git(into, "push", "origin", "HEAD:refs/heads/large")).toMatchObject({
    code: 1,
    said: expect.stringMatching(/the file zeros\.bin is larger than 50 MiB.*take it out of the commit/s),
  });
  expect(await harness.forge.head(name, "large")).toBeUndefined();
  await recorded(name);
});

test("a pack that unpacks to a hundred million files, or folders without end, is refused at once", async () => {
  const { name, into } = await aClone();
  const levels = async (leaf: { mode: string; id: string }, depth: number, width: number) => {
    let { mode, id } = leaf;
    for (let level = 0; level < depth; level++) {
      id = await tree(
        into,
        Array.from({ length: width }, (_, n) => ({ mode, name: `d${n}`, id })),
      );
      mode = "40000";
    }
    return id;
  };
  const bombs: [string, string, RegExp][] = [
    ["files", await levels({ mode: "100644", id: await object(into, "blob", "x") }, 8, 10), /more than 20000 files and folders/],
    ["folders", await levels({ mode: "40000", id: await tree(into, []) }, 8, 10), /more than 20000 files and folders/],
    ["depth", await levels({ mode: "100644", id: await object(into, "blob", "x") }, 1500, 1), /a path is longer than 2000 bytes|depth/],
  ];
  for (const [branch, root, why] of bombs) {
    const pushed = await git(into, "-c", "core.maxTreeDepth=100000", "push", "origin", `${await commit(into, root)}:refs/heads/${branch}`);
    expect({ branch, ...pushed }).toMatchObject({ branch, code: 1, said: expect.stringMatching(why) });
    expect(await harness.forge.head(name, branch)).toBeUndefined();
  }
  await recorded(name, bombs.length);
});

test("an object that takes more memory than git may have ends the push, not the machine", async () => {
  const { name, into, main } = await aClone();
  const huge = await commit(into, (await git(into, "rev-parse", "HEAD^{tree}")).out.trim(), "x".repeat(130 * 1024 * 1024));
  expect(await git(into, "push", "origin", `${huge}:refs/heads/huge`)).toMatchObject({
    code: 1,
    said: expect.stringMatching(/attempting to allocate|unpacker error/),
  });
  expect(await harness.forge.head(name, "huge")).toBeUndefined();
  expect(await harness.forge.head(name)).toBe(main);
  await recorded(name);
});

test("a push to a full disk is refused in words and leaves nothing; with room again it passes", async (context) => {
  const disk = await smallDisk(6 * 1024 * 1024);
  if (!disk) return context.skip(CANNOT_MOUNT);
  const full = await startForge(db, { folder: join(disk.folder, "forge") });
  try {
    const { name, into, main } = await aClone(full);
    await writeFile(join(into, "random.bin"), randomBytes(8 * 1024 * 1024));
    await git(into, "add", ".");
    await git(into, "commit", "--quiet", "-m", "More than there is room for");
    expect(await git(into, "push", "origin", "HEAD:refs/heads/more")).toMatchObject({
      code: 1,
      said: expect.stringMatching(/No space left on device|unpacker error/),
    });
    expect(await full.forge.head(name, "more")).toBeUndefined();
    expect(await full.forge.head(name)).toBe(main);
    await recorded(name);
    await disk.resize(64 * 1024 * 1024);
    expect(await git(into, "push", "--quiet", "origin", "HEAD:refs/heads/more")).toMatchObject({ code: 0 });
    expect((await full.forge.git.run(name, ["fsck", "--strict"])).code).toBe(0);
  } finally {
    await full.stop();
    await disk.remove();
  }
});
