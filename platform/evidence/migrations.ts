import { sql } from "kysely";
import type { Migrations } from "../kernel/sql.ts";

export const evidenceMigrations: Migrations = {
  "10_evidence_01": {
    async up(db) {
      await sql`
        create table artifact (
          digest text primary key,
          size_bytes bigint not null,
          repository text not null,
          commit text not null,
          ci_run text not null,
          path text not null,
          created_at timestamptz(3) not null
        )`.execute(db);
      await sql`
        create table evidence (
          digest text primary key references ledger_document (digest),
          kind text not null,
          artifact_digest text not null references artifact (digest),
          signed_by text not null,
          builder text not null,
          isolated boolean not null,
          repository text not null,
          commit text not null,
          result text not null,
          summary jsonb not null,
          observed_at timestamptz(3) not null,
          filed_at timestamptz(3) not null,
          revoked_because text
        )`.execute(db);
      await sql`create index evidence_artifact on evidence (artifact_digest)`.execute(db);
    },
  },
  "10_evidence_02": {
    async up(db) {
      await sql`
        create table evidence_citation (
          decision text not null,
          evidence text not null references evidence (digest),
          cited_at timestamptz(3) not null,
          reopened_at timestamptz(3),
          reopened_because text,
          primary key (decision, evidence)
        )`.execute(db);
      await sql`create index evidence_citation_evidence on evidence_citation (evidence)`.execute(db);
    },
  },
  "10_evidence_03": {
    async up(db) {
      await sql`alter table artifact add column last_built_at timestamptz(3), add column forgotten_at timestamptz(3)`.execute(db);
      await sql`update artifact set last_built_at = created_at`.execute(db);
      await sql`alter table artifact alter column last_built_at set not null`.execute(db);
      await sql`create index artifact_kept on artifact (last_built_at) where forgotten_at is null`.execute(db);
    },
  },
};
