import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const ledgerMigrations: Migrations = {
  "02_ledger_01": {
    async up(db) {
      await sql`
        create table ledger_event (
          seq bigint primary key,
          at timestamptz(3) not null,
          type text not null,
          about text not null,
          actor text not null,
          data jsonb not null,
          previous_hash text not null,
          hash text not null
        )`.execute(db);
      await sql`create index ledger_event_about on ledger_event (about, seq desc)`.execute(db);
      await sql`create index ledger_event_type on ledger_event (type, seq)`.execute(db);
      await sql`
        create table ledger_document (
          digest text primary key,
          media_type text not null,
          body text not null,
          created_at timestamptz(3) not null default now()
        )`.execute(db);
      await sql`create table ledger_cursor (consumer text primary key, seq bigint not null)`.execute(db);
      await sql`
        create function ledger_is_append_only() returns trigger language plpgsql as $$
        begin raise exception 'the ledger is append-only' using errcode = 'restrict_violation'; end $$`.execute(db);
      for (const table of ["ledger_event", "ledger_document"])
        await sql`
          create trigger append_only before update or delete or truncate on ${sql.table(table)}
          for each statement execute function ledger_is_append_only()`.execute(db);
    },
  },
  "02_ledger_02": {
    async up(db) {
      await sql`
        create table ledger_checkpoint (
          seq bigint primary key,
          hash text not null,
          at timestamptz(3) not null,
          envelope jsonb not null
        )`.execute(db);
      await sql`
        create trigger append_only before update or delete or truncate on ledger_checkpoint
        for each statement execute function ledger_is_append_only()`.execute(db);
    },
  },
  "02_ledger_03": {
    async up(db) {
      await sql`create index ledger_event_actor on ledger_event (actor, seq desc)`.execute(db);
      // What tells of deployments is looked up by what it names, of these types alone: other events pay nothing for it.
      const ended = sql`type in ('releases.promoted', 'releases.rolled_back', 'releases.failed')`;
      await sql`create index ledger_event_deployed on ledger_event (at) where ${ended}`.execute(db);
      await sql`create index ledger_event_deployed_about on ledger_event (about, at) where ${ended}`.execute(db);
      await sql`create index ledger_event_started on ledger_event ((data ->> 'release')) where type = 'releases.started'`.execute(db);
      await sql`create index ledger_event_taken_back on ledger_event ((data ->> 'from')) where type = 'releases.going_back'`.execute(db);
      await sql`create index ledger_event_merged on ledger_event ((data ->> 'commit')) where type = 'forge.change_merged'`.execute(db);
      await sql`create index ledger_event_opened on ledger_event (about, (data ->> 'number')) where type = 'forge.change_opened'`.execute(
        db,
      );
    },
  },
};
