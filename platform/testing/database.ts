import { sql } from "kysely";
import { afterAll, inject } from "vitest";
import { newSecret } from "../kernel/ids.ts";
import { openDatabase, type Db } from "../kernel/sql.ts";

export interface TestDatabase {
  db: Db;
  url: string;
}

/** A real PostgreSQL database of the test file's own with today's schema, cloned in some 30 ms and dropped when the file ends. */
export async function testDatabase(): Promise<TestDatabase> {
  const server = inject("postgresUrl");
  const name = `test_${newSecret()
    .replaceAll(/[^a-z0-9]/gi, "")
    .toLowerCase()
    .slice(0, 16)}`;
  const admin = openDatabase(server, { maxConnections: 1 });
  // Two clones of one template at once are refused: they take turns.
  await admin.connection().execute(async (one) => {
    await sql`select pg_advisory_lock(7146002)`.execute(one);
    await sql`create database ${sql.id(name)} template template_cairn`
      .execute(one)
      .finally(() => sql`select pg_advisory_unlock(7146002)`.execute(one));
  });
  const url = server.replace("/postgres?", `/${name}?`);
  const db = openDatabase(url);
  afterAll(async () => {
    await db.destroy();
    await sql`drop database ${sql.id(name)} with (force)`.execute(admin);
    await admin.destroy();
  });
  return { db, url };
}

/** The database alone, for tests that need nothing else. */
export const database = async (): Promise<Db> => (await testDatabase()).db;
