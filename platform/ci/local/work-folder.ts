import { chmod, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Digest } from "../../kernel/digest.ts";
import { digestOfFile } from "../artifact.ts";

export interface WorkFolder {
  /** The build's own: it may write to all of it. */
  root: string;
  source: string;
  /** Results: beside the root, since a build that could write there could let us write through a link of its own. */
  out: string;
  home: string;
  temp: string;
  npmCache: string;
}

/** A new, empty work folder; what lay there before is removed. `out` lies where artifacts can be moved from. */
export async function makeWorkFolder(root: string, out = `${root}.out`): Promise<WorkFolder> {
  const at = (name: string) => join(root, name);
  const folder = { root, source: at("source"), out, home: at("home"), temp: at("tmp"), npmCache: at("npm-cache") };
  await removeWorkFolder(folder);
  await mkdir(dirname(root), { recursive: true, mode: 0o711 });
  await mkdir(dirname(out), { recursive: true, mode: 0o711 });
  for (const path of [root, folder.out]) await mkdir(path, { mode: 0o700 });
  for (const path of [folder.source, folder.home, folder.temp, folder.npmCache]) await mkdir(path);
  return folder;
}

export async function removeWorkFolder({ root, out }: Pick<WorkFolder, "root" | "out">): Promise<void> {
  await removeTree(root);
  await removeTree(out);
}

/** Removes a folder whole, also where a build took the right to write from folders of its own. */
async function removeTree(root: string): Promise<void> {
  const remove = () => rm(root, { recursive: true, force: true, maxRetries: 3 });
  await remove().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "EACCES" && error.code !== "EPERM") throw error;
    await makeWritable(root);
    await remove();
  });
}

async function makeWritable(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await makeWritable(join(folder, entry.name));
}

const artifactPath = (artifacts: string, digest: Digest): string => join(artifacts, `${digest.slice("sha256:".length)}.tar.gz`);

/** Moves a file to its place among the artifacts, whole or not at all. One that is there with the right content stays. */
export async function keepArtifact(artifacts: string, file: string, digest: Digest): Promise<string> {
  await mkdir(artifacts, { recursive: true, mode: 0o700 });
  const path = artifactPath(artifacts, digest);
  const there = await stat(path).catch(() => undefined);
  if (there?.isFile() && (await digestOfFile(path)).digest === digest) return path;
  const handle = await open(file, "r+");
  await handle.sync();
  await handle.close();
  await rename(file, path);
  const folder = await open(dirname(path), "r");
  await folder.sync();
  await folder.close();
  return path;
}
