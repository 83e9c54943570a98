import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../scripts/demo/tools.ts";
import { addressOf, Client, processes } from "./outside.ts";
import { blocksOf, notPrinted, type Block } from "./pages.ts";
import { newHome, removeHome } from "./platform.ts";

// The guides are followed to the letter: each page's commands, in their order, by a shell, on one platform, from before its first start to after its removal.

/** The order in which a reader goes through them; the README last, since it ends by removing all. */
const PAGES = [
  "docs/start.md",
  "docs/ship-a-service.md",
  "docs/when-it-waits.md",
  "docs/incidents.md",
  "docs/write-a-golden-path.md",
  "docs/write-a-policy.md",
  "library/environments/README.md",
  "library/example-organisation/README.md",
  "library/policies/README.md",
  "docs/operate.md",
  "docs/upgrade.md",
  "README.md",
];

/** What is not run here, by the word that the page says it with, and why. */
const ELSEWHERE: Record<string, string> = {
  "another PostgreSQL": "it needs a database server at another address; the platform's own tests run on one by its URL",
  "the demo and all tests": "they are run as they stand, by themselves, for every change",
  "checks and single tests": "they are run as they stand, by themselves, for every change",
  "another version": "it fetches from where the checkout came from; that data of an older version is taken over is tried by hand",
};

let home: string;
let env: NodeJS.ProcessEnv;
let outside: string;
let receiver: { url: string; close: () => void };
let clients: Client[] = [];
const ran = new Set<string>();

beforeAll(async () => {
  ({ home, env } = await newHome());
  outside = await mkdtemp(join(tmpdir(), "cairn-docs-"));
  receiver = await serve();
  env = {
    ...env,
    HOME: join(outside, "user"),
    PATH: `${join(outside, "user", ".local", "bin")}:${env.PATH}`,
    npm_config_prefix: join(outside, "user", ".local"),
    npm_config_cache: join(outside, "user", ".npm"),
    npm_config_update_notifier: "false",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    STATE: join(outside, "state"),
  };
  await repository(join(outside, "parcels.git"));
  await result(`mkdir -p "$HOME/.local/bin" "$HOME/.local/lib" "$STATE"
    git config --global user.name Somebody && git config --global user.email somebody@example.com
    git config --global url."file://${outside}/".insteadOf https://git.example/team/
    git config --global init.defaultBranch main`);
});
afterAll(async () => {
  for (const client of clients) await client.stop();
  receiver?.close();
  await result(`"${join(root, "cairn")}" stop --all`);
  await removeHome(home);
  await rm(outside, { recursive: true, force: true });
});

const contents = new Map(await Promise.all((await pages()).map(async (page): Promise<[string, string]> => [page, await readFile(join(root, page), "utf8")]))); // prettier-ignore
const all = [...contents].flatMap(([page, content]) => blocksOf(page, content));

test("every page with commands is followed, and what is not run is said, once each, with a reason", () => {
  const withCommands = [...new Set(all.map(({ page }) => page))];
  expect(withCommands.filter((page) => !PAGES.includes(page))).toEqual([]);
  const elsewhere = all.flatMap((block) => (block.elsewhere === undefined ? [] : [block.elsewhere]));
  expect(elsewhere.toSorted()).toEqual(Object.keys(ELSEWHERE).toSorted());
  // Commands stand in blocks with the word sh: nowhere else are they run.
  const stray = [...contents].flatMap(([page, content]) =>
    [...content.matchAll(/^(?: {4}|```(?!sh|text)\w*\n)(?:\.\/)?(?:cairn|npm|git|curl) .*$/gm)].map(([line]) => `${page}: ${line.trim()}`),
  );
  expect(stray).toEqual([]);
});

for (const page of PAGES) {
  const blocks = all.filter((block) => block.page === page);
  if (blocks.length === 0) continue;
  test(`${page} does what it says`, async () => {
    await writeFile(join(outside, "state", "env"), "");
    await writeFile(join(outside, "state", "cwd"), root);
    const names = new Map<string, string>();
    let printed = "";
    for (const block of blocks.filter(({ elsewhere }) => elsewhere === undefined)) {
      for (const service of block.traffic) await addTraffic(service);
      for (const command of block.first) await follow(block, command, 0);
      const typed = replaced(block, names);
      const output = await follow(block, typed, block.fails);
      printed += output;
      for (const line of typed.split("\n")) ran.add(line.trim());
      for (const { line, text } of block.shown)
        expect.soft(notPrinted(text, output), `${page}:${line} shows what is not printed; printed is\n${output}`).toEqual([]);
      for (const { name, pattern } of block.names) {
        const last = [...printed.matchAll(pattern)].at(-1)?.[1];
        expect(last, `${page}:${block.line}: nothing printed is ${name}, by ${pattern.source}; printed is\n${output}`).toBeDefined();
        names.set(name, last ?? "");
      }
    }
    for (const client of clients) await client.stop();
    expect(clients.flatMap(({ failures }) => failures)).toEqual([]);
    clients = [];
  });
}

test("the platform is gone at the end, with all that it kept and ran", async () => {
  expect(await readdir(home).catch(() => [])).toEqual([]);
  expect(processes(({ env: theirs }) => theirs.CAIRN_HOME === home)).toEqual([]);
  console.log(`${[...ran].filter((line) => line !== "" && !line.startsWith("#")).length} commands of ${PAGES.length} pages were run`);
});

/** The pages that may hold commands: the README, the guides, and those beside the library's files. */
async function pages(): Promise<string[]> {
  const guides = (await readdir(join(root, "docs"))).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  const folders = (await readdir(join(root, "library"), { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const beside = await Promise.all(
    folders.map(async ({ name }) =>
      (await readdir(join(root, "library", name))).includes("README.md") ? [`library/${name}/README.md`] : [],
    ),
  );
  return [...guides, ...beside.flat(), "README.md"];
}

/** A block as it is typed here: names for what was printed, this platform's port, what the page says is typed instead. */
function replaced({ commands, instead, here }: Block, names: Map<string, string>): string {
  let typed = commands;
  for (const { text, typed: other } of instead) typed = typed.replaceAll(text, other);
  for (const url of here) if (!url.endsWith(".git")) typed = typed.replaceAll(url, `${receiver.url} --this-machine`);
  for (const [name, value] of names) typed = typed.replaceAll(new RegExp(String.raw`\b${name}\b`, "g"), () => value);
  return typed.replaceAll("127.0.0.1:7070", `127.0.0.1:${env.CAIRN_PORT}`);
}

/** Runs commands in the page's shell: the folder and the variables are those that the block before left. */
async function follow(block: Block, commands: string, code: number): Promise<string> {
  const script = `cd "$(cat "$STATE/cwd")"; . "$STATE/env"; trap 'pwd >"$STATE/cwd"; export -p >"$STATE/env"' EXIT\nset -eo pipefail\n${commands}`;
  const ended = await result(script);
  expect(ended.code, `${block.page}:${block.line}:\n${commands}\nprinted\n${ended.output}`).toBe(code);
  return ended.output;
}

const result = (script: string): Promise<{ code: number | null; output: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn("bash", ["-c", script], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"], timeout: 240_000 });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.once("error", reject);
    child.once("exit", (code) => setImmediate(() => resolve({ code, output })));
  });

/** Users of a service's production, until the end: enough of them that a canary is soon judged. */
async function addTraffic(service: string): Promise<void> {
  const ask = async <T>(...args: string[]): Promise<T> =>
    JSON.parse((await result(["cairn", ...args, "-o", "json"].join(" "))).output) as T;
  const url = await addressOf({ cairn: ask }, service, "production");
  for (let at = 0; at < 8; at++) clients.push(new Client(url, { writes: false }));
}

/** Somebody else's receiver of notices. */
async function serve(): Promise<{ url: string; close: () => void }> {
  const server = createServer((_request, response) => response.writeHead(204).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`, close: () => server.close() };
}

/** A repository as people have them: code, a test, and nothing of Cairn. */
async function repository(folder: string): Promise<void> {
  const files = {
    "package.json": JSON.stringify({
      name: "parcels",
      scripts: { start: "node server.js", test: "node --test --test-reporter=junit --test-reporter-destination=reports/junit.xml" },
    }),
    "server.js": `require("http").createServer((q, r) => r.end(q.url === "/healthz" ? "ok" : "parcels")).listen(process.env.PORT, "127.0.0.1");\n`,
    "adds.test.js": `require("node:test").test("adds", () => {});\n`,
    "reports/.gitkeep": "",
    "README.md": "# Parcels\n",
  };
  const work = `${folder}.work`;
  const { code, output } = await result(`set -e; git -c init.defaultBranch=main init --quiet "${work}"; mkdir "${work}/reports"`);
  expect(code, output).toBe(0);
  for (const [path, content] of Object.entries(files)) await writeFile(join(work, path), content);
  const identity = "-c user.name=Somebody -c user.email=somebody@example.com";
  const made = await result(
    `set -e; cd "${work}"; git add --all; git ${identity} commit --quiet -m "Parcels"; git clone --quiet --bare . "${folder}"`,
  );
  expect(made.code, made.output).toBe(0);
}
