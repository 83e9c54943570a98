import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const plansMigrations: Migrations = {
  "05_plans_01": {
    async up(db) {
      await sql`
        create table plan (
          digest text primary key references ledger_document (digest),
          kind text not null,
          about text not null,
          title text not null,
          state text not null check (state in ('open', 'applied', 'stale')),
          created_by text not null,
          created_at timestamptz(3) not null,
          applied_by text,
          applied_at timestamptz(3),
          run text
        )`.execute(db);
      await sql`create index plan_about on plan (about, created_at desc)`.execute(db);
    },
  },
  "05_plans_02": {
    async up(db) {
      await sql`
        create table plan_approval (
          digest text not null references plan (digest),
          by text not null,
          token_by text,
          at timestamptz(3) not null,
          primary key (digest, by)
        )`.execute(db);
    },
  },
};
