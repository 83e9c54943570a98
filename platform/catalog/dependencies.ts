import type { Clock } from "../kernel/clock.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { record } from "../ledger/store.ts";
import { dependencyDeclared, dependencyExists, dependencyNotFound, dependsOnItself, serviceNotFound } from "./faults.ts";
import type { Dependency } from "./model.ts";
import { serviceRef } from "./store.ts";

/**
 * Adds a dependency by hand. One that a descriptor declares already gets its type and whether it is critical by this. Throws
 * `catalog.depends_on_itself`, `catalog.service_not_found` for either end, `catalog.dependency_exists`.
 */
export async function addDependency(tx: Tx, clock: Clock, actor: Actor, dependency: Dependency): Promise<void> {
  const [source, target] = [serviceRef(dependency.source_service), serviceRef(dependency.target_service)];
  await requireServices(tx, [source, target]);
  if (source === target) throw dependsOnItself(dependency.source_service);
  const { dependency_type, is_critical } = dependency;
  const row = await tx
    .insertInto("catalog_dependency")
    .values({ source_ref: source, target_ref: target, dependency_type, is_critical, created_at: clock.now() })
    .onConflict((oc) => oc.doNothing())
    .returning("source_ref")
    .executeTakeFirst();
  if (!row) throw dependencyExists(dependency.source_service, dependency.target_service);
  await record(tx, clock, { type: "catalog.dependency_added", about: source, actor, data: { target, dependency_type, is_critical } });
}

/** Removes a dependency that was added by hand. Throws `catalog.service_not_found`, `catalog.dependency_not_found`, `catalog.dependency_declared`. */
export async function removeDependency(tx: Tx, clock: Clock, actor: Actor, sourceName: string, targetName: string): Promise<void> {
  const [source, target] = [serviceRef(sourceName), serviceRef(targetName)];
  await requireServices(tx, [source]);
  const gone = await tx
    .deleteFrom("catalog_dependency")
    .where("source_ref", "=", source)
    .where("target_ref", "=", target)
    .returning("source_ref")
    .executeTakeFirst();
  if (!gone)
    throw (await declares(tx, source, target)) ? dependencyDeclared(sourceName, targetName) : dependencyNotFound(sourceName, targetName);
  await record(tx, clock, { type: "catalog.dependency_removed", about: source, actor, data: { target } });
}

async function requireServices(tx: Tx, refs: readonly string[]): Promise<void> {
  const known = await tx
    .selectFrom("catalog_entity")
    .select("ref")
    .where("ref", "in", [...refs])
    .orderBy("ref")
    .forShare()
    .execute();
  if (known.length !== new Set(refs).size) throw serviceNotFound();
}

async function declares(tx: Tx, source: string, target: string): Promise<boolean> {
  const row = await tx
    .selectFrom("catalog_relation")
    .select("type")
    .where("source_ref", "=", source)
    .where("type", "=", "dependsOn")
    .where("target_ref", "=", target)
    .executeTakeFirst();
  return row !== undefined;
}

export type DependencyRow = Dependency & { declared: boolean };

/** What a component depends on, or what depends on it: declared by descriptors and added by hand, each pair once, by name. */
export async function dependenciesOf(db: Sql, ref: string, direction: "out" | "in"): Promise<DependencyRow[]> {
  const end = direction === "out" ? "source_ref" : "target_ref";
  const byHand = await db.selectFrom("catalog_dependency").selectAll().where(end, "=", ref).execute();
  const declared = await db
    .selectFrom("catalog_relation")
    .select(["source_ref", "target_ref"])
    .distinct()
    .where(end, "=", ref)
    .where("type", "=", "dependsOn")
    .execute();
  const rows = new Map<string, DependencyRow>();
  const key = (row: { source_ref: string; target_ref: string }) => `${row.source_ref} ${row.target_ref}`;
  for (const row of declared)
    rows.set(key(row), {
      source_service: shortRef(row.source_ref),
      target_service: shortRef(row.target_ref),
      dependency_type: "runtime",
      is_critical: false,
      declared: true,
    });
  for (const row of byHand) {
    const { dependency_type, is_critical } = row;
    rows.set(key(row), {
      source_service: shortRef(row.source_ref),
      target_service: shortRef(row.target_ref),
      dependency_type,
      is_critical,
      declared: rows.has(key(row)),
    });
  }
  return [...rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

/** A service by its name, anything else by its reference. */
const shortRef = (ref: string): string => (ref.startsWith("component:default/") ? ref.slice("component:default/".length) : ref);
