import { mkdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Where bundles of rules lie that were pulled: one file a digest, and the name of the last. */
const folder = (env: NodeJS.ProcessEnv) => join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "cairn", "policies");

/** Keeps a bundle under its digest and makes it the one that `cairn check` uses. Gives its file. */
export async function keepBundle(env: NodeJS.ProcessEnv, bundle: { digest: string }): Promise<string> {
  await mkdir(folder(env), { recursive: true });
  const file = join(folder(env), `${bundle.digest.replace(":", "-")}.json`);
  await place(file, `${JSON.stringify(bundle, null, 2)}\n`);
  await place(join(folder(env), "current"), `${file}\n`);
  return file;
}

/** Removes all bundles that were pulled. */
export async function dropBundles(env: NodeJS.ProcessEnv): Promise<void> {
  await rm(folder(env), { recursive: true, force: true });
  await rmdir(dirname(folder(env))).catch(() => {}); // somebody's file lies there
}

/** The file of the bundle that was pulled last; undefined where none was. */
export const pulledBundle = async (env: NodeJS.ProcessEnv): Promise<string | undefined> =>
  (await readFile(join(folder(env), "current"), "utf8").catch(() => undefined))?.trim();

async function place(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}
