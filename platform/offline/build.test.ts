import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { MARK } from "../ci/environment.ts";
import { aProject } from "../ci/fixture.ts";
import { killLeftovers } from "../ci/leftovers.ts";
import { newSecret } from "../kernel/ids.ts";

test("a build whose runner is killed ends by itself, with all that it started", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-build-process-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const source = join(folder, "source");
  await mkdir(source);
  for (const [path, content] of Object.entries(aProject({ build: "echo $$ > build.pid; sleep 1000; true" })))
    await writeFile(join(source, path), content);
  const mark = newSecret();
  onTestFinished(async () => void (await killLeftovers(mark)));
  const program = join(import.meta.dirname, "build.ts");
  const runner = spawn(
    "sh",
    ["-c", '"$0" "$1" "$2" "$3" merge "$4"; true', process.execPath, program, source, join(folder, "out"), '{"kind":"none"}'],
    {
      env: { PATH: process.env.PATH, [MARK]: mark },
      stdio: "ignore",
    },
  );
  const pid = await vi.waitFor(
    async () => Number((await readFile(join(source, "build.pid"), "utf8")).match(/^\d+(?=\n)/)?.[0] ?? expect.fail("no build yet")),
    {
      timeout: 20_000,
    },
  );
  expect(await runs(pid)).toBe(true);
  runner.kill("SIGKILL");
  await vi.waitFor(async () => expect(await runs(pid)).toBe(false), { timeout: 20_000 });
});

/** A process that has ended and waits for its parent does not run. */
async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}
