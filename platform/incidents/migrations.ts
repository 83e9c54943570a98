import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const incidentsMigrations: Migrations = {
  "18_incidents_01": {
    async up(db) {
      await sql`
        create table incident (
          id text primary key,
          key text not null,
          title text not null,
          service text,
          environment text,
          alert text,
          source text not null check (source in ('slo', 'alertmanager', 'person')),
          severity text not null check (severity in ('page', 'ticket')),
          state text not null check (state in ('open', 'acknowledged', 'resolved')),
          because text not null,
          began_at timestamptz(3) not null,
          opened_at timestamptz(3) not null,
          opened_by text not null,
          acknowledged_by text,
          acknowledged_at timestamptz(3),
          resolved_by text,
          resolved_at timestamptz(3),
          resolved_because text,
          round integer not null default 1,
          level integer not null default 0,
          told jsonb not null default '[]',
          next_at timestamptz(3),
          review text not null default 'none' check (review in ('none', 'drafted', 'done')),
          review_change text,
          link text,
          check ((state = 'resolved') = (resolved_at is not null))
        )`.execute(db);
      // The database decides: of two alerts at once that mean the same, one opens it.
      await sql`create unique index incident_open on incident (key) where state <> 'resolved'`.execute(db);
      await sql`create index incident_key on incident (key, resolved_at desc)`.execute(db);
      await sql`create index incident_service on incident (service, opened_at desc)`.execute(db);
      await sql`create index incident_review on incident (review_change) where review_change is not null`.execute(db);
      await sql`
        create table incident_alert (
          incident text not null references incident (id) on delete cascade,
          fingerprint text not null,
          name text not null,
          severity text not null,
          starts_at timestamptz(3) not null,
          ended_at timestamptz(3),
          primary key (incident, fingerprint, starts_at)
        )`.execute(db);
      await sql`create index incident_alert_fingerprint on incident_alert (fingerprint, starts_at)`.execute(db);
    },
  },
  "18_incidents_02": {
    async up(db) {
      await sql`create index incident_active on incident (id) where state <> 'resolved'`.execute(db);
      await sql`create index incident_of_service on incident (service, id)`.execute(db);
    },
  },
};
