import { sql } from "kysely";
import type { Clock } from "../../kernel/clock.ts";
import { digestOf } from "../../kernel/digest.ts";
import { newId } from "../../kernel/ids.ts";
import type { Db } from "../../kernel/sql.ts";
import type { SecretStore } from "../../secrets/contract.ts";
import type { AppliedResource, Infra, InfraTarget, PlannedResource, ResourceState } from "../contract.ts";
import { planStale } from "../faults.ts";
import { planInfra } from "../plan.ts";
import type { PriceList } from "../prices.ts";
import { ensurePostgres, removePostgres, type PostgresParts } from "./postgres.ts";
import { note, resourcesOf } from "./store.ts";

export interface LocalInfraParts {
  db: Db;
  clock: Clock;
  /** PostgreSQL in which services get databases, as somebody who may create them. */
  adminUrl: string;
  secrets: SecretStore;
  prices: PriceList;
}

/** The embedded provider: databases in the embedded PostgreSQL. A row says what is being done before it is done, so that a crash in between is seen and gone on from. */
export function localInfra({ db, clock, adminUrl, secrets, prices }: LocalInfraParts): Infra {
  const postgres = async (): Promise<PostgresParts> => {
    const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db);
    return { adminUrl, secrets, platformDatabase: rows[0]?.name ?? "" };
  };

  async function put(target: InfraTarget, planned: PlannedResource, actor: string): Promise<AppliedResource> {
    const { address, type, properties, action } = planned;
    const before = (await resourcesOf(db, target)).find((one) => one.address === address);
    const asPlanned = before && digestOf(before.properties) === digestOf(properties);
    if (before?.state === "ready" && asPlanned) return { address, result: "unchanged", detail: "it is as planned" };
    if (action === "create" && before?.state === "ready") throw planStale(address, "it was made meanwhile, with other properties");
    if (action !== "create" && !before) throw planStale(address, "it is gone");
    await note(db, clock, target, address, { type, properties, state: action === "create" ? "creating" : "updating" });
    if (type === "postgres") await ensurePostgres(await postgres(), target, properties);
    const done = action === "create" ? "created" : "updated";
    await note(
      db,
      clock,
      target,
      address,
      { type, properties, state: "ready" },
      { type: `infra.resource_${done}`, actor, data: { type, properties } },
    );
    return { address, result: done, detail: "" };
  }

  async function remove(target: InfraTarget, before: ResourceState, actor: string, dropData: boolean): Promise<AppliedResource> {
    const { address, type } = before;
    // The name that it is kept under is decided once, so that a second try finds it.
    const keepAs = typeof before.properties.keptAs === "string" ? before.properties.keptAs : keptName(before, clock);
    const properties = { ...before.properties, keptAs: keepAs };
    await note(db, clock, target, address, { type, properties, state: "deleting" });
    const result = type === "postgres" ? await removePostgres(await postgres(), target, properties, keepAs, dropData) : "deleted";
    const detail = result === "retained" ? keepAs : "";
    await note(db, clock, target, address, undefined, {
      type: `infra.resource_${result}`,
      actor,
      data: { type, ...(detail ? { keptAs: detail } : {}) },
    });
    return { address, result, detail };
  }

  const resources = (target: InfraTarget) => resourcesOf(db, target);

  return {
    resources,
    async plan({ service, environment, owner, intent, patches = [] }) {
      return planInfra(
        intent,
        await resources({ service, environment }),
        { service, environment, owner: owner.slice(owner.lastIndexOf("/") + 1).replace(/^group:/, ""), patches },
        prices,
      );
    },
    async apply({ service, environment, resources: planned }, actor) {
      const applied: AppliedResource[] = [];
      for (const one of planned) if (one.action !== "delete") applied.push(await put({ service, environment }, one, actor));
      return applied;
    },
    async applyDeletes({ service, environment, resources: planned }, actor, { dropData = false } = {}) {
      const target = { service, environment };
      const applied: AppliedResource[] = [];
      for (const { address } of planned.filter(({ action }) => action === "delete")) {
        const before = (await resources(target)).find((one) => one.address === address);
        applied.push(
          before ? await remove(target, before, actor, dropData) : { address, result: "unchanged", detail: "it is gone already" },
        );
      }
      return applied;
    },
    async destroy(target, actor, { dropData = false } = {}) {
      const applied: AppliedResource[] = [];
      for (const before of await resources(target)) applied.push(await remove(target, before, actor, dropData));
      return applied;
    },
  };
}

/** `kept_<ULID>_<database>`, within PostgreSQL's 63 bytes. */
const keptName = ({ properties, address }: ResourceState, clock: Clock): string =>
  `${newId("kept", clock)}_${String(properties.database ?? address)}`.slice(0, 63);
