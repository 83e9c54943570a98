import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const scorecardsMigrations: Migrations = {
  "19_scorecards_01": {
    async up(db) {
      // A service that leaves the catalog takes its scorecard with it. Points lie aside: who counts and sorts reads none of them.
      await sql`
        create table scorecard (
          ref text collate "C" primary key references catalog_entity on delete cascade,
          owner text not null,
          team text collate "C" not null,
          tier text not null,
          met integer not null,
          required integer not null,
          unknown integer not null,
          states jsonb not null,
          points jsonb not null,
          rules text not null,
          seq bigint not null,
          told_seq bigint not null default 0,
          made_at timestamptz(3) not null
        ) with (toast_tuple_target = 1024)`.execute(db);
      await sql`alter table scorecard alter column states set storage main`.execute(db);
      await sql`create index scorecard_team on scorecard (team)`.execute(db);
      await sql`insert into ledger_cursor (consumer, seq) select 'scorecards', coalesce(max(seq), 0) from ledger_event`.execute(db);
    },
  },
};
