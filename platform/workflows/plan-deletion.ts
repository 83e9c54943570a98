import { sql } from "kysely";
import { dependenciesOf } from "../catalog/dependencies.ts";
import { serviceRef } from "../catalog/store.ts";
import { serviceView } from "../catalog/views.ts";
import { digestOf } from "../kernel/digest.ts";
import { isFault } from "../kernel/faults.ts";
import type { Sql } from "../kernel/sql.ts";
import type { Plan, PlannedChange } from "../plans/model.ts";
import type { DeletionOrder } from "../plans/routes.ts";
import type { Basis } from "../plans/staleness.ts";
import { serviceBusy, serviceNeeded } from "./faults.ts";
import type { Parts } from "./parts.ts";

/** What a deletion's plan carries. */
export interface DeletionPayload {
  service: string;
  owner: string;
  /** Where it runs, or has resources. */
  environments: string[];
  /** Databases that hold tables go too, instead of being kept under another name. */
  dropData: boolean;
}

/** Everything that deleting a service would do. Throws `catalog.service_not_found`, `workflows.service_needed`, `workflows.service_busy`. */
export async function planDeletion(parts: Parts, { service, dropData }: DeletionOrder): Promise<Plan> {
  const { db, infra, runtime, environments } = parts;
  const view = await serviceView(db, service);
  const needed = (await dependenciesOf(db, serviceRef(service), "in")).map(({ source_service }) => source_service);
  if (needed.length > 0) throw serviceNeeded(service, needed);
  await requireIdle(db, service);
  const runs = (await runtime.targets()).filter((target) => target.service === service);
  const changes: PlannedChange[] = [];
  const places: string[] = [];
  for (const { name: environment } of environments.environments) {
    const target = { service, environment };
    const resources = await infra.resources(target);
    const runsHere = runs.some((each) => each.environment === environment);
    if (!runsHere && resources.length === 0) continue;
    places.push(environment);
    if (runsHere) {
      const { url, readings } = await runtime.observe(target);
      const detail = `${url} answers no more; ${readings.length === 1 ? "its revision is" : `its ${readings.length} revisions are`} stopped`;
      changes.push({ kind: "release", action: "delete", id: `${service}/${environment}`, environment, detail });
    }
    for (const { address } of resources) {
      const data = dropData ? "removed with all it holds" : "removed; where it holds tables, kept under another name";
      const detail = address.startsWith("http-service/") ? "removed" : data; // a process holds none
      changes.push({ kind: "resource", action: "delete", id: address, environment, detail });
    }
  }
  const head = await headOf(parts, service);
  if (head)
    changes.push({
      kind: "repository",
      action: "delete",
      id: service,
      environment: null,
      detail: `with its history up to ${head.slice(0, 12)} and its change requests`,
    });
  for (const ref of await entitiesOf(db, service))
    changes.push({ kind: "entity", action: "delete", id: ref, environment: null, detail: "leaves the catalog" });
  const payload: DeletionPayload = { service, owner: view.owner, environments: places, dropData };
  return {
    kind: "decommission-service",
    about: serviceRef(service),
    title: `Delete ${service}`,
    basis: await deletionBasis(parts, payload),
    changes,
    cost: { monthly: 0, currency: "EUR", unknown: [] },
    decisions: [],
    rollout: [],
    unknowns: ["Who calls it without having declared so: its address goes at once."],
    rollback:
      "None: what is removed stays removed. Clone the repository first if you want to keep its history; the ledger keeps what happened, with its evidence and decisions.",
    payload: payload as unknown as Record<string, unknown>,
  };
}

/** What a deletion rests on: nothing of it may have changed since it was planned. */
export async function deletionBasis(parts: Parts, { service, environments }: DeletionPayload): Promise<Basis> {
  const { db, infra, runtime } = parts;
  const needed = (await dependenciesOf(db, serviceRef(service), "in")).map(({ source_service }) => source_service);
  const runs = (await runtime.targets()).filter((target) => target.service === service).map(({ environment }) => environment);
  const resources = await Promise.all(environments.map((environment) => infra.resources({ service, environment })));
  return {
    "the repository's head": (await headOf(parts, service)) ?? "none",
    "catalog entities": digestOf(await entitiesOf(db, service)),
    "needed by": needed.toSorted().join(", ") || "nobody",
    "runs in": runs.toSorted().join(", ") || "nowhere",
    resources: digestOf(resources.flat().map(({ address, state }) => [address, state])),
  };
}

/** The head of the service's repository; undefined where it has none, as one that was registered by hand. */
const headOf = ({ forge }: Pick<Parts, "forge">, service: string): Promise<string | undefined> =>
  forge.head(service).catch((error: unknown) => {
    if (isFault(error) && error.kind === "not_found") return undefined;
    throw error;
  });

/** Throws `workflows.service_busy` while a workflow of the service is under way. */
export async function requireIdle(db: Sql, service: string, but?: string): Promise<void> {
  const busy = await db
    .selectFrom("workflow_run")
    .select("id")
    .where("about", "=", serviceRef(service))
    .where("ended_at", "is", null)
    .where(sql<boolean>`id is distinct from ${but ?? null}`)
    .orderBy("created_at")
    .limit(1)
    .executeTakeFirst();
  if (busy) throw serviceBusy(service, busy.id);
}

/** The service's own entity and all that its repository declares. */
async function entitiesOf(db: Sql, service: string): Promise<string[]> {
  const rows = await db
    .selectFrom("catalog_entity")
    .select("ref")
    .where((eb) => eb.or([eb("ref", "=", serviceRef(service)), eb("repository", "=", service)]))
    .orderBy("ref")
    .execute();
  return rows.map(({ ref }) => ref);
}
