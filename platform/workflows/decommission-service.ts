import { removeEntities } from "../catalog/store.ts";
import type { Digest } from "../kernel/digest.ts";
import { workflow } from "../orchestrator/contract.ts";
import { find } from "../plans/store.ts";
import type { Parts } from "./parts.ts";
import { requireIdle, type DeletionPayload } from "./plan-deletion.ts";

/**
 * Takes a service away as its plan shows: the repository first, so that nothing new begins; then what runs, what it runs on, and last its identity. There is no way back
 * from the first removal on, so that what fails is tried again until it is gone.
 */
export const decommissionService = workflow(
  "decommission service",
  ({ environments }: { plan: Digest; environments: string[] }) => [
    "look whether it is idle",
    "remove the repository",
    ...environments.flatMap((environment) => [`take ${environment} out of service`, `remove the infrastructure of ${environment}`]),
    "leave the catalog",
  ],
  async (run, { plan, environments }, parts: Parts): Promise<{ service: string; kept: string[] }> => {
    const { db, clock, forge, infra, runtime } = parts;
    const payload = async () => (await find(db, plan)).plan.payload as unknown as DeletionPayload;

    const service = await run.step("look whether it is idle", async () => {
      const { service } = await payload();
      await requireIdle(db, service, run.id);
      return service;
    });
    await run.commit();
    await run.step("remove the repository", async () => {
      await forge.removeRepository(service);
      return null;
    });
    const kept: string[] = [];
    for (const environment of environments) {
      await run.step(`take ${environment} out of service`, async () => {
        const there = (await runtime.targets()).some((target) => target.service === service && target.environment === environment);
        if (there) await runtime.remove({ service, environment });
        return null;
      });
      kept.push(
        ...(await run.step(`remove the infrastructure of ${environment}`, async (step) => {
          const removed = await infra.destroy({ service, environment }, run.startedBy, { dropData: (await payload()).dropData });
          await step.tell(removed.map(({ address, result }) => `${address} ${result}`).join(", "));
          return removed.filter(({ result }) => result === "retained").map(({ detail }) => detail);
        })),
      );
    }
    await run.transaction("leave the catalog", async (tx) => {
      await removeEntities(tx, clock, run.startedBy, { service, plan });
      return null;
    });
    return { service, kept };
  },
);
