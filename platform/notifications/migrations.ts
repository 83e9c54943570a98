import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const notificationsMigrations: Migrations = {
  "16_notifications_01": {
    async up(db) {
      await sql`
        create table notification (
          id text primary key,
          key text not null unique,
          kind text not null,
          title text not null,
          body text not null,
          link text not null,
          about text not null,
          audience text[] not null,
          excepted text[] not null,
          urgent boolean not null,
          at timestamptz(3) not null
        )`.execute(db);
      await sql`create index notification_audience on notification using gin (audience)`.execute(db);
      await sql`
        create table notification_read (
          notification text not null references notification (id),
          person text not null,
          at timestamptz(3) not null,
          primary key (notification, person)
        )`.execute(db);
      await sql`
        create table webhook (
          id text primary key,
          url text not null,
          description text not null,
          kinds text[] not null,
          this_machine boolean not null,
          created_by text not null,
          created_at timestamptz(3) not null,
          disabled_at timestamptz(3),
          disabled_because text
        )`.execute(db);
      await sql`
        create table webhook_delivery (
          id text primary key,
          webhook text not null references webhook (id) on delete cascade,
          notification text references notification (id),
          kind text not null,
          body text not null,
          state text not null check (state in ('pending', 'delivered', 'given_up')),
          attempts integer not null default 0,
          created_at timestamptz(3) not null,
          next_at timestamptz(3),
          unique (webhook, notification)
        )`.execute(db);
      await sql`create index webhook_delivery_due on webhook_delivery (next_at) where state = 'pending'`.execute(db);
      await sql`create index webhook_delivery_log on webhook_delivery (webhook, created_at desc)`.execute(db);
      await sql`
        create table webhook_attempt (
          delivery text not null references webhook_delivery (id) on delete cascade,
          number integer not null,
          at timestamptz(3) not null,
          status integer,
          detail text not null,
          seconds double precision not null,
          primary key (delivery, number)
        )`.execute(db);
      // A platform that has run before has told of its past in other ways.
      await sql`insert into ledger_cursor (consumer, seq) select 'notifications', coalesce(max(seq), 0) from ledger_event`.execute(db);
    },
  },
  "16_notifications_02": {
    async up(db) {
      await sql`create index notification_read_person on notification_read (person, notification)`.execute(db);
    },
  },
};
