import { sql } from "kysely";
import { openDatabase } from "../kernel/sql.ts";

/** The name of the platform's own database in the PostgreSQL that it is given as superuser. */
const NAME = "cairn";

/** The platform's database in the embedded PostgreSQL: made when it is not there. Gives its connection string. */
export async function embeddedDatabase(superuserUrl: string): Promise<string> {
  const admin = openDatabase(superuserUrl, { maxConnections: 1 });
  try {
    const found = await sql`select 1 from pg_database where datname = ${NAME}`.execute(admin);
    if (found.rows.length === 0)
      await sql`create database ${sql.id(NAME)}`.execute(admin).catch((error: { code?: string }) => {
        if (error.code !== "42P04" && error.code !== "23505") throw error; // another process made it at the same moment
      });
  } finally {
    await admin.destroy();
  }
  const url = new URL(superuserUrl);
  url.pathname = `/${NAME}`;
  return url.toString();
}
