import { execFile } from "node:child_process";
import { access, chmod, cp, mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { placesElsewhere } from "@cairn/agent/client.ts";
import { places, readConfig } from "@cairn/platform/kernel/config.ts";
import { buildsElsewhere } from "@cairn/platform/kernel/other-users.ts";
import { runningServer } from "@cairn/platform/server/record.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const execute = promisify(execFile);

export interface Platform {
  home: string;
  url: string;
  /** What a child process needs to speak to this platform and to no other. */
  env: NodeJS.ProcessEnv;
  /** A new one-time sign-in link for a browser. */
  link(): Promise<string>;
  /** What a cairn command answers to a program. Throws with what it said where it fails. */
  cairn<T>(...args: string[]): Promise<T>;
  /** Starts what is down: the server, and the agent below it. */
  start(): Promise<void>;
  /** Ends the server at once (SIGKILL). Agent, services and PostgreSQL go on. */
  killServer(): Promise<void>;
  /** Stops everything and removes its folder. */
  stop(): Promise<void>;
}

/** A new folder for a platform of its own on a free port, with the packages that golden paths need; and what a child process needs to use no other. */
export async function newHome(further: NodeJS.ProcessEnv = {}): Promise<{ home: string; env: NodeJS.ProcessEnv }> {
  await access(join(root, "portal", "dist", "index.html")).catch(() => {
    throw new Error("The portal is not built: run sh scripts/setup.sh --tests");
  });
  const home = await mkdtemp(join(tmpdir(), "cairn-e2e-"));
  await chmod(home, 0o755); // services of other users pass through it: so all that they leave lies below it
  const env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(CAIRN_|VITEST|NODE_ENV$|NODE_OPTIONS$)/.test(name))),
    HOME: process.env.HOME ?? homedir(),
    CAIRN_HOME: home,
    CAIRN_PORT: String(await freePort()),
    XDG_CONFIG_HOME: join(home, "config"),
    NO_COLOR: "1",
    ...further,
  };
  await warmCache(home, env).catch(async (error: unknown) => {
    await removeHome(home);
    throw error;
  });
  return { home, env };
}

/** With what of it lies elsewhere: as root, data that other users must reach. */
export async function removeHome(home: string): Promise<void> {
  for (const folder of [home, ...placesElsewhere(home), buildsElsewhere(join(places(home).ci, "work"))])
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Starts a platform of its own, by the CLI as a person would, with the CLI signed in. */
export async function startPlatform(options: { env?: NodeJS.ProcessEnv } = {}): Promise<Platform> {
  const { home, env } = await newHome(options.env);
  const run = async (...args: string[]): Promise<string> => {
    try {
      return (await execute(join(root, "cairn"), args, { env, cwd: root, maxBuffer: 64 * 1024 * 1024 })).stdout;
    } catch (error) {
      const { stderr = "", stdout = "" } = error as { stderr?: string; stdout?: string };
      throw new Error(`cairn ${args.join(" ")} failed: ${(stderr || stdout || String(error)).trim()}`, { cause: error });
    }
  };
  const cairn = async <T>(...args: string[]): Promise<T> => JSON.parse(await run(...args, "-o", "json")) as T;
  const stop = async () => {
    await run("stop", "--all");
    await removeHome(home);
  };
  try {
    const { url } = await cairn<{ url: string }>("start");
    await run("login");
    return {
      home,
      url,
      env,
      cairn,
      stop,
      link: async () => (await cairn<{ link: string }>("login", "--link")).link,
      start: async () => void (await run("start")),
      killServer: async () => {
        const server = await runningServer(home);
        if (server) process.kill(server.pid, "SIGKILL");
        while (await runningServer(home)) await new Promise((wake) => setTimeout(wake, 5));
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Packages that golden paths need: those that the checkout's setup has fetched already, else fetched now. */
async function warmCache(home: string, env: NodeJS.ProcessEnv): Promise<void> {
  const fetched = places(readConfig(process.env).home).npmCache;
  await cp(fetched, places(home).npmCache, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await execute(process.execPath, [join(root, "scripts", "warm-cache.ts")], { env, cwd: root });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
