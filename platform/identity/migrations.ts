import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const identityMigrations: Migrations = {
  "04_identity_01": {
    async up(db) {
      await sql`
        create table identity_person (
          ref text primary key,
          display_name text not null,
          administrator boolean not null,
          created_at timestamptz(3) not null
        )`.execute(db);
      await sql`
        create table identity_sign_in_link (
          secret_hash text primary key,
          person text not null references identity_person,
          created_at timestamptz(3) not null,
          expires_at timestamptz(3) not null,
          used_at timestamptz(3)
        )`.execute(db);
      await sql`
        create table identity_session (
          secret_hash text primary key,
          person text not null references identity_person,
          created_at timestamptz(3) not null,
          last_seen_at timestamptz(3) not null,
          expires_at timestamptz(3) not null
        )`.execute(db);
      await sql`create index identity_session_expires on identity_session (expires_at)`.execute(db);
      await sql`
        create table identity_token (
          id text primary key,
          secret_hash text not null unique,
          person text not null references identity_person,
          name text not null,
          scopes text[] not null,
          created_by text not null,
          created_at timestamptz(3) not null,
          expires_at timestamptz(3) not null,
          last_used_at timestamptz(3),
          revoked_at timestamptz(3)
        )`.execute(db);
      await sql`create index identity_token_person on identity_token (person, created_at)`.execute(db);
    },
  },
};
