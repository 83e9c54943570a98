import type { Checker } from "../forge/check-routes.ts";
import { newId } from "../kernel/ids.ts";
import { transact } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import type { Orchestrator } from "../orchestrator/contract.ts";
import { checkChange } from "./check-change.ts";
import { changeEnded } from "./faults.ts";
import type { Parts } from "./parts.ts";

/** Checks a change request once more, for a failure that had nothing to do with its commit, or after a rule or a team has changed. */
export const checker = (parts: Parts, orchestrator: Orchestrator): Checker => ({
  async again(repository, number, by) {
    const { db, clock, forge } = parts;
    const { head, state } = await forge.change(repository, number);
    if (state !== "open") throw changeEnded(repository, number, state);
    const again = newId("a", clock).slice(-8);
    const run = `check-${repository}-${number}-${head.slice(0, 12)}-${again}`;
    await transact(db, async (tx) => {
      const about = `change:${repository}/${number}`;
      await orchestrator.start(checkChange, { repository, number, head, again }, { id: run, about, startedBy: by, tx });
      await record(tx, clock, { type: "forge.check_asked", about: `repository:${repository}`, actor: by, data: { run, number, head } });
    });
    return { run };
  },
});
