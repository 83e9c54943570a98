import { sql } from "kysely";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Observation } from "../runtime/contract.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    /** Who called a target, and how often, since it was first seen; `counted` is how the proxy's counter stood. */
    traffic_call: {
      service: string;
      environment: string;
      caller: string;
      requests: number;
      epoch: string;
      counted: number;
      first_at: Date;
      last_at: Date;
    };
  }
}

/** Adds who called since the last look. The same observation twice changes nothing. */
export async function foldCalls(tx: Tx, observations: readonly Observation[]): Promise<void> {
  const rows = observations.flatMap(({ target, at, callers }) =>
    (callers?.counts ?? []).map(({ caller, requests }) => ({ ...target, caller, epoch: callers?.epoch, counted: requests, at })),
  );
  if (rows.length === 0) return;
  await sql`
    insert into traffic_call as t (service, environment, caller, requests, epoch, counted, first_at, last_at)
    select service, environment, caller, counted, epoch, counted, at, at from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as r(service text, environment text, caller text, epoch text, counted bigint, at timestamptz)
    on conflict (service, environment, caller) do update set
      requests = t.requests + case when t.epoch = excluded.epoch then excluded.counted - t.counted else excluded.counted end,
      epoch = excluded.epoch, counted = excluded.counted, last_at = greatest(t.last_at, excluded.last_at)
    where t.epoch <> excluded.epoch or t.counted < excluded.counted`.execute(tx);
}

export interface Call {
  service: string;
  environment: string;
  /** `orders/production`, `outside` or `unknown`. */
  caller: string;
  requests: number;
  firstAt: Date;
  lastAt: Date;
}

/** Calls to a service and by it, those to it first. */
export async function callsOf(db: Sql, service: string): Promise<Call[]> {
  const rows = await db
    .selectFrom("traffic_call")
    .selectAll()
    .where((eb) => eb.or([eb("service", "=", service), sql<boolean>`split_part(caller, '/', 1) = ${service} and caller like '%/%'`]))
    .orderBy("service")
    .orderBy("environment")
    .orderBy("caller")
    .execute();
  return rows.map(({ service: called, environment, caller, requests, first_at, last_at }) => ({
    service: called,
    environment,
    caller,
    requests,
    firstAt: first_at,
    lastAt: last_at,
  }));
}
