import { newId } from "../kernel/ids.ts";
import { transact } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import type { Orchestrator } from "../orchestrator/contract.ts";
import type { Deliverer } from "../releases/deliver-routes.ts";
import { factsAt } from "./check-change.ts";
import { deliverCommit } from "./deliver-commit.ts";
import { nothingMerged } from "./faults.ts";
import type { Parts } from "./parts.ts";
import { route } from "./plan-service.ts";

/** Delivers what was merged last once more: planned and judged anew, so that it takes up what has changed beside the code, such as a secret. */
export const deliverer = (parts: Parts, orchestrator: Orchestrator): Deliverer => ({
  async again(service, by, because) {
    const { db, clock, forge } = parts;
    const merged = (await forge.changes({ repository: service, state: "merged" })).toSorted(
      (a, b) => (b.mergedAt?.getTime() ?? 0) - (a.mergedAt?.getTime() ?? 0),
    )[0];
    if (!merged?.mergeCommit) throw nothingMerged(service);
    const commit = merged.mergeCommit;
    const environments = route(parts, await factsAt(parts, service, commit)).map(({ name }) => name);
    const again = newId("a", clock).slice(-8);
    const run = `deliver-${service}-${commit.slice(0, 12)}-${again}`;
    const about = `component:default/${service}`;
    await transact(db, async (tx) => {
      const input = { repository: service, number: merged.number, commit, environments, again };
      await orchestrator.start(deliverCommit, input, { id: run, about, startedBy: by, tx });
      await record(tx, clock, { type: "releases.delivery_asked", about, actor: by, data: { run, commit, because } });
    });
    return { run };
  },
});
