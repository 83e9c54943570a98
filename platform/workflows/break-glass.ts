import { requireOwner } from "../catalog/store.ts";
import { groups, serviceView } from "../catalog/views.ts";
import { groupRef } from "../identity/access.ts";
import { administrators } from "../identity/store.ts";
import { transact, type Sql } from "../kernel/sql.ts";
import { workflow, type Orchestrator } from "../orchestrator/contract.ts";
import { breakGlassNoPerson } from "../policy/break-glass-faults.ts";
import type { BreakGlassDesk } from "../policy/break-glass-routes.ts";
import { closeBreakGlass, endBreakGlass, openBreakGlass, reviewBreakGlass } from "../policy/break-glass-store.ts";
import { scopeOf, secondsOf } from "../policy/break-glass.ts";
import type { Parts } from "./parts.ts";

/**
 * Watches a break-glass to its end and its follow-up to its review. That it is over needs nobody to note it: that is the clock's. What this notes is that
 * somebody has to look at what was done.
 */
export const breakGlass = workflow(
  "break glass",
  () => ["until its end", "open the follow-up", "until it is reviewed"],
  async (run, { id, until }: { id: string; until: string }, { clock }: Pick<Parts, "clock">): Promise<{ reviewedBy: string }> => {
    // Asked for and granted: nothing of it is taken back, and what fails is tried again.
    await run.commit();
    for (;;) {
      const leftSeconds = (new Date(until).getTime() - (await run.now()).getTime()) / 1000;
      if (leftSeconds <= 0) break;
      const waitsFor = `its end at ${until}; to end it sooner: cairn break-glass close ${id}`;
      if (await run.waitFor<true>("until its end", { topic: CLOSED, waitsFor, timeoutSeconds: leftSeconds })) break;
    }
    await run.transaction("open the follow-up", async (tx) => {
      await endBreakGlass(tx, clock, "system:break-glass", id);
      return null;
    });
    const waitsFor = `its review by somebody other than ${run.startedBy}: cairn break-glass review ${id}`;
    const reviewedBy = await run.waitFor<string>("until it is reviewed", { topic: REVIEWED, waitsFor });
    return { reviewedBy: reviewedBy ?? "" };
  },
);

const CLOSED = "closed";
const REVIEWED = "reviewed";
const runOf = (id: string) => `break-glass-${id}`;

/** Opens, ends and reviews break-glasses: each with its ledger line and what its workflow needs, in one transaction. */
export const breakGlassDesk = (
  { db, clock, policies, environments }: Pick<Parts, "db" | "clock" | "policies" | "environments">,
  orchestrator: Orchestrator,
): BreakGlassDesk => ({
  ownerOf: async (service) => {
    await serviceView(db, service);
    return requireOwner(db, service).catch(() => undefined);
  },

  async open(order, by) {
    if (by.kind === "system") throw breakGlassNoPerson();
    const seconds = secondsOf(order.seconds);
    const { environment, rules } = scopeOf(order, {
      rules: policies.rules,
      environments: environments.environments.map(({ name }) => name),
    });
    return transact(db, async (tx) => {
      const owner = await requireOwner(tx, order.service).catch(() => undefined);
      const witnesses = await witnessesOf(tx, owner, by.ref);
      const opened = { service: order.service, environment, rules, because: order.because, openedBy: by.ref, witnesses, seconds };
      return openBreakGlass(tx, clock, opened, ({ id, until }) =>
        orchestrator.start(
          breakGlass,
          { id, until: until.toISOString() },
          { id: runOf(id), about: `break-glass:${id}`, startedBy: by.ref, tx },
        ),
      );
    });
  },

  close: (id, because, by) =>
    transact(db, async (tx) => {
      await orchestrator.send(runOf(id), CLOSED, true, { key: CLOSED, tx });
      return closeBreakGlass(tx, clock, by.ref, id, because);
    }),

  async review(id, because, by) {
    if (by.kind === "system") throw breakGlassNoPerson();
    return reviewBreakGlass(db, clock, by, id, because, (tx) => orchestrator.send(runOf(id), REVIEWED, by.ref, { key: REVIEWED, tx }));
  },
});

/** Who is told at once, and may review: the other members of the owning team, and the other administrators. */
async function witnessesOf(db: Sql, owner: string | undefined, opener: string): Promise<string[]> {
  const team = owner === undefined ? undefined : (await groups(db)).find(({ ref }) => ref === groupRef(owner));
  const people = [...(team?.members.map(({ ref }) => ref) ?? []), ...(await administrators(db))];
  return [...new Set(people)].filter((ref) => ref !== opener).toSorted();
}
