import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const releasesMigrations: Migrations = {
  "15_releases_01": {
    async up(db) {
      await sql`
        create table release (
          id text primary key,
          service text not null,
          environment text not null,
          commit text not null,
          artifact_digest text not null,
          revision text not null,
          plan text not null,
          decision text,
          state text not null check (state in ('planned', 'refused', 'rolling_out', 'held', 'promoted', 'rolled_back', 'failed', 'superseded')),
          because text not null,
          percent double precision not null default 0,
          steps_percent jsonb not null,
          rules jsonb,
          previous text references release (id),
          started_by text not null,
          created_at timestamptz(3) not null,
          ended_at timestamptz(3)
        )`.execute(db);
      await sql`create index release_of_service on release (service, environment, created_at desc)`.execute(db);
      await sql`create index release_promoted on release (service, environment, ended_at desc) where state = 'promoted'`.execute(db);
      await sql`create unique index release_under_way on release (service, environment) where state in ('rolling_out', 'held')`.execute(db);
      await sql`
        create table release_round (
          release text not null references release (id),
          number integer not null,
          at timestamptz(3) not null,
          body jsonb not null,
          primary key (release, number)
        )`.execute(db);
      await sql`
        create table release_quarantine (
          service text not null,
          artifact_digest text not null,
          release text not null references release (id),
          because text not null,
          created_at timestamptz(3) not null,
          primary key (service, artifact_digest)
        )`.execute(db);
    },
  },
  "15_releases_02": {
    async up(db) {
      await sql`
        create table release_answer (
          release text not null references release (id),
          number integer not null,
          action text not null check (action in ('roll_back', 'go_on')),
          because text not null,
          by text not null,
          percent double precision not null,
          at timestamptz(3) not null,
          primary key (release, number)
        )`.execute(db);
    },
  },
  "15_releases_03": {
    async up(db) {
      await sql`
        alter table release_quarantine
          alter column release drop not null,
          add column by text not null default 'system:releases',
          add column lifted_at timestamptz(3),
          add column lifted_by text,
          add column lifted_because text`.execute(db);
      await sql`create index release_quarantine_of_digest on release_quarantine (artifact_digest)`.execute(db);
    },
  },
  "15_releases_05": {
    async up(db) {
      await sql`create index release_newest on release (created_at desc, id desc)`.execute(db);
      await sql`create index release_active on release (created_at desc, id desc) where state in ('planned', 'rolling_out', 'held')`.execute(
        db,
      );
    },
  },
  "15_releases_06": {
    async up(db) {
      await sql`create index release_decision on release (decision) where state in ('planned', 'rolling_out', 'held', 'promoted')`.execute(
        db,
      );
    },
  },
};
