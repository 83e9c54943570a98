import { expect, test } from "vitest";
import { run } from "./processes.ts";

const env = { PATH: process.env.PATH };

test("run() refuses a program that is not there", async () => {
  await expect(run("no-such-program-of-cairn", [], { env })).rejects.toMatchObject({ code: "ENOENT" });
});

test("run() ends the whole group at the time limit", async () => {
  const done = await run("sh", ["-c", "sleep 600 & echo $!; wait"], { env, timeoutSeconds: 0.3 });
  expect(done).toMatchObject({ code: null, signal: "SIGKILL", timedOut: true });
  await expect.poll(() => alive(Number(done.stdout.toString()))).toBe(false);
});

test("run() leaves nothing behind that the program started", async () => {
  const done = await run("sh", ["-c", "sleep 600 >/dev/null 2>&1 & echo $!"], { env });
  expect(done.code).toBe(0);
  await expect.poll(() => alive(Number(done.stdout.toString()))).toBe(false);
});

test("run() ends by its signal, also by one that was given before it began", async () => {
  const done = await run("sleep", ["600"], { env, signal: AbortSignal.abort() });
  expect(done.signal).toBe("SIGKILL");
});

test("run() keeps what fits and counts the rest", async () => {
  const done = await run("sh", ["-c", "head -c 5000 /dev/zero; printf no-newline >&2"], { env, maxBytes: 1000 });
  expect([done.stdout.length, done.stderr.toString(), done.droppedBytes]).toEqual([1000, "no-newline", 4000]);
});

test("run() hands nothing of our environment on, and tells lines as they come", async () => {
  const lines: string[] = [];
  await run("sh", ["-c", 'read -r line; echo "$line"; echo "home=$HOME" >&2'], {
    env,
    input: "first\n",
    onLine: (line, stream) => lines.push(`${stream} ${line}`),
  });
  expect(lines.toSorted()).toEqual(["stderr home=", "stdout first"]);
});

/** A killed child that nobody has waited for yet is dead too. */
async function alive(pid: number): Promise<boolean> {
  const { readFile } = await import("node:fs/promises");
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}
