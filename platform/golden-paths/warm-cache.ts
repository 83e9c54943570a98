import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bytesOf, type TreeFile } from "../kernel/file-tree.ts";
import { run } from "../kernel/processes.ts";
import { cacheNotWarmed } from "./faults.ts";
import type { GoldenPath } from "./load.ts";
import type { Answers } from "./model.ts";
import { renderGoldenPath } from "./render.ts";

const NEEDED = ["package.json", "package-lock.json", ".npmrc"];
const CONTEXT = { platform_url: "http://127.0.0.1", repository_url: "http://127.0.0.1" };

/**
 * Fills npm's cache in `cacheFolder` with what the offered golden paths depend on, so that `npm ci` of what they generate needs no network afterwards. Nothing of
 * the packages is run. `env` names the npm to use (PATH) and its registry settings. Throws `golden_paths.cache_not_warmed`.
 */
export async function warmNpmCache(
  paths: readonly GoldenPath[],
  cacheFolder: string,
  env: NodeJS.ProcessEnv,
): Promise<{ goldenPath: string; variants: number }[]> {
  await mkdir(cacheFolder, { recursive: true });
  const warmed: { goldenPath: string; variants: number }[] = [];
  for (const path of paths.filter(({ offer }) => offer)) {
    const locked = new Map<string, TreeFile[]>();
    for (const answers of everyVariant(path)) {
      const { files } = await renderGoldenPath(path, answers, CONTEXT);
      const lock = files.find((file) => file.path === "package-lock.json");
      if (lock)
        locked.set(
          lock.content,
          files.filter((file) => NEEDED.includes(file.path)),
        );
    }
    for (const files of locked.values()) await install(path.template.name, files, cacheFolder, env);
    warmed.push({ goldenPath: path.template.name, variants: locked.size });
  }
  return warmed;
}

async function install(name: string, files: readonly TreeFile[], cacheFolder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-warm-"));
  try {
    for (const file of files) {
      await mkdir(dirname(join(folder, file.path)), { recursive: true });
      await writeFile(join(folder, file.path), bytesOf(file));
    }
    const finished = await run("npm", ["ci", "--ignore-scripts"], {
      cwd: folder,
      env: { ...env, npm_config_cache: cacheFolder },
      timeoutSeconds: 600,
    });
    if (finished.code !== 0) throw cacheNotWarmed(name, lastLines(finished.stderr.toString()));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Answers that take every choice and both of every yes or no: what a golden path depends on hangs on nothing else. */
export function everyVariant({ template }: Pick<GoldenPath, "template">): Answers[] {
  let all: Answers[] = [{}];
  for (const parameter of template.parameters) {
    const values =
      parameter.type === "boolean"
        ? [true, false]
        : parameter.type === "choice"
          ? parameter.choices
          : parameter.required
            ? ["example"]
            : [];
    if (values.length > 0) all = all.flatMap((answers) => values.map((value) => ({ ...answers, [parameter.name]: value })));
  }
  return all;
}

const lastLines = (text: string): string => text.trim().split("\n").slice(-3).join(" ");
