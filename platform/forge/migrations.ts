import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const forgeMigrations: Migrations = {
  "08_forge_01": {
    async up(db) {
      await sql`
        create table forge_repository (
          name text primary key,
          owner text not null,
          first_commit text not null,
          first_tree text not null,
          head text not null,
          last_change integer not null default 0,
          created_at timestamptz(3) not null
        )`.execute(db);
      await sql`
        create table forge_change (
          repository text not null references forge_repository on delete cascade,
          number integer not null,
          title text not null,
          description text not null,
          author text not null,
          branch text not null,
          head text not null,
          base text not null,
          compared_with text not null,
          mergeable boolean not null,
          conflicts text[] not null,
          pushed_by text[] not null default '{}',
          state text not null check (state in ('open', 'merged', 'closed')),
          warnings text[] not null default '{}',
          merging jsonb,
          merge_commit text,
          created_at timestamptz(3) not null,
          merged_at timestamptz(3),
          primary key (repository, number)
        )`.execute(db);
      await sql`create unique index forge_change_open on forge_change (repository, branch) where state = 'open'`.execute(db);
      await sql`create index forge_change_newest on forge_change (created_at desc, repository, number)`.execute(db);
      await sql`create index forge_change_state on forge_change (state, created_at desc)`.execute(db);
      await sql`create index forge_change_repository on forge_change (repository, state, created_at desc)`.execute(db);
      await sql`create index forge_change_merging on forge_change (repository) where merging is not null`.execute(db);
      await sql`
        create table forge_approval (
          repository text not null,
          number integer not null,
          commit text not null,
          by text not null,
          at timestamptz(3) not null,
          primary key (repository, number, commit, by),
          foreign key (repository, number) references forge_change on delete cascade
        )`.execute(db);
      await sql`
        create table forge_check (
          repository text not null references forge_repository on delete cascade,
          commit text not null,
          name text not null,
          state text not null,
          summary text not null,
          details text[] not null,
          link text,
          updated_at timestamptz(3) not null,
          primary key (repository, commit, name)
        )`.execute(db);
    },
  },
  "08_forge_02": {
    async up(db) {
      await sql`
        create table forge_branch (
          repository text not null references forge_repository on delete cascade,
          name text not null,
          pushed_by text[] not null,
          primary key (repository, name)
        )`.execute(db);
    },
  },
  "08_forge_03": {
    async up(db) {
      await sql`alter table forge_change add column result text`.execute(db);
      await sql`alter table forge_approval add column result text, add column token_by text`.execute(db);
      // What is compared with another commit than the default branch's is compared anew, and gets its result then.
      await sql`update forge_change set compared_with = '' where state = 'open'`.execute(db);
    },
  },
};
