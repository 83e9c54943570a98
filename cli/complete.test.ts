import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { complete } from "./complete.ts";
import { cairnProgram } from "./program.ts";

const execute = promisify(execFile);
const nowhere = { XDG_CONFIG_HOME: "/nowhere", CAIRN_URL: "http://127.0.0.1:1" };

const values = async (words: string[], env: NodeJS.ProcessEnv = nowhere) =>
  (await complete(cairnProgram(), words, env)).values.map(({ value }) => value);

/** A platform that knows some names, and counts how often it is asked. */
async function platform(): Promise<{ env: NodeJS.ProcessEnv; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const body = request.url?.startsWith("/api/catalog/service-views")
      ? { items: [{ name: "orders" }, { name: "parcels" }] }
      : request.url?.startsWith("/api/changes")
        ? { changes: [{ repository: "orders", number: 2 }] }
        : request.url?.startsWith("/api/scorecards")
          ? { points: [{ id: "scanned" }] }
          : { releases: [{ id: "rel-orders-dev-23dd513b5dc5" }] };
    response.setHeader("content-type", "application/json").end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { env: { XDG_CONFIG_HOME: "/nowhere", CAIRN_URL: `http://127.0.0.1:${port}`, CAIRN_TOKEN: "cairn_test" }, asked };
}

test("complete() knows commands, options and choices without a platform, and is silent about names", async () => {
  expect(await values(["rel"])).toEqual(["releases", "release"]);
  expect(await values(["changes", ""])).toEqual(expect.arrayContaining(["list", "show", "open", "diff"]));
  expect(await values(["decisions", "--at", ""])).toEqual(["change", "plan", "release", "audit"]);
  expect(await values(["rollback", "orders", "--t"])).toEqual(["--to"]);
  expect(await values(["scorecards", "--state", "m"])).toEqual(["met", "missed"]);
  expect(await values(["completion", "z"])).toEqual(["zsh"]);
  expect(await values(["logs", ""])).toEqual([]);
  expect((await complete(cairnProgram(), ["windows", "load", ""], nowhere)).files).toBe(true);
});

test("complete() gives the names that the platform has: of arguments, of options, behind a default command", async () => {
  const { env, asked } = await platform();
  expect(await values(["logs", "or"], env)).toEqual(["orders"]);
  expect(await values(["break-glass", "open", "-s", ""], env)).toEqual(["orders", "parcels"]);
  expect(await values(["releases", "pa"], env)).toEqual(["parcels"]);
  expect(await values(["merge", ""], env)).toEqual(["orders/2"]);
  expect(await values(["approve", ""], env)).toEqual(["orders/2", "rel-orders-dev-23dd513b5dc5"]);
  expect(await values(["scorecards", "--point", ""], env)).toEqual(["scanned"]);
  expect(asked.length).toBe(7);
  expect(await values(["logs", "orders", "--li"], env)).toEqual(["--lines"]);
  expect(asked.length).toBe(7);
});

/** What a shell offers for a typed line, by the script that people source. */
async function offered(shell: string, typed: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-completion-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const script = `source <(cairn completion bash); COMP_LINE=$1; COMP_POINT=\${#1}; _cairn_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const path = `${join(import.meta.dirname, "..")}:${process.env.PATH}`;
  const { stdout } = await execute(shell, ["-c", script, shell, typed], { env: { ...process.env, ...env, PATH: path } });
  return stdout.split("\n").filter(Boolean);
}

test("cairn completion bash completes in bash, names and behind a colon too", async () => {
  const { env } = await platform();
  expect(await offered("bash", "cairn brea", env)).toEqual(["break-glass"]);
  expect(await offered("bash", "cairn logs ", env)).toEqual(["orders", "parcels"]);
  expect(await offered("bash", "cairn logs par", env)).toEqual(["parcels"]);
  expect(await offered("bash", "cairn logs ", { ...nowhere, CAIRN_TOKEN: "cairn_test" })).toEqual([]);
});
