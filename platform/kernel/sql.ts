import { Kysely, PostgresDialect, type Transaction } from "kysely";
import { Migrator, type Migration } from "kysely/migration";
import { Pool, types } from "pg";
import { Fault } from "./faults.ts";

/** All tables. Each subject's store declares its own by module augmentation: `declare module "../kernel/sql.ts" { interface Tables { … } }`. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface Tables {}

export type Db = Kysely<Tables>;
export type Tx = Transaction<Tables>;
/** What reading needs: the database or a transaction on it. */
export type Sql = Db | Tx;

// 64-bit counters fit a JavaScript number here; text would break every comparison in silence.
types.setTypeParser(20, Number);

/** Opens a pool on a PostgreSQL 15 or newer. `close()` is `db.destroy()`. */
export function openDatabase(url: string, options: { maxConnections?: number; onError?: (error: Error) => void } = {}): Db {
  const pool = new Pool({ connectionString: url, max: options.maxConnections ?? 10, connectionTimeoutMillis: 10_000 });
  pool.on("error", (error) => options.onError?.(error)); // an idle connection lost: the next query opens another
  pool.on("connect", (client) => client.on("error", () => {})); // one lost in use: its query fails, and without this the process would end too
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

/**
 * Runs `body` in a transaction and commits it. Where the database chose it as victim of a deadlock or of a serialisation conflict, it runs anew,
 * up to five times: so `body` has no effects but those of the transaction.
 */
export async function transact<T>(db: Db, body: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(body);
    } catch (error) {
      const code = (error as { code?: string }).code;
      if ((code !== "40P01" && code !== "40001") || attempt === 5) throw error;
    }
  }
}

/** Migrations by name; names sort in the order in which they run: `02_ledger_01`. */
export type Migrations = Record<string, Migration>;

/**
 * Brings the schema up to date. Several processes may call it at once: the migrator holds a lock.
 * Throws `sql.schema_newer` where the database has been used by a later version, and `sql.migration_failed`.
 */
export async function migrate(db: Db, migrations: Migrations): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations }, allowUnorderedMigrations: true });
  const { error, results } = await migrator.migrateToLatest();
  if (error) {
    const stranger = /previously executed migration (\S+) is missing/.exec(String(error))?.[1];
    if (stranger !== undefined)
      throw new Fault(
        "conflict",
        "sql.schema_newer",
        `The database is of a later version: it holds the migration ${stranger}, which this one does not know`,
        "Start that version, or restore the backup that was made before it: docs/upgrade.md. Nothing was changed.",
      );
    const failed = results?.find((result) => result.status === "Error")?.migrationName;
    throw new Fault(
      "failed",
      "sql.migration_failed",
      `Migration ${failed ?? ""} failed: ${String(error)}`,
      "The database is as it was before it. Report this with the log.",
    );
  }
}
