import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const infraMigrations: Migrations = {
  "12_infra_01": {
    async up(db) {
      await sql`
        create table infra_resource (
          service text not null,
          environment text not null,
          address text not null,
          type text not null,
          state text not null check (state in ('creating', 'ready', 'updating', 'deleting')),
          properties jsonb not null,
          created_at timestamptz(3) not null,
          updated_at timestamptz(3) not null,
          primary key (service, environment, address)
        )`.execute(db);
    },
  },
};
