import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileSigner } from "../../evidence/signer.ts";
import { file } from "../../evidence/store.ts";
import { localForge } from "../../forge/local/forge.ts";
import { silentLog } from "../../kernel/log.ts";
import { testClock } from "../../testing/clock.ts";
import { database } from "../../testing/database.ts";
import { CANNOT_MOUNT, smallDisk } from "../../testing/small-disk.ts";
import { aProject, treeOf } from "../fixture.ts";
import { notIsolated } from "./isolation.ts";
import { localCi } from "./runner.ts";
import { LOCAL_BUILDER } from "./statements.ts";

test("a build whose artifact finds no room fails and says so, keeps nothing, and passes once there is room", async (context) => {
  const disk = await smallDisk(20 * 1024 * 1024);
  if (!disk) return context.skip(CANNOT_MOUNT);
  try {
    const home = disk.folder;
    const db = await database();
    const clock = testClock();
    const forge = await localForge({ db, clock, folder: join(home, "forge"), publicUrl: "http://127.0.0.1:1" });
    const { commit } = await forge.createRepository({
      name: "orders",
      owner: "group:default/team-a",
      files: treeOf(aProject({ build: "mkdir -p dist; cp serve.sh dist; head -c 11000000 /dev/urandom >dist/large" })),
      message: "Begin",
      author: { ref: "user:default/ada", name: "Ada" },
      at: clock.now(),
    });
    const signer = await fileSigner(join(home, "keys"));
    const keys = [{ publicKey: signer.publicKey, keyId: signer.keyId, builder: LOCAL_BUILDER }];
    const ci = localCi({
      db,
      clock,
      log: silentLog,
      forge,
      signer,
      fileEvidence: (filing, within) => file(db, clock, keys, filing, within),
      folder: join(home, "ci"),
      artifacts: join(home, "artifacts"),
      npmCache: join(home, "npm-cache"),
      isolation: notIsolated(join(home, "ci", "work")),
      env: { PATH: process.env.PATH, HOME: home },
    });
    const run = (id: string) => ci.run({ id, repository: "orders", commit, purpose: "merge" });
    const failed = await run("full");
    expect(failed).toMatchObject({ state: "failed", artifact: null, because: expect.stringMatching(/no space left|ENOSPC/i) });
    expect(await readdir(join(home, "artifacts")).catch(() => [])).toEqual([]);
    await disk.resize(128 * 1024 * 1024);
    expect(await run("room")).toMatchObject({ state: "passed" });
    expect(await readdir(join(home, "artifacts"))).toHaveLength(1);
  } finally {
    await disk.remove();
  }
});
