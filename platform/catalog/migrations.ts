import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const catalogMigrations: Migrations = {
  "06_catalog_01": {
    async up(db) {
      await sql`
        create table catalog_entity (
          ref text collate "C" primary key,
          uid text not null unique,
          etag text not null,
          kind text collate "C" not null,
          namespace text collate "C" not null,
          name text collate "C" not null,
          entity jsonb not null,
          source text not null check (source in ('registered', 'claimed', 'descriptor', 'organisation')),
          repository text,
          commit text,
          plan text,
          orphaned_at timestamptz(3),
          owner_ref text collate "C",
          tier text not null,
          lifecycle text not null,
          terms text[] not null,
          words tsvector not null,
          created_at timestamptz(3) not null,
          updated_at timestamptz(3) not null
        )`.execute(db);
      await sql`create index catalog_entity_kind on catalog_entity (kind, name)`.execute(db);
      await sql`create index catalog_entity_kind_ref on catalog_entity (kind, ref)`.execute(db);
      await sql`create index catalog_entity_owner on catalog_entity (owner_ref, kind, name)`.execute(db);
      await sql`create index catalog_entity_tier on catalog_entity (kind, tier, name)`.execute(db);
      await sql`create index catalog_entity_lifecycle on catalog_entity (kind, lifecycle, name)`.execute(db);
      await sql`create index catalog_entity_repository on catalog_entity (repository) where repository is not null`.execute(db);
      await sql`create index catalog_entity_plan on catalog_entity (plan) where plan is not null`.execute(db);
      await sql`create index catalog_entity_terms on catalog_entity using gin (terms)`.execute(db);
      await sql`create index catalog_entity_words on catalog_entity using gin (words)`.execute(db);
      await sql`
        create table catalog_relation (
          source_ref text collate "C" not null,
          type text not null,
          target_ref text collate "C" not null,
          declared_by text collate "C" not null references catalog_entity on delete cascade,
          primary key (source_ref, type, target_ref, declared_by)
        )`.execute(db);
      await sql`create index catalog_relation_target on catalog_relation (target_ref, type)`.execute(db);
      await sql`create index catalog_relation_declared on catalog_relation (declared_by)`.execute(db);
      await sql`
        create table catalog_dependency (
          source_ref text collate "C" not null references catalog_entity on delete cascade,
          target_ref text collate "C" not null references catalog_entity on delete cascade,
          dependency_type text not null,
          is_critical boolean not null,
          created_at timestamptz(3) not null,
          primary key (source_ref, target_ref)
        )`.execute(db);
      await sql`create index catalog_dependency_target on catalog_dependency (target_ref)`.execute(db);
      await sql`
        create table catalog_fact (
          ref text collate "C" not null references catalog_entity on delete cascade,
          key text not null,
          value jsonb not null,
          observed_at timestamptz(3) not null,
          primary key (ref, key)
        )`.execute(db);
    },
  },
};
