import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const ciMigrations: Migrations = {
  "09_ci_01": {
    async up(db) {
      await sql`
        create table ci_run (
          id text primary key,
          repository text not null,
          commit text not null,
          purpose text not null,
          state text not null,
          because text,
          stages jsonb not null,
          tests jsonb,
          artifact jsonb,
          evidence jsonb not null default '[]',
          attempt int not null default 0,
          created_at timestamptz(3) not null,
          ended_at timestamptz(3)
        )`.execute(db);
      await sql`create index ci_run_repository on ci_run (repository, created_at desc)`.execute(db);
    },
  },
  "09_ci_02": {
    async up(db) {
      await sql`create index ci_run_newest on ci_run (created_at desc, id desc)`.execute(db);
      await sql`create index ci_run_commit on ci_run (commit, created_at desc)`.execute(db);
    },
  },
};
