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
};
