import { expect, test } from "vitest";
import { sql } from "kysely";
import { allMigrations } from "../server/migrations.ts";
import { database } from "../testing/database.ts";
import { migrate } from "./sql.ts";

test("migrate() refuses a database of a later version, names what it does not know, and changes nothing", async () => {
  const db = await database();
  const later = {
    "99_later_01": {
      up: async (on: Parameters<(typeof allMigrations)[string]["up"]>[0]) => void (await sql`create table later (id int)`.execute(on)),
    },
  };
  await migrate(db, { ...allMigrations, ...later });
  await expect(migrate(db, allMigrations)).rejects.toMatchObject({
    code: "sql.schema_newer",
    message: expect.stringContaining("99_later_01"),
    next: expect.stringContaining("docs/upgrade.md"),
  });
  await sql`select id from later`.execute(db);
});

test("migrate() leaves the database as it was where one fails", async () => {
  const db = await database();
  const broken = {
    "99_first_01": {
      up: async (on: Parameters<(typeof allMigrations)[string]["up"]>[0]) => void (await sql`create table half_done (id int)`.execute(on)),
    },
    "99_then_01": { up: async () => Promise.reject(new Error("it does not fit")) },
  };
  await expect(migrate(db, { ...allMigrations, ...broken })).rejects.toMatchObject({ code: "sql.migration_failed" });
  await expect(sql`select id from half_done`.execute(db)).rejects.toThrow(/half_done/);
});
