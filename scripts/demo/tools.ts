import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Aborted by Ctrl-C, with the signal's name: ends the programs under way, and begins no other. */
export const interruption = new AbortController();

/** A program's standard output; throws with what it said where it fails. */
export async function output(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { code, stdout, stderr } = await result(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} failed (${code}):\n${(stderr || stdout).trim()}`);
  return stdout;
}

export function result(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { signal } = interruption;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const { cwd = root, env = process.env } = options;
    const child = spawn(program, args, { cwd, env, signal, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", (error) => {
      if (!signal.aborted) reject(error);
    });
    // One that is interrupted has ended only now.
    child.once("close", (code) => (signal.aborted ? reject(signal.reason) : resolve({ code, stdout, stderr })));
  });
}

/** What a cairn command answers to a program. */
export async function cairn<T>(...args: string[]): Promise<T> {
  return JSON.parse(await output(join(root, "cairn"), [...args, "-o", "json"])) as T;
}

/** The ordinary git client; it asks the CLI for its password. */
export const git = (cwd: string, ...args: string[]): Promise<string> =>
  output(
    "git",
    [
      "-c",
      `credential.helper=!${join(root, "cairn")} git-credential`,
      "-c",
      "user.name=Demo",
      "-c",
      "user.email=demo@example.com",
      ...args,
    ],
    {
      cwd,
      env: { ...process.env, GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    },
  ).then((text) => text.trim());

/** Asks until the answer is there; throws with `what` after the time limit. */
export async function eventually<T>(what: string, seconds: number, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    interruption.signal.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${seconds} seconds`);
    await new Promise((wake) => setTimeout(wake, 300));
  }
}

export function expectThat(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`It does not hold that ${what}`);
}
