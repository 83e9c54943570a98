import { randomUUID } from "node:crypto";
import { DBOS, Error as Errors, type DLogger } from "@dbos-inc/dbos-sdk";
import { currentOwnerXid, runWithTopContext } from "@dbos-inc/dbos-sdk/internal/context";
import { DBOSExecutor } from "@dbos-inc/dbos-sdk/internal/dbos-executor";
import { DBOSJSON } from "@dbos-inc/dbos-sdk/internal/serialization";
import { migrateSystemDatabase, retriablePostgresException } from "@dbos-inc/dbos-sdk/internal/system_database";
import { Kysely, PostgresDialect, sql, type PostgresPool, type PostgresPoolClient } from "kysely";
import { isFault, messageOf } from "../kernel/faults.ts";
import type { Log } from "../kernel/log.ts";
import type { Db, Tables } from "../kernel/sql.ts";
import { resultNotData, workflowChanged } from "./faults.ts";

/**
 * The one file that knows the library below. It uses the library for what runs where (status, ownership, recovery) and its checkpoint transaction,
 * which is reached through the library's inside: so its version is pinned, and the tests with kill -9 hold it.
 */
export interface Engine {
  /** Begins a run in this process. The same id twice is one run. */
  begin(id: string): Promise<void>;
  /** Hands the runs of executors that are gone to whoever is free. */
  adopt(executorIds: string[]): Promise<void>;
  /** Forgets the checkpoints of finished runs. */
  forget(ids: string[]): Promise<void>;
  close(): Promise<void>;
}

/** One process's hold on a run: from here to its end, or until another process takes it over. */
export interface Execution {
  readonly id: string;
  /** Proof of ownership: changes when another process takes the run over. */
  readonly owner: string;
  /** The next checkpoint, in the order of the calls: recorded by an earlier execution, or still to be. */
  slot(name: string): Slot;
}

export interface Slot {
  recorded: unknown;
  /** Writes rows and gives what to remember, in one transaction with the checkpoint. Throws a Superseded when the run is no longer ours: nothing is written then. */
  record<T>(write: (db: Db) => Promise<T>): Promise<T>;
}

/** True for the errors that end an execution and not the run: another process has it now. After one, nothing may be done any more, least of all undone. */
export const isSuperseded = (error: unknown): boolean =>
  error instanceof Errors.DBOSWorkflowConflictError || error instanceof Errors.DBOSWorkflowCancelledError;
export const superseded = (id: string): Error => new Errors.DBOSWorkflowConflictError(id);

/** True where the database could not be reached or hung up: the same again may work. */
export const isConnectionLoss = (error: unknown): boolean =>
  !isFault(error) && !isSuperseded(error) && (retriablePostgresException(error) || isNobodyThere(error));

/**
 * What the library does not count: a pipe that nobody reads any more, a socket's file, which goes when PostgreSQL ends in order, and a PostgreSQL that takes the connection and is silent,
 * which pg tells in words alone (lib/client.js).
 */
function isNobodyThere(error: unknown): boolean {
  const { code, syscall, message } = (error ?? {}) as { code?: unknown; syscall?: unknown; message?: unknown };
  return code === "EPIPE" || (code === "ENOENT" && syscall === "connect") || message === "timeout expired";
}

/** Brings the library's schema (`dbos`) up to date. One process at a time: two at once would leave it broken for good. */
export async function migrateEngine(db: Db, databaseUrl: string, log: Log): Promise<void> {
  await db.connection().execute(async (one) => {
    // Not a blocking lock: the migration builds indexes concurrently, which waits for every transaction that is open, that of a waiting lock too.
    while (!(await sql<{ got: boolean }>`select pg_try_advisory_lock(7146003) as got`.execute(one)).rows[0]?.got)
      await new Promise((done) => setTimeout(done, 50));
    await migrateSystemDatabase(databaseUrl, bridged(log) as never).finally(() => sql`select pg_advisory_unlock(7146003)`.execute(one));
  });
}

/** Starts the library in this process (once at a time). `execute` is called for each run that this process owns; it never throws but what `isSuperseded` tells. */
export async function startEngine(options: {
  databaseUrl: string;
  executorId: string;
  log: Log;
  execute: (id: string) => Promise<void>;
}): Promise<Engine> {
  const { executorId, log } = options;
  DBOS.setConfig({
    name: "cairn",
    systemDatabaseUrl: options.databaseUrl,
    systemDatabasePoolSize: 10,
    systemDatabaseIdleTransactionTimeoutMs: 0, // else it sets it by a query that overlaps the first one of each connection, and pg warns
    executorID: executorId,
    // A constant: by default it is a hash of the code, and an upgrade would leave every unfinished run behind.
    applicationVersion: "1",
    runMigrations: false,
    logger: bridged(log),
  });
  const run = DBOS.registerWorkflow(options.execute, { name: "run", maxRecoveryAttempts: 1_000_000 });
  await DBOS.launch();
  const executor = DBOSExecutor.globalInstance!;
  return {
    begin: (id) => runWithTopContext({}, async () => void (await DBOS.startWorkflow(run, { workflowID: id })(id))),
    adopt: async (ids) => void (await executor.recoverPendingWorkflows(ids)),
    forget: (ids) => DBOS.deleteWorkflows(ids),
    close: () => DBOS.shutdown({ deregister: true }),
  };
}

/** Called first thing in `execute`: reads what earlier executions recorded. */
export async function openExecution(id: string): Promise<Execution> {
  const owner = currentOwnerXid(id);
  if (owner === undefined) throw superseded(id);
  const { systemDatabase } = DBOSExecutor.globalInstance!;
  const history = new Map((await systemDatabase.getAllOperationResults(id)).map((row) => [row.function_id, row]));
  let next = 0;
  return {
    id,
    owner,
    slot(name) {
      const position = next++;
      const row = history.get(position);
      if (row && row.function_name !== name) throw workflowChanged(id, name, row.function_name ?? "");
      if (row?.error) throw new Error(`The checkpoint "${name}" of run ${id} could not be written: ${row.error}`);
      return {
        recorded: row ? fromText(row.output) : undefined,
        async record<T>(write: (db: Db) => Promise<T>) {
          for (;;)
            try {
              let text = "";
              const earlier = await systemDatabase.runTransactionalStep(id, position, name, async (client) => {
                text = toText(await write(within(client)).catch(asConnectionLoss));
                return text;
              });
              return fromText(earlier?.output ?? text) as T;
            } catch (error) {
              if (!isConnectionLoss(error)) throw error;
              await new Promise((done) => setTimeout(done, 200));
            }
        },
      };
    },
  };
}

/** In words by which the library knows that it must try again: any other error it would keep as the outcome. */
function asConnectionLoss(error: unknown): never {
  throw isConnectionLoss(error) ? new Error("Connection terminated unexpectedly", { cause: error }) : error;
}

/** Values as the library keeps them: JSON that knows dates, maps, sets, big numbers and undefined. */
export const toText = (value: unknown): string => DBOSJSON.stringify(value);
export const fromText = (text: string): unknown => DBOSJSON.parse(text);

/** The value, where it can be kept. Throws `orchestrator.result_not_data`. */
export function keepable<T>(step: string, value: T): T {
  try {
    toText(value);
    return value;
  } catch (error) {
    throw resultNotData(step, messageOf(error));
  }
}

/** Runs what is not the workflow's own code outside of the run's context, so that it may start other runs. */
export const outside = <T>(action: () => Promise<T>): Promise<T> => runWithTopContext({}, action);

/** Typed SQL on a connection whose transaction has begun. A transaction in it is a savepoint: it can fail, or run again, without ending the outer one. */
function within(client: Pick<PostgresPoolClient, "query">): Db {
  const savepoint = `s${randomUUID().replaceAll("-", "")}`;
  const instead: Record<string, string> = {
    begin: `savepoint ${savepoint}`,
    commit: `release savepoint ${savepoint}`,
    rollback: `rollback to savepoint ${savepoint}`,
  };
  const one = {
    query: (text: string, values: readonly unknown[]) => client.query(instead[text] ?? text, values),
    release: () => {},
  } as unknown as PostgresPoolClient;
  const pool: PostgresPool = { connect: async () => one, end: async () => {}, options: {} };
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

const bridged = (log: Log): DLogger => ({
  info: (entry) => log.debug(textOf(entry)),
  debug: (entry) => log.trace(textOf(entry)),
  warn: (entry) => log.warn(textOf(entry)),
  error: (entry) => log.error(textOf(entry)),
});

const textOf = (entry: unknown): string =>
  entry instanceof Error ? (entry.stack ?? entry.message) : typeof entry === "string" ? entry : JSON.stringify(entry);
