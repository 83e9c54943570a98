import { groupRef } from "../identity/access.ts";
import { sql } from "kysely";
import { serviceDetail } from "../catalog/views.ts";
import type { Forge } from "../forge/contract.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Db } from "../kernel/sql.ts";
import type { Declared } from "../observability/dependency-view.ts";
import { sloReport, type EvaluationParts } from "../observability/evaluate.ts";
import { ObjectivesReader, type SloOwner, type SloSource } from "../observability/objectives.ts";
import type { Target } from "../runtime/contract.ts";
import type { ScoreFacts } from "../scorecards/model.ts";
import { scoreFacts } from "../workflows/score-facts.ts";

/** Where objectives are read: slo.yaml of the default branch, for every service that the catalog knows and the forge holds. */
const sloSource = (db: Db, forge: Pick<Forge, "readFile">): SloSource => ({
  async services(service) {
    const { rows } = await sql<SloOwner>`
      select e.name as service, e.owner_ref as owner, r.name as repository, r.head as commit
      from catalog_entity e join forge_repository r on r.name = coalesce(e.repository, e.name)
      where e.kind = 'component' and e.namespace = 'default' and e.orphaned_at is null
        ${service === undefined ? sql`` : sql`and e.ref = ${`component:default/${service}`}`}
      order by e.name`.execute(db);
    return rows;
  },
  read: (repository, commit) => forge.readFile(repository, commit, "slo.yaml"),
});

/** Names of all services, or of a team's. */
export async function serviceNames(db: Db, { team }: { team?: string } = {}): Promise<string[]> {
  let query = db
    .selectFrom("catalog_entity")
    .select("name")
    .where("kind", "=", "component")
    .where("namespace", "=", "default")
    .where("orphaned_at", "is", null)
    .orderBy("name");
  if (team !== undefined) query = query.where("owner_ref", "=", groupRef(team));
  return (await query.execute()).map(({ name }) => name);
}

/** Names of the repositories that a team's services come from. */
export async function repositoryNames(db: Db, team: string): Promise<string[]> {
  const rows = await db
    .selectFrom("catalog_entity")
    .select((eb) => eb.fn.coalesce("repository", "name").as("repository"))
    .where("kind", "=", "component")
    .where("owner_ref", "=", groupRef(team))
    .where("orphaned_at", "is", null)
    .execute();
  return rows.map(({ repository }) => repository);
}

/** Where a release is under way. */
async function deploying(db: Db, service?: string): Promise<Target[]> {
  let query = db.selectFrom("release").select(["service", "environment"]).where("state", "in", ["rolling_out", "held"]);
  if (service !== undefined) query = query.where("service", "=", service);
  return query.execute();
}

/** What evaluating objectives takes, of the real parts. */
export const evaluation = (db: Db, clock: Clock, forge: Pick<Forge, "readFile">): EvaluationParts => ({
  db,
  clock,
  objectives: new ObjectivesReader(sloSource(db, forge)),
  deploying: (service) => deploying(db, service),
});

/** The environments that count as production, in the order of promotion. */
export const productionOf = (environments: readonly { name: string; production: boolean }[]): string[] =>
  environments.filter(({ production }) => production).map(({ name }) => name);

/** What scorecards are made of, by the real parts. */
export const scoreFactsOf =
  (parts: Omit<Parameters<typeof scoreFacts>[0], "sloReport">, evaluating: EvaluationParts) =>
  (service: string): Promise<ScoreFacts> =>
    scoreFacts({ ...parts, sloReport: (of, environment) => sloReport(evaluating, { service: of, environment }) }, service);

/** What the catalog says that a service needs, and that needs it. Throws `catalog.service_not_found`. */
export async function declared(db: Db, service: string): Promise<{ needs: Declared[]; neededBy: Declared[] }> {
  const { dependencies, dependents } = await serviceDetail(db, service);
  const seen = (other: string, { dependency_type, is_critical }: (typeof dependencies)[number]): Declared => ({
    other,
    type: dependency_type,
    isCritical: is_critical,
  });
  return {
    needs: dependencies.map((row) => seen(row.target_service, row)),
    neededBy: dependents.map((row) => seen(row.source_service, row)),
  };
}
