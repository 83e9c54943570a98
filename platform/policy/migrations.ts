import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const policyMigrations: Migrations = {
  "13_policy_01": {
    async up(db) {
      await sql`
        create table policy_decision (
          id text primary key,
          point text not null,
          about text not null,
          outcome text not null check (outcome in ('allow', 'warn', 'deny')),
          results jsonb not null,
          subject text not null references ledger_document (digest),
          bundle text not null references ledger_document (digest),
          evaluator text not null,
          decided_at timestamptz(3) not null
        )`.execute(db);
      await sql`create index policy_decision_about on policy_decision (about, decided_at desc)`.execute(db);
    },
  },
  "13_policy_02": {
    async up(db) {
      await sql`alter table policy_decision add column reliefs text references ledger_document (digest)`.execute(db);
      await sql`
        create table policy_exception (
          id text primary key,
          rules jsonb not null,
          service text not null,
          environment text,
          because text not null,
          granted_by text not null,
          granted_at timestamptz(3) not null,
          until timestamptz(3) not null check (until > granted_at),
          ended_by text,
          ended_at timestamptz(3),
          ended_because text
        )`.execute(db);
      await sql`create index policy_exception_service on policy_exception (service, until desc)`.execute(db);
    },
  },
  "13_policy_03": {
    async up(db) {
      await sql`
        create table policy_audit (
          service text not null,
          environment text not null,
          release text not null,
          outcome text not null check (outcome in ('allow', 'warn', 'deny', 'unknown')),
          because text not null,
          decision text references policy_decision (id),
          results jsonb not null,
          answers text not null,
          since timestamptz(3) not null,
          checked_at timestamptz(3) not null,
          primary key (service, environment)
        )`.execute(db);
    },
  },
  "13_policy_04": {
    async up(db) {
      await sql`create index policy_decision_newest on policy_decision (decided_at desc, id)`.execute(db);
      await sql`create index policy_decision_outcome on policy_decision (outcome, decided_at desc, id)`.execute(db);
      await sql`create index policy_exception_newest on policy_exception (id collate "C" desc)`.execute(db);
      await sql`create index policy_exception_until on policy_exception (until) where ended_at is null`.execute(db);
      await sql`create index policy_audit_worst on policy_audit (array_position(array['deny', 'unknown', 'warn', 'allow'], outcome), service, environment)`.execute(
        db,
      );
    },
  },
};
