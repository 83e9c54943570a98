import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { lostHomes } from "./lost-homes.ts";

test("lostHomes() names the data of a home that is gone, and nothing of one that is there", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-lost-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const elsewhere = join(folder, "elsewhere");
  const homes = { kept: join(folder, "kept"), gone: join(folder, "gone") };
  for (const name of ["kept", "gone"] as const) {
    await mkdir(homes[name]);
    await mkdir(join(elsewhere, name), { recursive: true });
    await symlink(homes[name], join(elsewhere, name, "home"));
  }
  await mkdir(join(elsewhere, "builds"));
  expect(await lostHomes(elsewhere)).toEqual([]);
  await rm(homes.gone, { recursive: true });
  expect(await lostHomes(elsewhere)).toEqual([{ home: homes.gone, folders: [join(elsewhere, "gone")] }]);
  expect(await lostHomes(join(folder, "nowhere"))).toEqual([]);
});
