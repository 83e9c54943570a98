import { serviceRef } from "../catalog/store.ts";
import type { Checker } from "../forge/check-routes.ts";
import { newId } from "../kernel/ids.ts";
import { transact } from "../kernel/sql.ts";
import type { RecordedEvent } from "../ledger/model.ts";
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

/** The ledger events after which policy may let through what it refused. */
export const RELIEVING_EVENTS = ["policy.exception_granted", "policy.break_glass_opened"] as const;

/** Checks the open change requests of a service again that policy refused. What CI said of their heads stands: the same head is not built twice. */
export async function checkRelieved(
  { forge }: Pick<Parts, "forge">,
  orchestrator: Pick<Orchestrator, "start">,
  { about, seq, actor }: Pick<RecordedEvent, "about" | "seq" | "actor">,
): Promise<void> {
  if (!about.startsWith(serviceRef(""))) return;
  for (const { repository, number, head, checks } of await forge.changes({
    repository: about.slice(serviceRef("").length),
    state: "open",
  })) {
    if (!checks.some(({ name, state }) => name === "policy" && state === "failed")) continue;
    const run = { id: `check-${repository}-${number}-${head.slice(0, 12)}-after-${seq}`, about: `change:${repository}/${number}` };
    await orchestrator.start(checkChange, { repository, number, head }, { ...run, startedBy: actor });
  }
}
