import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const breakGlassMigrations: Migrations = {
  "13_policy_break_glass_01": {
    async up(db) {
      await sql`
        create table policy_break_glass (
          id text primary key,
          service text not null,
          environment text,
          rules jsonb not null,
          because text not null,
          opened_by text not null,
          opened_at timestamptz(3) not null,
          until timestamptz(3) not null check (until > opened_at),
          witnesses jsonb not null,
          closed_by text,
          closed_at timestamptz(3),
          closed_because text,
          follow_up_since timestamptz(3),
          reviewed_by text check (reviewed_by <> opened_by),
          reviewed_at timestamptz(3),
          review text
        )`.execute(db);
      await sql`create index policy_break_glass_service on policy_break_glass (service, until desc)`.execute(db);
      await sql`create index policy_break_glass_to_review on policy_break_glass (opened_at) where reviewed_at is null`.execute(db);
    },
  },
  "13_policy_break_glass_02": {
    async up(db) {
      await sql`create index policy_break_glass_newest on policy_break_glass (opened_at desc, id desc)`.execute(db);
      await sql`create index policy_break_glass_until on policy_break_glass (until)`.execute(db);
    },
  },
};
