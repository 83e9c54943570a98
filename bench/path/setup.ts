import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../../e2e/platform.ts";
import { root } from "../../scripts/demo/tools.ts";
import type { Measurement } from "./report.ts";

const execute = promisify(execFile);
const COLD_MINUTES = 5;
/** Programs that a root copies once for each checkout. */
const COPIES = "/var/cache/cairn";

/**
 * From a clone, as somebody new has it: with nothing fetched yet, to the demo's end; then two more clones with npm's cache as the first left it, the second without a
 * network. What git holds is cloned, not what lies uncommitted here.
 */
export const setup: Measurement = async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-setup-"));
  await chmod(folder, 0o755); // services of other users pass through it
  const copies = await readdir(COPIES).catch((): string[] => []);
  const env = await newcomer(folder);
  const seconds = async (cwd: string, program: string, args: string[], further: NodeJS.ProcessEnv = {}): Promise<number> => {
    const startedAt = performance.now();
    await execute(program, args, { cwd, env: { ...env, ...further }, maxBuffer: 64 * 1024 * 1024 });
    return (performance.now() - startedAt) / 1000;
  };
  const clone = (name: string) => seconds(folder, "git", ["clone", "--quiet", `file://${root}`, name]);
  try {
    const cloned = await clone("cold");
    const cold = await seconds(join(folder, "cold"), "sh", ["scripts/setup.sh"]);
    const demo = await seconds(join(folder, "cold"), "npm", ["run", "demo", "--", "--exit"]);
    await clone("warm");
    const warm = await seconds(join(folder, "warm"), "sh", ["scripts/setup.sh"]);
    await clone("offline");
    const [program = "", ...args] = [...(await withoutNetwork()), "sh", "scripts/setup.sh"];
    const offline = await seconds(join(folder, "offline"), program, args, { npm_config_offline: "true" });
    return [
      { what: "from clone to the demo's end, cold", unit: "s", samples: [cloned + cold + demo], most: COLD_MINUTES * 60 },
      { what: "  git clone, from this disk", unit: "s", samples: [cloned] },
      { what: "  set-up, nothing fetched yet", unit: "s", samples: [cold] },
      { what: "  demo", unit: "s", samples: [demo] },
      { what: "set-up, npm's cache warm", unit: "s", samples: [warm] },
      { what: `set-up, npm's cache warm and ${program === "sh" ? "npm offline" : "no network"}`, unit: "s", samples: [offline] },
    ];
  } finally {
    await execute(join(folder, "cold", "cairn"), ["stop", "--all"], { env }).catch(() => {}); // where the demo broke
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    for (const name of await readdir(COPIES).catch((): string[] => []))
      if (!copies.includes(name)) await rm(join(COPIES, name), { recursive: true, force: true });
  }
};

/** The environment of somebody who has git, npm and a Node of the machine, and nothing of ours; with this machine's registry. */
async function newcomer(folder: string): Promise<NodeJS.ProcessEnv> {
  const home = join(folder, "home");
  await mkdir(home, { mode: 0o755 });
  const kept = Object.entries(process.env).filter(([name]) => !/^(CAIRN_|npm_|XDG_|NODE_|PLAYWRIGHT_|INIT_CWD$)/i.test(name));
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    PATH: (process.env.PATH ?? "").split(delimiter).filter((each) => !each.includes("node_modules")).join(delimiter), // prettier-ignore
    CAIRN_PORT: String(await freePort()),
    npm_config_cache: join(folder, "npm"),
    npm_config_userconfig: process.env.npm_config_userconfig ?? join(homedir(), ".npmrc"),
    PLAYWRIGHT_BROWSERS_PATH: join(folder, "browsers"),
    NO_COLOR: "1",
  };
}

/** A command that takes the network from the one after it, where that is allowed. */
async function withoutNetwork(): Promise<string[]> {
  try {
    await execute("unshare", ["--net", "true"]);
    return ["unshare", "--net"];
  } catch {
    return [];
  }
}
