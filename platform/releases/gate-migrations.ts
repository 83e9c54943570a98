import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

/** Windows and freezes, and the releases that wait for them or for an approval. */
export const gateMigrations: Migrations = {
  "15_releases_04": {
    async up(db) {
      await sql`
        create table release_window (
          id text primary key,
          kind text not null check (kind in ('window', 'freeze')),
          name text not null,
          rule jsonb not null,
          declared boolean not null,
          by text not null,
          at timestamptz(3) not null,
          ended_at timestamptz(3),
          ended_by text,
          ended_because text
        )`.execute(db);
      await sql`create unique index release_window_name on release_window (name) where ended_at is null`.execute(db);
      await sql`
        create table release_gate (
          release text primary key references release (id),
          run text not null,
          held_by jsonb not null,
          open_by jsonb not null,
          facts text,
          since timestamptz(3) not null,
          passed_at timestamptz(3)
        )`.execute(db);
      await sql`create index release_gate_waiting on release_gate (run) where passed_at is null`.execute(db);
    },
  },
};
