import type { Clock } from "../../kernel/clock.ts";
import { transact, type Db, type Sql } from "../../kernel/sql.ts";
import { record } from "../../ledger/store.ts";
import type { InfraTarget, ResourceState } from "../contract.ts";

declare module "../../kernel/sql.ts" {
  interface Tables {
    infra_resource: {
      service: string;
      environment: string;
      address: string;
      type: string;
      state: ResourceState["state"];
      properties: Record<string, unknown>;
      created_at: Date;
      updated_at: Date;
    };
  }
}

/** The resources of a service in an environment, by address. */
export const resourcesOf = (db: Sql, { service, environment }: InfraTarget): Promise<ResourceState[]> =>
  db
    .selectFrom("infra_resource")
    .select(["address", "type", "state", "properties"])
    .where("service", "=", service)
    .where("environment", "=", environment)
    .orderBy("address")
    .execute();

/** Writes what a resource is now, or with `undefined` that it is gone; in one transaction with the event, when there is one. */
export async function note(
  db: Db,
  clock: Clock,
  target: InfraTarget,
  address: string,
  resource: Omit<ResourceState, "address"> | undefined,
  event?: { type: `infra.${string}`; actor: string; data: Record<string, unknown> },
): Promise<void> {
  const key = { service: target.service, environment: target.environment, address };
  await transact(db, async (tx) => {
    if (resource) {
      const row = {
        type: resource.type,
        state: resource.state,
        properties: JSON.stringify(resource.properties) as never,
        updated_at: clock.now(),
      };
      await tx
        .insertInto("infra_resource")
        .values({ ...key, ...row, created_at: clock.now() })
        .onConflict((oc) => oc.columns(["service", "environment", "address"]).doUpdateSet(row))
        .execute();
    } else {
      await tx
        .deleteFrom("infra_resource")
        .where("service", "=", key.service)
        .where("environment", "=", key.environment)
        .where("address", "=", address)
        .execute();
    }
    if (event) {
      const { type, actor, data } = event;
      await record(tx, clock, {
        type,
        about: `component:default/${target.service}`,
        actor,
        data: { environment: target.environment, address, ...data },
      });
    }
  });
}
