import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { create, Header } from "tar";
import { afterAll, beforeAll, expect, test } from "vitest";
import { artifactAt } from "../testing/fixture.ts";
import { unpack } from "./unpack.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-unpack-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Entry {
  path: string;
  type?: "File" | "SymbolicLink" | "Link" | "Directory" | "CharacterDevice" | "FIFO";
  linkpath?: string;
  mode?: number;
  content?: string;
}

let made = 0;
/** An archive of entries that no well-meaning tool would make. */
async function anArchive(entries: Entry[]) {
  const blocks = entries.flatMap(({ path, type = "File", linkpath = "", mode = 0o644, content = "" }) => {
    const head = Buffer.alloc(512);
    new Header({ path, type, linkpath, mode, size: content.length, mtime: new Date(0), uid: 0, gid: 0 }).encode(head);
    const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
    body.write(content);
    return [head, body];
  });
  const path = join(folder, `made-${++made}.tar.gz`);
  await writeFile(path, gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)])));
  return artifactAt(path);
}

test.each<[string, Entry[], string]>([
  ["a path that climbs out", [{ path: "../evil" }], "lies outside"],
  ["a path that climbs out in the middle", [{ path: "a/../../evil" }], "lies outside"],
  ["an absolute path", [{ path: "/tmp/evil" }], "lies outside"],
  ["a symbolic link that climbs out", [{ path: "a", type: "SymbolicLink", linkpath: "../../etc/passwd" }], "outside"],
  ["an absolute symbolic link", [{ path: "a", type: "SymbolicLink", linkpath: "/etc/passwd" }], "outside"],
  ["a hard link to the outside", [{ path: "a", type: "Link", linkpath: "/etc/passwd" }], "outside"],
  [
    "links that leave by way of each other",
    [
      { path: "d1/d2/", type: "Directory", mode: 0o755 },
      { path: "d1/d2/up", type: "SymbolicLink", linkpath: "../.." },
      { path: "out", type: "SymbolicLink", linkpath: "d1/d2/up/../.." },
    ],
    "outside",
  ],
  ["a device", [{ path: "a", type: "CharacterDevice" }], "is a CharacterDevice"],
  ["a named pipe", [{ path: "a", type: "FIFO" }], "is a FIFO"],
  ["nothing in it", [], "is refused"],
])("unpack() refuses an archive with %s, and leaves nothing", async (_what, entries, because) => {
  const into = join(folder, `refused-${made}`, "app");
  await mkdir(join(into, ".."));
  await expect(unpack(await anArchive(entries), into)).rejects.toMatchObject({
    code: "runtime.artifact_refused",
    message: expect.stringContaining(because),
  });
  expect(await readdir(join(into, ".."))).toEqual([]);
});

test("unpack() refuses one that is missing, is no archive, has another digest, or is too large", async () => {
  const into = join(folder, "never");
  const good = await anArchive([{ path: "a", content: "x".repeat(2000) }]);
  await expect(unpack({ path: join(folder, "gone"), digest: good.digest }, into)).rejects.toMatchObject({
    code: "runtime.artifact_missing",
  });
  await expect(unpack({ ...good, digest: `sha256:${"0".repeat(64)}` }, into)).rejects.toMatchObject({ code: "runtime.artifact_mismatch" });
  await expect(unpack(good, into, { maxBytes: 1000 })).rejects.toMatchObject({ code: "runtime.artifact_refused" });
  const text = join(folder, "text.tar.gz");
  await writeFile(text, "this is no archive");
  await expect(unpack(await artifactAt(text), into)).rejects.toMatchObject({ code: "runtime.artifact_refused" });
  await writeFile(text, gzipSync("x".repeat(5000)).subarray(0, 30));
  await expect(unpack(await artifactAt(text), into)).rejects.toMatchObject({ code: "runtime.artifact_refused" });
});

test("unpack() gives files, links and execute bits, without set-user-id, readable and not to be changed", async () => {
  const source = join(folder, "source");
  await mkdir(join(source, "bin"), { recursive: true });
  await writeFile(join(source, "bin/run"), "#!/bin/sh\n", { mode: 0o700 });
  await writeFile(join(source, "secretive"), "text", { mode: 0o600 });
  await symlink("bin/run", join(source, "link"));
  await create({ file: join(folder, "good.tgz"), gzip: true, cwd: source }, ["bin", "secretive", "link"]);
  const into = join(folder, "app");
  await unpack(await artifactAt(join(folder, "good.tgz")), into);
  expect((await stat(join(into, "bin/run"))).mode & 0o7777).toBe(0o555);
  expect((await stat(join(into, "secretive"))).mode & 0o7777).toBe(0o444);
  expect(await readlink(join(into, "link"))).toBe("bin/run");
  const setUser = join(folder, "set-user");
  await unpack(await anArchive([{ path: "a", mode: 0o4755, content: "x" }]), setUser);
  expect((await stat(join(setUser, "a"))).mode & 0o7777).toBe(0o555);
  expect(await readFile(join(setUser, "a"), "utf8")).toBe("x");
});
