import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const runtimeMigrations: Migrations = {
  "14_runtime_01": {
    async up(db) {
      await sql`
        create table runtime_finding (
          number bigint generated always as identity primary key,
          id text not null,
          service text not null,
          environment text not null,
          revision text not null,
          kind text not null,
          subject text not null,
          detail text not null,
          found_at timestamptz(3) not null,
          ended_at timestamptz(3)
        )`.execute(db);
      await sql`create unique index runtime_finding_open on runtime_finding (id) where ended_at is null`.execute(db);
      await sql`create table runtime_attempt (id text primary key, at timestamptz(3) not null)`.execute(db);
    },
  },
};
