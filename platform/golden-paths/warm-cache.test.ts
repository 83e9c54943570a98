import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { create } from "tar";
import { afterAll, expect, test } from "vitest";
import { run } from "../kernel/processes.ts";
import { loadGoldenPaths } from "./load.ts";
import { everyVariant, warmNpmCache } from "./warm-cache.ts";

const folder = await mkdtemp(join(tmpdir(), "cairn-warm-test-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

test("warmNpmCache() fetches what golden paths depend on, so that npm ci needs no registry afterwards", async () => {
  const tarball = await packed();
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  const asked: string[] = [];
  const registry = createServer((request, response) => {
    asked.push(request.url ?? "");
    if (request.url?.endsWith(".tgz")) return void response.end(tarball);
    const version = { name: "tiny", version: "1.0.0", dist: { integrity, tarball: `${url}tiny/-/tiny-1.0.0.tgz` } };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ name: "tiny", "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": version } }));
  }).listen(0, "127.0.0.1");
  await once(registry, "listening");
  const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
  const env = { PATH: process.env.PATH, HOME: folder, npm_config_registry: url };
  const cache = join(folder, "cache");
  const library = await libraryOf(integrity);
  try {
    expect(await warmNpmCache(await loadGoldenPaths(library), cache, env)).toEqual([{ goldenPath: "test", variants: 1 }]);
  } finally {
    registry.closeAllConnections();
    registry.close();
  }
  expect(asked.length).toBeGreaterThan(0);
  const built = await run("npm", ["ci"], {
    cwd: join(library, "test/files"),
    env: { ...env, npm_config_cache: cache },
    timeoutSeconds: 60,
  });
  expect(built.stderr.toString()).toBe("");
  expect(built.code).toBe(0);
  expect(await readFile(join(library, "test/files/node_modules/tiny/index.js"), "utf8")).toBe("tiny");
  const unreachable = { ...env, npm_config_fetch_retries: "0" };
  await expect(warmNpmCache(await loadGoldenPaths(library), join(folder, "empty"), unreachable)).rejects.toMatchObject({
    code: "golden_paths.cache_not_warmed",
    message: expect.stringContaining("golden path test"),
  });
});

test("everyVariant() takes each choice and both of each yes or no", async () => {
  const found = await loadGoldenPaths(join(import.meta.dirname, "../../library/golden-paths"));
  expect(found.map((path) => [path.template.name, everyVariant(path).length])).toEqual([
    ["existing-code", 1],
    ["http-api", 2],
    ["microservice", 6],
  ]);
});

async function packed(): Promise<Buffer> {
  await write(folder, { "package/package.json": '{ "name": "tiny", "version": "1.0.0" }', "package/index.js": "tiny" });
  await create({ gzip: true, cwd: folder, file: join(folder, "tiny.tgz") }, ["package"]);
  return readFile(join(folder, "tiny.tgz"));
}

async function libraryOf(integrity: string): Promise<string> {
  const dependencies = { tiny: "1.0.0" };
  const lock = {
    name: "x",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: { "": { name: "x", version: "1.0.0", dependencies }, "node_modules/tiny": { version: "1.0.0", integrity } },
  };
  await write(join(folder, "library/test"), {
    "template.yaml": 'name: test\nversion: "1.0.0"\noutputs: [{ source: files/, destination: / }]\n',
    "golden-path.yaml": "title: Test\ntier: tier-3\n",
    "files/package.json": JSON.stringify({ name: "x", version: "1.0.0", dependencies }),
    "files/package-lock.json": JSON.stringify(lock),
    "files/.npmrc": "prefer-offline=true\nfund=false\naudit=false\nupdate-notifier=false\n",
  });
  return join(folder, "library");
}

async function write(into: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(into, path)), { recursive: true });
    await writeFile(join(into, path), content);
  }
}
