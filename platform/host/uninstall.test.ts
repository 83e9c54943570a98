import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { placesElsewhere } from "@cairn/agent/client.ts";
import { places, readConfig } from "../kernel/config.ts";
import { buildsElsewhere } from "../kernel/other-users.ts";
import { removeTraces, tracesOf } from "./uninstall.ts";

const aFolder = async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-uninstall-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

test.runIf(process.getuid?.() === 0)("what of a home lies elsewhere goes with it: data, work folders of builds", async () => {
  const home = await aFolder();
  const config = readConfig({ CAIRN_HOME: home });
  const elsewhere = [...placesElsewhere(home), buildsElsewhere(join(places(home).ci, "work"))];
  for (const folder of [...elsewhere, places(home).keys]) await mkdir(folder, { recursive: true });
  const { folders } = await tracesOf(config, {});
  expect(folders.toSorted()).toEqual([home, ...elsewhere].toSorted());
  await removeTraces({ folders, caches: [], database: undefined });
  for (const folder of folders) expect(existsSync(folder), folder).toBe(false);
});

test("a folder that holds other things is refused, and left as it is", async () => {
  const home = await aFolder();
  await writeFile(join(home, "thesis.tex"), "");
  await expect(tracesOf(readConfig({ CAIRN_HOME: home }), {})).rejects.toMatchObject({ code: "host.not_a_home" });
  expect(existsSync(join(home, "thesis.tex"))).toBe(true);
});
