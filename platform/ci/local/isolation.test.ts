import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { reachableByOthers } from "../../kernel/other-users.ts";
import { run } from "../../kernel/processes.ts";
import { emptyCell, startIn } from "../cell.ts";
import { findBuildIsolation } from "./isolation.ts";
import { makeWorkFolder, removeWorkFolder } from "./work-folder.ts";

const root = process.getuid?.() === 0;
const checkout = join(import.meta.dirname, "../../..");
const SECRET = "the-key-of-the-runner";

/** A home as the platform makes it: others may pass, its folders are private. */
async function aHome(owner?: number) {
  const home = await mkdtemp(join(tmpdir(), "cairn-isolation-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await chmod(home, 0o755);
  for (const folder of ["keys", "secrets", "forge"]) {
    await mkdir(join(home, folder), { mode: 0o700 });
    await writeFile(join(home, folder, "one.pem"), SECRET, { mode: 0o600 });
  }
  if (owner !== undefined) await run("chown", ["-R", `${owner}:${owner}`, home], { env: { PATH: process.env.PATH } });
  return home;
}

/** All that a build can think of to get at the platform's files; what it gets hold of it prints. */
const SPY = `
for folder in keys secrets forge; do ls "$CAIRN_SPIED/$folder"; cat "$CAIRN_SPIED/$folder/one.pem"; ln "$CAIRN_SPIED/$folder/one.pem" stolen && cat stolen; done
umount "$CAIRN_SPIED"; chmod -R 777 "$CAIRN_SPIED"; cat "$CAIRN_SPIED/keys/one.pem"
for process in /proc/[0-9]*; do cat "$process/root$CAIRN_SPIED/keys/one.pem"; tr '\\0' '\\n' <"$process/environ" | grep PLATFORMS_OWN; done
unshare --user --map-root-user --mount sh -c 'umount "$CAIRN_SPIED"; cat "$CAIRN_SPIED/keys/one.pem"'
echo written >"$CAIRN_SPIED/keys/planted"
echo works >result; echo "tried as $(id -u)"`;

test.runIf(root)("as root a build runs under a user of its own: it works in its folder, and reads nothing of the home", async () => {
  const home = await aHome();
  const isolation = await findBuildIsolation({ home, work: join(home, "ci", "work"), hidden: [], checkout });
  expect(isolation.kind).toBe("user");
  const work = await makeWorkFolder(join(isolation.folder, "run-1"));
  const { cell, leave } = await isolation.enter(work.root);
  const start = startIn(cell, SPY, work.source);
  const env = { PATH: process.env.PATH, CAIRN_SPIED: home };
  const stop = new AbortController();
  const ours = run("sleep", ["1000"], { env: { ...env, PLATFORMS_OWN: SECRET }, signal: stop.signal });
  const ended = await run(start.program, start.args, { ...start, cwd: work.source, env });
  await leave();
  stop.abort();
  await ours;
  expect(ended.stdout.toString()).toMatch(/tried as 9\d{4}/);
  expect(ended.stdout.toString() + ended.stderr.toString()).not.toContain(SECRET);
  expect(await readFile(join(work.source, "result"), "utf8")).toBe("works\n");
  expect(await readdir(join(home, "keys"))).toEqual(["one.pem"]);
  await removeWorkFolder(work);
});

test.runIf(root)("a home that others can't reach keeps its builds elsewhere", async () => {
  const home = await aHome();
  await chmod(home, 0o700);
  await mkdir(join(home, "ci"), { mode: 0o700 });
  const isolation = await findBuildIsolation({ home, work: join(home, "ci", "work"), hidden: [], checkout });
  onTestFinished(() => rm(isolation.folder, { recursive: true, force: true }));
  expect(isolation).toMatchObject({ kind: "user", folder: expect.stringMatching(/^\/var\/lib\/cairn\/builds-/) });
});

// The platform as an ordinary user: in a process of that user, which needs to reach this code.
const ordinary = root && (await reachableByOthers(checkout)) && (await reachableByOthers(dirname(process.execPath)));
test.runIf(ordinary)(
  "as an ordinary user a build sees an empty home where the kernel lets us, and is called not isolated where not",
  async () => {
    const user = 64_321;
    const home = await aHome(user);
    const program = `
    const { findBuildIsolation } = await import(${JSON.stringify(join(import.meta.dirname, "isolation.ts"))});
    const { makeWorkFolder } = await import(${JSON.stringify(join(import.meta.dirname, "work-folder.ts"))});
    const { startIn } = await import(${JSON.stringify(join(import.meta.dirname, "../cell.ts"))});
    const { run } = await import(${JSON.stringify(join(checkout, "platform/kernel/processes.ts"))});
    const home = process.env.CAIRN_SPIED;
    const isolation = await findBuildIsolation({ home, work: home + "/ci/work", hidden: [home + "/../not-there"], checkout: ${JSON.stringify(checkout)} });
    const work = await makeWorkFolder(isolation.folder + "/run-1");
    const { cell } = await isolation.enter(work.root);
    const start = startIn(cell, process.env.SPY, work.source);
    const ended = await run(start.program, start.args, { cwd: work.source, env: { PATH: process.env.PATH, CAIRN_SPIED: home } });
    console.log(JSON.stringify({ kind: isolation.kind, source: work.source, code: ended.code, text: ended.stdout + "" + ended.stderr }));`;
    const done = await run(process.execPath, ["--input-type=module", "-e", program], {
      env: { PATH: process.env.PATH, HOME: home, CAIRN_SPIED: home, PLATFORMS_OWN: SECRET, SPY },
      cwd: home,
      uid: user,
      gid: user,
    });
    expect(done.stderr.toString()).not.toContain("Error");
    const seen = JSON.parse(done.stdout.toString()) as { kind: string; source: string; code: number; text: string };
    expect(seen).toMatchObject({ code: 0, text: expect.stringContaining(`tried as ${user}`) });
    expect(await readFile(join(seen.source, "result"), "utf8")).toBe("works\n");
    if (seen.kind === "none") expect(seen.text).toContain(SECRET);
    else {
      expect(seen.text).not.toContain(SECRET);
      expect(await readdir(join(home, "keys"))).toEqual(["one.pem"]);
    }
  },
);

test.runIf(root)("emptyCell() ends a build that forks without end, in sessions and environments of its own", async () => {
  const home = await aHome();
  const isolation = await findBuildIsolation({ home, work: join(home, "ci", "work"), hidden: [], checkout });
  const work = await makeWorkFolder(join(isolation.folder, "run-1"));
  const { cell, leave } = await isolation.enter(work.root);
  if (cell.kind !== "user") throw new Error("no user of its own");
  const few = { ...cell, processes: 60 };
  const bomb = `setsid env -i sh -c 'while :; do sleep 1; done' & bomb() { bomb | bomb & }; bomb; wait; sleep 1000`;
  const start = startIn(few, bomb, work.source);
  const ended = await run(start.program, start.args, { ...start, cwd: work.source, env: { PATH: process.env.PATH }, timeoutSeconds: 1 });
  expect(ended.timedOut || ended.code !== 0).toBe(true);
  await emptyCell(few);
  expect(await processesOf(cell.user)).toEqual([]);
  await leave();
  await removeWorkFolder(work);
});

async function processesOf(user: number): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const statuses = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/status`, "utf8").catch(() => "")));
  return statuses.filter((status) => status.includes(`\nUid:\t${user}\t`) && !/^State:\t[ZX]/m.test(status));
}
