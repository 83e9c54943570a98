import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadGoldenPaths } from "@cairn/platform/golden-paths/load.ts";
import { warmNpmCache } from "@cairn/platform/golden-paths/warm-cache.ts";
import { places, readConfig } from "@cairn/platform/kernel/config.ts";
import { digestOf } from "@cairn/platform/kernel/digest.ts";
import { isFault } from "@cairn/platform/kernel/faults.ts";

// Fetches, once for each set of golden paths, what the services that they generate depend on: so CI of a new service needs no network.
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { home } = readConfig(process.env);
const cache = places(home).npmCache;
await mkdir(home, { recursive: true, mode: 0o700 });
const paths = await loadGoldenPaths(join(root, "library", "golden-paths"));
const wanted = digestOf(paths.map(({ digest }) => digest));
const stamp = join(cache, ".warmed");
if ((await readFile(stamp, "utf8").catch(() => "")) !== wanted) {
  console.log("Fetching what golden paths depend on");
  try {
    await mkdir(cache, { recursive: true, mode: 0o755 });
    await warmNpmCache(paths, cache, process.env);
    await writeFile(stamp, wanted);
  } catch (error) {
    if (!isFault(error)) throw error;
    // Without a network the platform itself works, and so do services whose packages are cached already.
    console.error(`${error.message}\n  ${error.next}`);
  }
}
