import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdir, readdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Finding } from "../model.ts";
import { anArtifact, ask, aSpec, eventually, runningAgent, type RunningAgent } from "../testing/fixture.ts";
import { findIsolation } from "./isolation.ts";
import { variableOf } from "./proc.ts";

let running: RunningAgent;
let services = 0;
const started: ChildProcess[] = [];
beforeAll(async () => {
  running = await runningAgent();
});
afterAll(async () => {
  for (const child of started) child.kill("SIGKILL");
  await running?.end();
});

const MAIN = `
import http from "node:http";
import { spawn } from "node:child_process";
http.createServer((request, response) => {
  if (request.url === "/pid") return response.end(String(process.pid));
  if (request.url === "/child") return response.end(String(spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).pid));
  response.end("well");
}).listen(process.env.PORT, process.env.HOST);
`;

async function serving(files: Record<string, string> = { "main.mjs": MAIN, "lib.mjs": "export const x = 1;\n" }, start = "node main.mjs") {
  const target = { service: `orders-${++services}`, environment: "dev" };
  const spec = aSpec({ artifact: await anArtifact(running.home, files), start });
  const { url } = await running.agent.ensureTarget(target);
  await running.agent.deploy(target, spec);
  await running.agent.setWeights(target, { [spec.id]: 100 });
  const { folder } = await findIsolation(running.home);
  return { target, spec, url, app: join(folder, `${target.service}.dev`, spec.id, "app") };
}

const found = async (target: { service: string; environment: string }): Promise<Pick<Finding, "kind" | "subject" | "detail">[]> => {
  await running.agent.look();
  return (await running.agent.observe(target)).findings;
};

/** Starts something by hand, as whoever is on the machine might. */
function byHand(command: string, args: string[], options: { env?: NodeJS.ProcessEnv; uid?: number } = {}): ChildProcess {
  const child = spawn(command, args, {
    detached: true,
    stdio: "ignore",
    cwd: "/",
    env: options.env ?? { PATH: process.env.PATH },
    ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
  });
  started.push(child);
  return child;
}

test("nothing is found in what runs as it was started, nor among the children of a service", async () => {
  const { target, url } = await serving();
  await ask(`${url}/child`);
  expect(await found(target)).toEqual([]);
  expect(await found(target)).toEqual([]);
});

test("a file that is changed, added, removed, made executable or replaced by a link is found by its path, and gone when it is put right", async () => {
  const { target, app } = await serving({ "main.mjs": MAIN, "a.txt": "a", "b.txt": "b", "c.txt": "c", "d.txt": "dd" });
  expect(await found(target)).toEqual([]);
  await chmod(app, 0o755);
  await chmod(join(app, "a.txt"), 0o644);
  await writeFile(join(app, "a.txt"), "x");
  await utimes(join(app, "a.txt"), new Date(0), new Date(0)); // as if nothing had happened
  await rm(join(app, "b.txt"));
  await chmod(join(app, "c.txt"), 0o755);
  await rm(join(app, "d.txt"));
  await mkdir(join(app, "d.txt"));
  await writeFile(join(app, "new.mjs"), "evil");
  expect((await found(target)).map(({ kind, subject }) => [kind, subject]).sort()).toEqual([
    ["file_added", "new.mjs"],
    ["file_changed", "a.txt"],
    ["file_changed", "c.txt"],
    ["file_changed", "d.txt"],
    ["file_missing", "b.txt"],
  ]);
  await rm(join(app, "new.mjs"));
  await rm(join(app, "d.txt"), { recursive: true });
  await writeFile(join(app, "d.txt"), "dd");
  await writeFile(join(app, "b.txt"), "b");
  await chmod(join(app, "c.txt"), 0o444);
  await writeFile(join(app, "a.txt"), "a");
  expect(await found(target)).toEqual([]);
});

test("the list of files itself can't be swapped for another", async () => {
  const { target, app } = await serving();
  await writeFile(join(app, "..", "tree.json"), "[]");
  expect(await found(target)).toMatchObject([{ kind: "file_changed", subject: "tree.json" }]);
});

test("files that were changed are unpacked anew before the revision starts again", async () => {
  const { target, url, app } = await serving();
  await chmod(join(app, "main.mjs"), 0o644);
  await writeFile(join(app, "main.mjs"), MAIN.replace("well", "hacked"));
  process.kill(Number((await ask(`${url}/pid`)).body), "SIGKILL");
  await eventually(async () => (await ask(url)).body === "well");
  expect(await found(target)).toEqual([]);
  expect((await running.agent.logs(target)).map(({ line }) => line)).toContainEqual(
    expect.stringMatching(/main.mjs was changed .* unpacked anew/),
  );
});

test("a revision whose files were changed and whose artifact is gone is not started again, and says so", async () => {
  const { target, spec, url, app } = await serving();
  await chmod(join(app, "main.mjs"), 0o644);
  await writeFile(join(app, "main.mjs"), MAIN.replace("well", "hacked"));
  await rename(spec.artifact.path, `${spec.artifact.path}.away`);
  process.kill(Number((await ask(`${url}/pid`)).body), "SIGKILL");
  const [revision] = await eventually(async () => {
    const { revisions } = await running.agent.observe(target);
    return revisions[0]?.health === "stopped" && revisions;
  });
  expect(revision?.because).toMatch(/its files are not those of its artifact \(main.mjs: .*can't be unpacked anew/);
  expect((await ask(url)).status).toBe(503);
});

test("a process that somebody starts by hand with the revision's environment is found, and what answers in its place too", async () => {
  const { target, url, app } = await serving({ "main.mjs": MAIN }, "while :; do node main.mjs; sleep 1; done");
  const pid = Number((await ask(`${url}/pid`)).body);
  const names = ["PORT", "HOST", "CAIRN_INSTANCE", "CAIRN_REVISION", "PATH"];
  const env = Object.fromEntries(names.map((name) => [name, variableOf(pid, name)]));
  process.kill(pid, "SIGKILL");
  const other = byHand(process.execPath, ["--input-type=module", "-e", MAIN.replace("well", "replaced")], { env });
  await eventually(async () => (await ask(url)).body === "replaced");
  const findings = await eventually(async () => {
    const all = await found(target);
    return all.length >= 2 && all;
  });
  expect(findings).toContainEqual(
    expect.objectContaining({
      kind: "process_foreign",
      subject: `process ${other.pid}`,
      detail: expect.stringContaining("was not started by it"),
    }),
  );
  expect(findings).toContainEqual(
    expect.objectContaining({ kind: "port_taken", detail: expect.stringContaining(`process ${other.pid} `) }),
  );
  other.kill("SIGKILL");
  await eventually(async () => (await found(target)).length === 0);
  expect(await readdir(app)).toEqual(["main.mjs"]);
});

test.runIf(process.getuid?.() === 0)("a process under the target's own user is found, with its command", async () => {
  const { target, url } = await serving();
  const pid = Number((await ask(`${url}/pid`)).body);
  const { uid } = await import("node:fs/promises").then(({ stat }) => stat(`/proc/${pid}`));
  const shell = byHand("/bin/sleep", ["1000"], { uid });
  expect(await eventually(async () => (await found(target)).length === 1 && found(target))).toMatchObject([
    { kind: "process_foreign", subject: `process ${shell.pid}`, detail: expect.stringMatching(/runs as its user \d+ .*sleep 1000/) },
  ]);
});

test.runIf(process.getuid?.() === 0)("as root, a service can't write what it runs from", async () => {
  const tries = `import { writeFileSync } from "node:fs"; import http from "node:http";
    let why = "it could"; try { writeFileSync("main.mjs", "evil"); } catch (error) { why = error.code; }
    let more = "it could"; try { writeFileSync("more.mjs", "evil"); } catch (error) { more = error.code; }
    http.createServer((q, r) => r.end(why + " " + more)).listen(process.env.PORT, process.env.HOST);`;
  const { target, url } = await serving({ "main.mjs": tries });
  expect((await ask(url)).body).toBe("EACCES EACCES");
  expect(await found(target)).toEqual([]);
});

test("a program that was brought in beside the artifact is found when it runs", async () => {
  const { target, url } = await serving({
    "main.mjs": `import http from "node:http"; import { copyFileSync } from "node:fs"; import { spawn } from "node:child_process";
      http.createServer((q, r) => { if (q.url === "/x") { copyFileSync("/bin/sleep", process.env.TMPDIR + "/miner"); spawn(process.env.TMPDIR + "/miner", ["1000"]); } r.end(); })
        .listen(process.env.PORT, process.env.HOST);`,
  });
  await ask(`${url}/x`);
  const findings = await eventually(async () => {
    const all = await found(target);
    return all.length > 0 && all;
  });
  expect(findings).toMatchObject([{ kind: "program_outside", subject: expect.stringMatching(/tmp\/miner$/) }]);
});

test("a service that listens where other machines reach it is told", async () => {
  const { target } = await serving({ "main.mjs": MAIN.replace("process.env.HOST", '"0.0.0.0"') });
  expect(await found(target)).toMatchObject([{ kind: "listens_on_all", subject: expect.stringMatching(/^0\.0\.0\.0:\d+$/) }]);
});

test("a change is found by itself within a minute", { timeout: 90_000 }, async () => {
  const { target, app } = await serving();
  await chmod(app, 0o755);
  await writeFile(join(app, "dropped.mjs"), "evil");
  const at = performance.now();
  await eventually(async () => (await running.agent.observe(target)).findings.length > 0, 60);
  expect(performance.now() - at).toBeLessThan(60_000);
});
