import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const secretsMigrations: Migrations = {
  "11_secrets_01": {
    async up(db) {
      await sql`
        create table service_secret (
          service text not null,
          environment text not null,
          name text not null,
          version text not null,
          set_by text not null,
          set_at timestamptz(3) not null,
          primary key (service, environment, name)
        )`.execute(db);
    },
  },
};
