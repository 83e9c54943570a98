import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const observabilityMigrations: Migrations = {
  "17_observability_01": {
    async up(db) {
      const counted = sql`
        service text collate "C" not null,
        environment text collate "C" not null,
        revision text collate "C" not null,
        requests bigint not null,
        errors bigint not null,
        within bigint[] not null,
        resets integer not null`;
      for (const table of ["traffic_minute", "traffic_hour"]) {
        await sql`create table ${sql.table(table)} (${counted}, at timestamptz(0) not null, primary key (service, environment, at, revision))`.execute(
          db,
        );
        await sql`create index ${sql.id(`${table}_at`)} on ${sql.table(table)} using brin (at)`.execute(db);
      }
      await sql`
        create table traffic_gap (
          ${counted},
          at timestamptz(3) not null,
          until timestamptz(3) not null,
          primary key (service, environment, at, revision)
        )`.execute(db);
      await sql`
        create table traffic_cursor (
          service text collate "C" not null,
          environment text collate "C" not null,
          revision text collate "C" not null,
          epoch text not null,
          requests bigint not null,
          errors bigint not null,
          within bigint[] not null,
          at timestamptz(3) not null,
          primary key (service, environment, revision)
        )`.execute(db);
      await sql`
        create table traffic_target (
          service text collate "C" not null,
          environment text collate "C" not null,
          first_at timestamptz(3) not null,
          seen_at timestamptz(3) not null,
          serving jsonb not null,
          primary key (service, environment)
        )`.execute(db);
      await sql`
        create table slo_alert (
          service text collate "C" not null,
          environment text collate "C" not null,
          slo text collate "C" not null,
          rule text collate "C" not null,
          severity text not null check (severity in ('page', 'ticket')),
          state text not null check (state in ('pending', 'firing')),
          because text not null,
          pending_at timestamptz(3) not null,
          firing_at timestamptz(3),
          primary key (service, environment, slo, rule)
        )`.execute(db);
    },
  },
  "17_observability_02": {
    async up(db) {
      await sql`
        create table traffic_call (
          service text collate "C" not null,
          environment text collate "C" not null,
          caller text collate "C" not null,
          requests bigint not null,
          epoch text not null,
          counted bigint not null,
          first_at timestamptz(3) not null,
          last_at timestamptz(3) not null,
          primary key (service, environment, caller)
        )`.execute(db);
      await sql`create index traffic_call_caller on traffic_call ((split_part(caller, '/', 1)))`.execute(db);
    },
  },
};
