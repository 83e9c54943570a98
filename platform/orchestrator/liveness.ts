import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { Client } from "pg";
import { messageOf } from "../kernel/faults.ts";
import type { Log } from "../kernel/log.ts";
import type { Db } from "../kernel/sql.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    workflow_executor: { id: string; lock_key: number; beat: Date };
  }
}

const BEAT_SECONDS = 0.5;
/** Dead is who has let go of its lock (its connection is gone) and has not beaten for so long: a restart of the database takes everyone's lock for a moment. */
const SILENT_SECONDS = 2;

export interface Liveness {
  close(): Promise<void>;
}

export interface LivenessParts {
  databaseUrl: string;
  db: Db;
  executorId: string;
  log: Log;
  /** Dead is also who still holds its lock and has not beaten for so long: stopped, or cut off. Taking over from the living is safe, but wastes work. */
  stuckSeconds: number;
  /** Something was said about a run. */
  onNotice: (channel: "cairn_runs" | "cairn_run_wakes", run: string) => void;
  /** The connection was lost for a while: notices may have been missed. */
  onGap: () => void;
  /** Executors that are gone and still have runs. */
  onDead: (executorIds: string[]) => Promise<void>;
  /** Every beat. */
  onBeat: () => Promise<void>;
}

/** Shows that this process lives, listens, and looks for those that don't. Ready when the first beat is written. */
export async function live(parts: LivenessParts): Promise<Liveness> {
  const closed = new AbortController();
  let client: Client | undefined;
  let looking = false;

  const connect = async () => {
    const fresh = new Client({ connectionString: parts.databaseUrl, keepAlive: true, connectionTimeoutMillis: 5000 });
    fresh.on("error", () => (client = client === fresh ? undefined : client));
    fresh.on("end", () => (client = client === fresh ? undefined : client));
    fresh.on("notification", ({ channel, payload }) => parts.onNotice(channel as "cairn_runs", payload ?? ""));
    await fresh.connect();
    try {
      const { rows } = await fresh.query<{ lock_key: number }>(
        "insert into workflow_executor (id, beat) values ($1, now()) on conflict (id) do update set beat = now() returning lock_key",
        [parts.executorId],
      );
      await fresh.query("select pg_advisory_lock(7146004, $1)", [rows[0]?.lock_key]);
      await fresh.query("listen cairn_runs");
      await fresh.query("listen cairn_run_wakes");
      client = fresh;
    } catch (error) {
      await fresh.end().catch(() => {});
      throw error;
    }
  };

  const beat = async () => {
    if (!client) {
      await connect();
      parts.onGap();
    }
    await client?.query("update workflow_executor set beat = now() where id = $1", [parts.executorId]);
    await parts.onBeat();
    if (looking) await look();
    looking = true; // from the second beat on: the first must not wait
  };

  /** One process at a time looks. */
  const look = () =>
    parts.db.transaction().execute(async (tx) => {
      if (!(await sql<{ got: boolean }>`select pg_try_advisory_xact_lock(7146005) as got`.execute(tx)).rows[0]?.got) return;
      const living = sql`
        select from workflow_executor living where living.id = executor_id and (
          beat > now() - make_interval(secs => ${SILENT_SECONDS})
          or (beat > now() - make_interval(secs => ${parts.stuckSeconds}) and exists (
            select from pg_locks where locktype = 'advisory' and classid = 7146004 and objid = living.lock_key and objsubid = 2
              and database = (select oid from pg_database where datname = current_database()))))`;
      const { rows } = await sql<{ executor_id: string }>`
        select distinct executor_id from dbos.workflow_status where status = 'PENDING' and executor_id is not null and not exists (${living})`.execute(
        tx,
      );
      if (rows.length > 0) await parts.onDead(rows.map((row) => row.executor_id));
      await sql`delete from workflow_executor where beat < now() - interval '1 hour'`.execute(tx);
    });

  await connect();
  const beating = (async () => {
    while (!closed.signal.aborted) {
      await beat().catch((error) => parts.log.warn({ because: messageOf(error) }, "the orchestrator's database connection is interrupted"));
      await sleep(BEAT_SECONDS * 1000, undefined, { signal: closed.signal }).catch(() => {});
    }
  })();

  return {
    async close() {
      closed.abort();
      await beating;
      await client?.query("delete from workflow_executor where id = $1", [parts.executorId]).catch(() => {});
      await client?.end().catch(() => {});
    },
  };
}
