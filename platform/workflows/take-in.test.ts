import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadOrganisation } from "../catalog/organisation.ts";
import { localForge } from "../forge/local/forge.ts";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { anEntity } from "../testing/organisation.ts";
import { takeIn } from "./take-in.ts";

const ada = "user:default/ada";

test("takeIn() hands the repository to the owner that main names, once; and to nobody whom the catalog does not know", async () => {
  const db = await database();
  const clock = testClock();
  const folder = await mkdtemp(join(tmpdir(), "cairn-take-in-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const forge = await localForge({ db, clock, folder, publicUrl: "http://127.0.0.1:1" });
  const teams = ["team-a", "team-b"].map((name) => anEntity("Group", name, { type: "team", children: [] }));
  await transact(db, (tx) => loadOrganisation(tx, clock, ada, teams));
  const about = { name: "orders", owner: "group:default/team-a", message: "Begin", author: { ref: ada, name: "ada" }, at: clock.now() };
  const { commit } = await forge.createRepository({ ...about, files: [] });
  const ownerAfter = async (owner: string) => {
    const documents = [anEntity("Component", "orders", { type: "service", lifecycle: "production", owner })];
    await transact(db, (tx) => takeIn(tx, clock, ada, "orders", { repository: "orders", commit, documents }));
    return (await forge.repository("orders")).owner;
  };

  expect(await ownerAfter("group:default/team-a")).toBe("group:default/team-a");
  expect(await ownerAfter("team-b")).toBe("group:default/team-b");
  expect(await ownerAfter("group:default/team-gone")).toBe("group:default/team-b");
  expect(await ownerAfter("team-b")).toBe("group:default/team-b");
  const told = (await events(db, { about: "repository:orders" })).filter(({ type }) => type === "forge.repository_handed_over");
  expect(told.map(({ data, actor }) => ({ data, actor }))).toEqual([
    { actor: ada, data: { repository: "orders", from: "group:default/team-a", to: "group:default/team-b" } },
  ]);
});
