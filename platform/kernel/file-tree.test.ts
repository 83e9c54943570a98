import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { bytesOf, gitTreeId, type TreeFile } from "./file-tree.ts";
import { run } from "./processes.ts";

const file = (path: string, content: string, more: Partial<TreeFile> = {}): TreeFile => ({
  path,
  mode: "100644",
  encoding: "utf8",
  content,
  ...more,
});

test("gitTreeId() gives what git itself gives: order, nesting, modes, bytes", async () => {
  const files = [
    file("a.txt", "one\n"),
    file("a/b.txt", "two\n"),
    file("a-b/c.txt", "three"),
    file("a0", ""),
    file("run.sh", "#!/bin/sh\n", { mode: "100755" }),
    file("deep/er/and/deeper.bin", Buffer.from([0, 255, 10, 13]).toString("base64"), { encoding: "base64" }),
    file("ümlaut.md", "ä\n"),
  ];
  const folder = await mkdtemp(join(tmpdir(), "cairn-tree-"));
  try {
    const git = async (...args: string[]) => {
      const done = await run("git", args, { cwd: folder, env: { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" } });
      expect(done.code, done.stderr.toString()).toBe(0);
      return done.stdout.toString().trim();
    };
    await git("init", "--quiet");
    for (const each of files) {
      await mkdir(dirname(join(folder, each.path)), { recursive: true });
      await writeFile(join(folder, each.path), bytesOf(each));
      await chmod(join(folder, each.path), each.mode === "100755" ? 0o755 : 0o644);
    }
    await git("add", "--all");
    expect(gitTreeId(files)).toBe(await git("write-tree"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
