import { getGlobalDispatcher } from "undici";
import { afterAll, expect, test } from "vitest";
import { loadOrganisation } from "../catalog/organisation.ts";
import { ingest } from "../catalog/store.ts";
import { parseDocuments } from "../catalog/descriptor.ts";
import type { Check, Forge } from "../forge/contract.ts";
import { transact } from "../kernel/sql.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { checkChange } from "./check-change.ts";
import { Scheduler } from "./simulation/scheduler.ts";
import { startWeb, World } from "./simulation/world.ts";

const { web, stop } = startWeb(getGlobalDispatcher());
afterAll(stop);

/** What policy says of a head without a runbook, that says it is of this tier, of a service that is of that one. */
async function policyOf({ is, says }: { is: string; says: string }): Promise<string> {
  const clock = testClock();
  const db = await database();
  const world = new World(db, clock, () => 0.5, web, "orders");
  const team = { apiVersion: "backstage.io/v1alpha1", kind: "Group", metadata: { name: "team-a" }, spec: { type: "team", children: [] } };
  await transact(db, (tx) => loadOrganisation(tx, clock, "system:test", [team]));
  clock.turn(60);
  const { data } = await world.merge("orders", {
    tier: "tier-3",
    environments: ["production"],
    quality: "good",
    by: "user:default/ada",
    approvedBy: null,
  });
  const { commit, number } = data as { commit: string; number: number };
  const { forge } = world.parts;
  const read: Forge["readFile"] = async (repository, revision, path) =>
    path === "docs/runbook.md"
      ? undefined
      : (await forge.readFile(repository, revision, path))?.replace(
          "cairn.dev/tier: tier-3",
          `cairn.dev/tier: ${revision === commit ? says : is}`,
        );
  const checks = new Map<string, Omit<Check, "updatedAt">>();
  const parts = {
    ...world.parts,
    forge: {
      ...forge,
      listFiles: forge.listFiles,
      change: forge.change,
      readFile: read,
      setCheck: async (_: string, __: string, check: Omit<Check, "updatedAt">) => void checks.set(check.name, check),
    } as Forge,
  };
  const text = (await read("orders", "main", "catalog-info.yaml")) ?? "";
  await transact(db, (tx) => ingest(tx, clock, "system:test", { repository: "orders", commit, documents: parseDocuments(text).documents }));
  const scheduler = new Scheduler(parts, clock);
  await scheduler.start(checkChange, { repository: "orders", number, head: commit }, { id: "check", about: "", startedBy: "system:test" });
  for (let next = scheduler.ready()[0]; next; next = scheduler.ready()[0]) await scheduler.advance(next.id);
  const policy = checks.get("policy");
  return `${policy?.state}: ${policy?.summary.split(":")[0]}`;
}

test("a change is judged by the strictest of what its service is and what it says: it can't slip by as less important", async () => {
  expect(await policyOf({ is: "tier-3", says: "tier-3" })).toBe("warned: slo-and-runbook");
  expect(await policyOf({ is: "tier-1", says: "tier-3" })).toMatch(/^failed: /);
  expect(await policyOf({ is: "tier-3", says: "tier-1" })).toMatch(/^failed: /);
});
