import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { Problem } from "./http.js";
import { migrate } from "./migrations.js";

const COLUMNS = 'id, name, note, created_at as "createdAt"';

/**
 * Keeps items in PostgreSQL. It begins to bring the schema up to date at once, and goes on trying while the database does not answer; until that is done, and
 * whenever the database is away, it is not ready and requests get 503.
 */
export function postgresItems({ url, log, options }) {
  const pool = new pg.Pool({
    connectionString: url,
    max: 5,
    connectionTimeoutMillis: 2_000,
    idleTimeoutMillis: 60_000,
    statement_timeout: 5_000,
    query_timeout: 6_000,
    options,
  });
  pool.on("error", (error) => log.error("a connection to the database broke", { error: error.message }));
  const ended = new AbortController();
  let migrated = false;
  const starting = start();

  async function start() {
    for (let pauseMs = 100; !ended.signal.aborted; pauseMs = Math.min(pauseMs * 2, 5_000)) {
      try {
        await migrate(pool);
        migrated = true;
        return;
      } catch (error) {
        log.error("the schema is not up to date yet", { error: error.message });
        await wait(pauseMs, undefined, { signal: ended.signal }).catch(() => {});
      }
    }
  }

  async function query(name, text, values) {
    if (!migrated) throw new Problem(503, "The database is not ready yet", RETRY);
    try {
      return (await pool.query({ name, text, values })).rows;
    } catch (error) {
      if (error.code !== undefined && !UNREACHABLE.test(error.code)) throw error;
      log.error("the database does not answer", { error: error.message });
      throw new Problem(503, "The database does not answer", RETRY);
    }
  }

  return {
    async add({ name, note }) {
      const [item] = await query("add", `insert into item (name, note) values ($1, $2) returning ${COLUMNS}`, [name, note]);
      return item;
    },
    async find(id) {
      const [item] = await query("find", `select ${COLUMNS} from item where id = $1`, [id]);
      return item;
    },
    list({ limit, after }) {
      if (after === null) return query("first", `select ${COLUMNS} from item order by position limit $1`, [limit]);
      return query("next", `select ${COLUMNS} from item where position > (select position from item where id = $2) order by position limit $1`, [limit, after]);
    },
    /** Throws while it can't serve. */
    async ready() {
      await query("ready", "select 1", []);
    },
    async close() {
      ended.abort();
      await starting;
      await pool.end();
    },
  };
}

const RETRY = { "retry-after": "1" };
/** Connection errors of the machine (ECONNREFUSED…) and of PostgreSQL (class 08, 53, 57P). Time-outs of the pool have no code. */
const UNREACHABLE = /^(E[A-Z]+|08...|53...|57P..|57014)$/;
