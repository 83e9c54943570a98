import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

test("the set-up makes the data folder for its owner alone, also where nothing can be fetched", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-set-up-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const home = join(folder, "share", "cairn");
  const env = { ...process.env, CAIRN_HOME: home, npm_config_offline: "true" };
  await promisify(execFile)(process.execPath, ["scripts/warm-cache.ts"], { cwd: join(import.meta.dirname, ".."), env });
  expect((await stat(home)).mode & 0o777).toBe(0o700);
});
