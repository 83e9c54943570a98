import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { CheckState } from "../forge/contract.ts";
import { localForge } from "../forge/local/forge.ts";
import { TreeFile } from "../kernel/file-tree.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { checkRelieved } from "./check-again.ts";

const ada = "user:default/ada";

test("checkRelieved() checks what policy refused once more for each word that may let it pass, and nothing else", async () => {
  const clock = testClock();
  const folder = await mkdtemp(join(tmpdir(), "cairn-relieved-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const forge = await localForge({ db: await database(), clock, folder, publicUrl: "http://127.0.0.1:1" });
  const begun = { owner: "group:default/team-a", message: "Begin", author: { ref: ada, name: "ada" }, at: clock.now(), files: [] };
  for (const name of ["orders", "stock"]) await forge.createRepository({ ...begun, name });
  const open = async (repository: string, branch: string, policy: CheckState) => {
    const files = [TreeFile.parse({ path: "a", content: branch })];
    await forge.createBranch({ ...begun, repository, branch, files });
    const { number, head } = await forge.openChange({ repository, branch, title: branch, description: "", author: ada });
    await forge.setCheck(repository, head, { name: "policy", state: policy, summary: "", details: [], link: null });
    return { repository, number, head };
  };
  const refused = await open("orders", "refused", "failed");
  await open("orders", "passed", "passed");
  await open("stock", "another", "failed");
  const gone = await open("orders", "gone", "failed");
  await forge.close({ repository: "orders", number: gone.number, by: ada });

  const started = new Map<string, unknown>();
  const orchestrator: Parameters<typeof checkRelieved>[1] = {
    start: async (_workflow, input, { id }) => {
      started.set(id, input);
      return { id };
    },
  };
  await checkRelieved({ forge }, orchestrator, { about: "component:default/orders", seq: 7, actor: ada });
  await checkRelieved({ forge }, orchestrator, { about: "component:default/orders", seq: 7, actor: ada });
  await checkRelieved({ forge }, orchestrator, { about: "platform", seq: 8, actor: ada });
  expect([...started]).toEqual([[`check-orders-1-${refused.head.slice(0, 12)}-after-7`, refused]]);
});
