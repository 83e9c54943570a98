import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { copyFile, cp, link, lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

// npm's cache as cacache lays it out: content-v2/sha512/ab/cd/REST holds bytes under their own hash, index-v5 says which address gave which. https://github.com/npm/cacache
const CONTENT = join("_cacache", "content-v2", "sha512");
const INDEX = join("_cacache", "index-v5");

/**
 * Gives a build a cache of its own with all that the shared one holds, so that it can't write into what other builds will trust. `linked`: content by hard links, where the build runs under
 * another user and can only read it.
 */
export async function lendCache(shared: string, own: string, linked: boolean): Promise<void> {
  await mkdir(own, { recursive: true });
  await cp(join(shared, INDEX), join(own, INDEX), { recursive: true }).catch(ifMissing);
  for (const path of await contentOf(shared)) {
    const [from, to] = [join(shared, CONTENT, path), join(own, CONTENT, path)];
    await mkdir(dirname(to), { recursive: true });
    const copy = () => copyFile(from, to, constants.COPYFILE_FICLONE);
    await (linked ? link(from, to).catch(copy) : copy());
  }
}

/** Takes from a build's cache what the shared one lacks: content that has the hash it lies under, and nothing else. Which address it came from is the build's word only. */
export async function adoptContent(own: string, shared: string): Promise<void> {
  const known = new Set(await contentOf(shared));
  for (const path of await contentOf(own)) {
    if (known.has(path)) continue;
    const draft = join(shared, "_cacache", "tmp", path.replaceAll("/", "-"));
    await mkdir(dirname(draft), { recursive: true });
    await copyFile(join(own, CONTENT, path), draft);
    if ((await sha512(draft)) !== path.replaceAll("/", "")) await rm(draft);
    else {
      await mkdir(dirname(join(shared, CONTENT, path)), { recursive: true });
      await rename(draft, join(shared, CONTENT, path));
    }
  }
}

/** Plain files below the content folder, as AB/CD/REST. */
async function contentOf(cache: string): Promise<string[]> {
  const root = join(cache, CONTENT);
  const names = async (path: string) => readdir(join(root, path)).catch(ifMissing);
  const found: string[] = [];
  for (const first of (await names("")) ?? [])
    for (const second of (await names(first)) ?? [])
      for (const rest of (await names(join(first, second))) ?? []) {
        const path = `${first}/${second}/${rest}`;
        if (/^[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{124}$/.test(path) && (await lstat(join(root, path))).isFile()) found.push(path);
      }
  return found;
}

async function sha512(file: string): Promise<string> {
  const hash = createHash("sha512");
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest("hex");
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
}
