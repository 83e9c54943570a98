import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newSecret } from "../../kernel/ids.ts";
import { run, type Finished, type RunOptions } from "../../kernel/processes.ts";
import { gitFailed, gitUnusable } from "../faults.ts";
import { postReceive, preReceive } from "./hooks.ts";

/** Runs git on the repositories of one folder, under the platform's configuration and nobody else's. */
export interface Git {
  /** The whole environment of a git process here. */
  env: NodeJS.ProcessEnv;
  pathOf(repository: string): string;
  /** Where half-made and removed repositories lie, on the same file system. */
  aside: string;
  /** Runs a command on a repository; a status that `allow` does not hold is `forge.git_failed`. */
  run(repository: string, args: readonly string[], options?: GitOptions): Promise<Finished>;
  /** The same on any bare repository or in any folder. */
  runIn(gitDir: string | undefined, args: readonly string[], options?: GitOptions): Promise<Finished>;
}

interface GitOptions extends Omit<RunOptions, "env"> {
  /** Exit statuses that are answers; default 0 alone. */
  allow?: readonly number[];
}

/** Writes configuration and hooks, and finds out whether this machine's git will do. Throws `forge.git_unusable`. */
export async function openGit(folder: string, maxPushBytes: number): Promise<Git> {
  const own = join(folder, ".platform");
  const aside = join(own, "aside");
  await mkdir(join(own, "hooks"), { recursive: true, mode: 0o700 });
  await mkdir(aside, { recursive: true, mode: 0o700 });
  await write(join(own, "gitconfig"), configuration(join(own, "hooks"), maxPushBytes));
  await write(join(own, "hooks", "pre-receive"), preReceive, 0o700);
  await write(join(own, "hooks", "post-receive"), postReceive, 0o700);

  const env = {
    PATH: process.env.PATH,
    HOME: "/nonexistent",
    LC_ALL: "C",
    TZ: "UTC",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: join(own, "gitconfig"),
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    // No object and no delta, however well it is packed, takes more memory than this at once.
    GIT_ALLOC_LIMIT: "128m",
    GIT_LITERAL_PATHSPECS: "1",
  };
  const git: Git = {
    env,
    aside,
    pathOf: (repository) => join(folder, `${repository}.git`),
    run: (repository, args, options) => git.runIn(git.pathOf(repository), args, options),
    async runIn(gitDir, args, { allow = [0], ...options } = {}) {
      const where = gitDir === undefined ? [] : [`--git-dir=${gitDir}`];
      const finished = await run("git", [...where, ...args], { timeoutSeconds: 120, ...options, env });
      if (options.signal?.aborted) return finished; // who ended it knows that it is not whole
      if (finished.code === null || !allow.includes(finished.code))
        throw gitFailed(
          args,
          finished.timedOut ? "it took too long" : finished.stderr.toString() || `status ${finished.code}, signal ${finished.signal}`,
        );
      return finished;
    },
  };
  await refuseOldGit(git);
  return git;
}

async function refuseOldGit(git: Git): Promise<void> {
  const said = await git.runIn(undefined, ["version"]).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT" ? gitUnusable("none is on the PATH") : error;
  });
  const [, major, minor] = /(\d+)\.(\d+)/.exec(said.stdout.toString()) ?? [];
  if (Number(major) < 2 || (Number(major) === 2 && Number(minor) < 38)) throw gitUnusable(`this is ${said.stdout.toString().trim()}`);
}

/** Complete before it is seen: another server process may be reading the one that was here. */
async function write(path: string, text: string, mode = 0o600): Promise<void> {
  const half = `${path}.${newSecret().slice(0, 8)}`;
  await writeFile(half, text, { mode });
  await rename(half, path);
}

/** The only configuration beside a repository's own, which nobody but `git init` writes. */
const configuration = (hooks: string, maxPushBytes: number) => `# Written by the platform at every start.
[core]
	hooksPath = ${JSON.stringify(hooks)}
	fsync = objects,derived-metadata,reference
	fsyncMethod = batch
	bigFileThreshold = 8m
	quotePath = false
[safe]
	directory = *
[init]
	defaultBranch = main
[receive]
	fsckObjects = true
	maxInputSize = ${maxPushBytes}
	# A pack of any size stays one: git names the limit only where it does not unpack.
	unpackLimit = 1
	hideRefs = refs/changes
	hideRefs = refs/platform
[uploadpack]
	hideRefs = refs/platform
	allowFilter = true
	# As protocol 2 does anyway; partial clones of the older ones need it.
	allowAnySHA1InWant = true
[pack]
	threads = 1
	windowMemory = 64m
[gc]
	autoDetach = false
[protocol]
	version = 2
[advice]
	detachedHead = false
`;
