import { sql } from "kysely";
import type { Clock } from "../../kernel/clock.ts";
import { digestOf } from "../../kernel/digest.ts";
import { newId } from "../../kernel/ids.ts";
import type { Db } from "../../kernel/sql.ts";
import { secretKey, SERVICE_SECRETS, type SecretStore } from "../../secrets/contract.ts";
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
  /** Of the secrets that people have set: which versions there are now, and how those go that nothing refers to any more. */
  serviceSecrets: {
    versions(target: InfraTarget): Promise<Record<string, string>>;
    forgetUnused(target: InfraTarget, used: readonly string[]): Promise<void>;
  };
}

/** The embedded provider: databases in the embedded PostgreSQL. A row says what is being done before it is done, so that a crash in between is seen and gone on from. */
export function localInfra({ db, clock, adminUrl, secrets, prices, serviceSecrets }: LocalInfraParts): Infra {
  const postgres = async (): Promise<PostgresParts> => {
    const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db);
    return { adminUrl, secrets, platformDatabase: rows[0]?.name ?? "" };
  };

  async function put(target: InfraTarget, planned: PlannedResource, actor: string): Promise<AppliedResource> {
    const { address, type, properties, action } = planned;
    const before = (await resourcesOf(db, target)).find((one) => one.address === address);
    if (type === "secret") {
      await requireSecrets(target, properties);
      // What serves goes on with the versions that are recorded until the new ones are promoted (applyDeletes).
      if (before) return { address, result: "unchanged", detail: "its versions are there" };
    }
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

  /** That each version is there: one that was taken away since the plan is refused here, not by a process that can't start. Throws `secrets.missing`. */
  async function requireSecrets(target: InfraTarget, properties: Record<string, unknown>): Promise<void> {
    for (const key of keysOf(properties)) await secrets.reveal({ ...target, name: SERVICE_SECRETS, key });
  }

  async function usedSecrets(target: InfraTarget): Promise<string[] | undefined> {
    const recorded = (await resources(target)).filter(({ type }) => type === "secret");
    return recorded.length === 0 ? undefined : recorded.flatMap(({ properties }) => keysOf(properties));
  }

  /** After promotion: the versions that it started with are the ones in use, and others that are not the current ones go. */
  async function promoteSecrets(target: InfraTarget, planned: readonly PlannedResource[], actor: string): Promise<void> {
    for (const { address, properties } of planned.filter(({ type, action }) => type === "secret" && action === "update")) {
      const before = (await resources(target)).find((one) => one.address === address);
      if (before && digestOf(before.properties) === digestOf(properties)) continue;
      const event = { type: "infra.resource_updated" as const, actor, data: { type: "secret", properties } };
      await note(db, clock, target, address, { type: "secret", properties, state: "ready" }, event);
    }
    await serviceSecrets.forgetUnused(target, (await usedSecrets(target)) ?? []);
  }

  return {
    resources,
    usedSecrets,
    async plan({ service, environment, owner, intent, patches = [] }) {
      return planInfra(
        intent,
        await resources({ service, environment }),
        {
          service,
          environment,
          owner: owner.slice(owner.lastIndexOf("/") + 1).replace(/^group:/, ""),
          patches,
          secrets: await serviceSecrets.versions({ service, environment }),
        },
        prices,
      );
    },
    async apply({ service, environment, resources: planned }, actor) {
      const applied: AppliedResource[] = [];
      for (const one of planned) if (one.action !== "delete") applied.push(await put({ service, environment }, one, actor));
      return applied;
    },
    async takeBack({ service, environment, resources: planned }, actor) {
      const target = { service, environment };
      const taken: AppliedResource[] = [];
      for (const one of planned.toReversed()) {
        const { address, type, action, properties, before } = one;
        const now = (await resources(target)).find((other) => other.address === address);
        // What was changed since, or never begun, is not this plan's.
        if (!now || digestOf(now.properties) !== digestOf(properties)) continue;
        if (action === "create") taken.push(await remove(target, now, actor, false));
        if (action === "update" && before) taken.push(await put(target, { ...one, type, properties: before }, actor));
      }
      return taken;
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
      await promoteSecrets(target, planned, actor);
      return applied;
    },
    async destroy(target, actor, { dropData = false } = {}) {
      const applied: AppliedResource[] = [];
      for (const before of await resources(target)) applied.push(await remove(target, before, actor, dropData));
      await serviceSecrets.forgetUnused(target, []);
      return applied;
    },
  };
}

/** Keys in the secret store that a resource of type `secret` refers to. */
const keysOf = ({ keys }: Record<string, unknown>): string[] =>
  Object.entries(keys as Record<string, string | null>).map(([name, version]) => (version === null ? name : secretKey(name, version)));

/** `kept_<ULID>_<database>`, within PostgreSQL's 63 bytes. */
const keptName = ({ properties, address }: ResourceState, clock: Clock): string =>
  `${newId("kept", clock)}_${String(properties.database ?? address)}`.slice(0, 63);
