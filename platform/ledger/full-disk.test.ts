import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { sql } from "kysely";
import { expect, inject, test } from "vitest";
import { newId } from "../kernel/ids.ts";
import { openDatabase, transact } from "../kernel/sql.ts";
import { problemOf } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { CANNOT_MOUNT, smallDisk } from "../testing/small-disk.ts";
import { events, record, verify } from "./store.ts";

test("record() on a full disk refuses with what to do, leaves the chain whole and the change undone, and goes on when there is room", async (context) => {
  const disk = await smallDisk(24 * 1024 * 1024);
  if (!disk) return context.skip(CANNOT_MOUNT);
  const server = inject("postgresUrl");
  const admin = openDatabase(server, { maxConnections: 1 });
  const name = newId("full", testClock());
  try {
    const { rows } = await sql<{ data_directory: string }>`show data_directory`.execute(admin);
    const owner = statSync(rows[0]?.data_directory ?? "");
    const location = join(disk.folder, "space");
    mkdirSync(location, { mode: 0o700 });
    chownSync(location, owner.uid, owner.gid);
    // Tables lie on the small disk; the write-ahead log does not, as where a disk of its own is full.
    await sql`create tablespace ${sql.id(name)} location ${sql.lit(location)}`.execute(admin);
    await admin.connection().execute(async (one) => {
      await sql`select pg_advisory_lock(7146002)`.execute(one);
      await sql`create database ${sql.id(name)} template template_cairn tablespace ${sql.id(name)}`
        .execute(one)
        .finally(() => sql`select pg_advisory_unlock(7146002)`.execute(one));
    });
    const db = openDatabase(server.replace("/postgres?", `/${name}?`));
    try {
      const clock = testClock();
      await sql`create table change (id int)`.execute(db);
      const note = (id: number) =>
        transact(db, async (tx) => {
          await sql`insert into change values (${id})`.execute(tx);
          // Nothing that packs: a database makes short work of a thousand equal letters.
          const noise = randomBytes(300_000).toString("base64");
          await record(tx, clock, {
            type: "test.noted",
            about: "component:default/orders",
            actor: "user:default/example",
            data: { id, noise },
          });
        });
      let written = 0;
      let refused: unknown;
      while (refused === undefined && written < 1000)
        await note(written + 1).then(
          () => written++,
          (error: unknown) => (refused = error),
        );
      expect(problemOf(refused)).toMatchObject({ status: 503, code: "http.disk_full", next: expect.stringContaining("Make room") });
      const count = async () => Number((await sql<{ n: string }>`select count(*) as n from change`.execute(db)).rows[0]?.n);
      expect(written).toBeGreaterThan(0);
      expect(await count()).toBe(written);
      expect(await events(db, { limit: 2000 })).toHaveLength(written);
      expect(await verify(db)).toBeUndefined();
      await disk.resize(96 * 1024 * 1024);
      await note(written + 1);
      expect(await count()).toBe(written + 1);
      expect(await verify(db)).toBeUndefined();
    } finally {
      await db.destroy();
      await sql`drop database if exists ${sql.id(name)} with (force)`.execute(admin);
    }
  } finally {
    await sql`drop tablespace if exists ${sql.id(name)}`.execute(admin);
    await admin.destroy();
    await disk.remove();
  }
});
