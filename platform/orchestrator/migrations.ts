import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const orchestratorMigrations: Migrations = {
  "03_orchestrator_01": {
    async up(db) {
      await sql`
        create table workflow_run (
          id text primary key,
          workflow text not null,
          about text not null,
          started_by text not null,
          parent text,
          state text not null,
          current_step text,
          input text not null,
          output text,
          error jsonb,
          cancelled jsonb,
          committed_at timestamptz(3),
          created_at timestamptz(3) not null,
          updated_at timestamptz(3) not null,
          ended_at timestamptz(3)
        )`.execute(db);
      await sql`create index workflow_run_about on workflow_run (about, created_at desc)`.execute(db);
      await sql`create index workflow_run_created_at on workflow_run (created_at desc)`.execute(db);
      await sql`create index workflow_run_parent on workflow_run (parent) where parent is not null`.execute(db);
      await sql`create index workflow_run_unfinished on workflow_run (id) where ended_at is null`.execute(db);
      await sql`
        create table workflow_step (
          run text not null references workflow_run on delete cascade,
          name text not null,
          position integer not null,
          state text not null,
          detail text not null default '',
          waits_for text,
          attempts integer not null default 0,
          rounds integer not null default 0,
          child_run text,
          started_at timestamptz(3),
          ended_at timestamptz(3),
          primary key (run, name)
        )`.execute(db);
      await sql`
        create table workflow_message (
          seq bigint generated always as identity primary key,
          run text not null references workflow_run on delete cascade,
          topic text not null,
          key text not null,
          message text not null,
          taken boolean not null default false,
          unique (run, topic, key)
        )`.execute(db);
      await sql`create table workflow_executor (id text primary key, lock_key integer generated always as identity, beat timestamptz not null)`.execute(
        db,
      );
    },
  },
  "03_orchestrator_02": {
    async up(db) {
      await sql`create index workflow_run_state on workflow_run (state, created_at desc)`.execute(db);
    },
  },
};
