import { spawn } from "node:child_process";
import { Fault } from "@cairn/platform/kernel/faults.ts";

interface Said {
  code: number;
  stdout: Buffer;
  stderr: string;
}

/** The user's own git, with the user's configuration and credentials, on the user's terminal: it may ask for a password. Never throws for an exit status. */
export function git(args: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn("git", args, {
      stdio: [options.input === undefined ? "inherit" : "pipe", "pipe", "pipe"],
      // Its refusals are read: in English. Whatever repository the caller is inside of is not meant.
      env: { ...withoutRepository(process.env), LC_ALL: "C", ...options.env },
    });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "ENOENT"
          ? new Fault("failed", "cli.git_missing", "There is no git on the PATH", "Install git 2.38 or newer.")
          : error,
      ),
    );
    child.on("close", (code) => resolve({ code: code ?? 1, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }));
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

/** What git prints. Throws `cli.git` where it fails. */
export async function gitText(args: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  const said = await git(args, options);
  if (said.code !== 0)
    throw new Fault("failed", "cli.git", `git ${args.find((arg) => /^[a-z]/.test(arg)) ?? ""}: ${lastOf(said.stderr)}`, "");
  return said.stdout.toString().trim();
}

/** The last lines of what git said, without progress. */
export const lastOf = (stderr: string, lines = 4): string =>
  stderr
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/\d+% |^(Cloning into|To http|hint:)/.test(line))
    .slice(-lines)
    .join("\n  ");

const withoutRepository = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|PREFIX)$/.test(name)),
  );
