import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { sql } from "kysely";
import { z } from "zod";
import "../identity/request.ts";
import { serviceRef } from "../catalog/store.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Sql } from "../kernel/sql.ts";
import { STALE_SECONDS } from "../observability/no-data.ts";

const AT_MOST = 50;

/** What a line of a list of services tells of one of them. */
export const ServiceState = z
  .object({
    service: z.string(),
    /** What was promoted last in the last environment, and since when; null where nothing was. */
    runs: z.object({ environment: z.string(), release: z.string(), commit: z.string(), since: z.coerce.date() }).nullable(),
    health: z.enum(["healthy", "degraded", "down", "unknown", "not_deployed"]),
    because: z.string(),
    /** Points that its tier asks for, as they were counted last; null where they were not yet. */
    score: z.object({ met: z.int(), required: z.int(), unknown: z.int() }).nullable(),
  })
  .meta({ id: "ServiceState" });
export type ServiceState = z.infer<typeof ServiceState>;

export interface StateParts {
  db: Sql;
  clock: Clock;
  /** The environment that counts: the last of those that are production. */
  environment: string | undefined;
}

/** What is noted and measured of a service in one environment. */
interface Seen {
  name: string;
  runs: { release: string; commit: string; since: string } | null;
  seen_at: Date | null;
  serves: boolean | null;
  firing: string | null;
  score: ServiceState["score"];
}

/** Services' states, in the order asked for; names that the catalog does not have are left out. One question for all. */
export async function serviceStates({ db, clock, environment }: StateParts, names: readonly string[]): Promise<ServiceState[]> {
  const { rows } = await sql<Seen>`
    select e.name, f.value as runs, t.seen_at, jsonb_array_length(t.serving) > 0 as serves,
      (select a.slo || ': ' || a.because from slo_alert a
        where a.service = e.name and a.environment = ${environment ?? ""} and a.state = 'firing' order by a.severity limit 1) as firing,
      case when s.ref is not null then jsonb_build_object('met', s.met, 'required', s.required, 'unknown', s.unknown) end as score
    from catalog_entity e
      left join catalog_fact f on f.ref = e.ref and f.key = ${`runs.${environment ?? ""}`}
      left join traffic_target t on t.service = e.name and t.environment = ${environment ?? ""}
      left join scorecard s on s.ref = e.ref
    where e.ref = any(${names.map(serviceRef)})`.execute(db);
  const found = new Map(rows.map((row) => [row.name, row]));
  const now = clock.now();
  return [...new Set(names)].flatMap((name) => {
    const row = found.get(name);
    if (!row) return [];
    const { runs, score } = row;
    return {
      service: name,
      runs: runs && environment !== undefined ? { environment, ...runs, since: new Date(runs.since) } : null,
      ...healthOf(row, now),
      score,
    };
  });
}

/** Down is told only of what was looked at: counters that nobody could read leave it unknown. Pure. */
export function healthOf(seen: Omit<Seen, "name" | "score">, now: Date): Pick<ServiceState, "health" | "because"> {
  if (seen.runs === null && seen.seen_at === null) return { health: "not_deployed", because: "nothing of it is in production" };
  if (seen.seen_at === null) return { health: "unknown", because: "the runtime does not have it" };
  if (now.getTime() - seen.seen_at.getTime() > STALE_SECONDS * 1000) return { health: "unknown", because: "its counters can't be read" };
  if (!seen.serves)
    return seen.runs === null
      ? { health: "not_deployed", because: "nothing of it is in production" }
      : { health: "down", because: "nothing serves" };
  if (seen.firing !== null) return { health: "degraded", because: seen.firing };
  return { health: "healthy", because: "it serves, and no alert fires" };
}

export const serviceStateRoutes =
  (parts: StateParts): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/service-states",
      {
        schema: {
          operationId: "listServiceStates",
          tags: ["workflows"],
          summary: "What runs in production of some services, whether it is well, and their scores",
          querystring: z.object({
            names: z
              .string()
              .max(5000)
              .transform((names) => names.split(",").filter(Boolean))
              .refine((names) => names.length <= AT_MOST, `${AT_MOST} names at most`)
              .describe(`names of services, with commas between; ${AT_MOST} at most`),
          }),
          response: { 200: z.object({ states: z.array(ServiceState) }) },
        },
      },
      async (request) => {
        await request.can("read");
        return { states: await serviceStates(parts, request.query.names) };
      },
    );
  };
