import type { Principal } from "../identity/model.ts";
import { transact } from "../kernel/sql.ts";
import type { Orchestrator } from "../orchestrator/contract.ts";
import type { Plan } from "../plans/model.ts";
import type { Planner } from "../plans/routes.ts";
import { claim, find, offer, type KeptPlan } from "../plans/store.ts";
import { keep } from "../policy/store.ts";
import { createService, payloadOf } from "./create-service.ts";
import { decommissionService } from "./decommission-service.ts";
import { carriedOutByDelivery } from "./faults.ts";
import type { Parts } from "./parts.ts";
import { deletionBasis, planDeletion, type DeletionPayload } from "./plan-deletion.ts";
import { planService, serviceBasis } from "./plan-service.ts";

/** Makes and applies the plans that people ask for. Making one changes nothing but the list of plans. */
export const planner = (parts: Parts, orchestrator: Orchestrator): Planner => {
  const offered = async (plan: Plan, by: Principal) =>
    find(parts.db, await transact(parts.db, (tx) => offer(tx, parts.clock, by.ref, plan)));
  return {
    async make(order, by) {
      const { plan, judged } = await planService(parts, order);
      const digest = await transact(parts.db, async (tx) => {
        for (const { grounds, judgement } of judged) await keep(tx, parts.clock, by.ref, grounds, judgement);
        return offer(tx, parts.clock, by.ref, plan);
      });
      return find(parts.db, digest);
    },
    makeDeletion: async (order, by) => offered(await planDeletion(parts, order), by),
    apply: async (digest, by) => ({ run: await apply(parts, orchestrator, await find(parts.db, digest), by) }),
  };
};

async function apply(parts: Parts, orchestrator: Orchestrator, { digest, plan }: KeptPlan, by: Principal): Promise<string> {
  const { db, clock } = parts;
  const about = { about: plan.about, startedBy: by.ref };
  const short = digest.slice("sha256:".length, "sha256:".length + 8);
  switch (plan.kind) {
    case "create-service": {
      const { service } = payloadOf(plan);
      const run = `create-${service}-${short}`;
      const basisNow = await serviceBasis(parts, payloadOf(plan));
      return claim(db, clock, by.ref, digest, {
        basisNow,
        run,
        begin: (tx) => orchestrator.start(createService, { plan: digest, service }, { ...about, id: run, tx }),
      });
    }
    case "decommission-service": {
      const payload = plan.payload as unknown as DeletionPayload;
      const run = `delete-${payload.service}-${short}`;
      const basisNow = await deletionBasis(parts, payload);
      return claim(db, clock, by.ref, digest, {
        basisNow,
        run,
        begin: (tx) =>
          orchestrator.start(decommissionService, { plan: digest, environments: payload.environments }, { ...about, id: run, tx }),
      });
    }
    case "deliver":
      throw carriedOutByDelivery(digest);
  }
}
