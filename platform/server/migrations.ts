import type { Migrations } from "../kernel/sql.ts";
import { catalogMigrations } from "../catalog/migrations.ts";
import { ciMigrations } from "../ci/migrations.ts";
import { evidenceMigrations } from "../evidence/migrations.ts";
import { identityMigrations } from "../identity/migrations.ts";
import { forgeMigrations } from "../forge/migrations.ts";
import { incidentsMigrations } from "../incidents/migrations.ts";
import { infraMigrations } from "../infra/migrations.ts";
import { ledgerMigrations } from "../ledger/migrations.ts";
import { observabilityMigrations } from "../observability/migrations.ts";
import { orchestratorMigrations } from "../orchestrator/migrations.ts";
import { notificationsMigrations } from "../notifications/migrations.ts";
import { plansMigrations } from "../plans/migrations.ts";
import { breakGlassMigrations } from "../policy/break-glass-migrations.ts";
import { policyMigrations } from "../policy/migrations.ts";
import { runtimeMigrations } from "../runtime/migrations.ts";
import { gateMigrations } from "../releases/gate-migrations.ts";
import { releasesMigrations } from "../releases/migrations.ts";
import { scorecardsMigrations } from "../scorecards/migrations.ts";
import { secretsMigrations } from "../secrets/migrations.ts";

/** Every table of the platform. A subject's names begin with its number in the order of the path. */
export const allMigrations: Migrations = {
  ...ledgerMigrations,
  ...orchestratorMigrations,
  ...identityMigrations,
  ...notificationsMigrations,
  ...catalogMigrations,
  ...plansMigrations,
  ...forgeMigrations,
  ...secretsMigrations,
  ...infraMigrations,
  ...ciMigrations,
  ...evidenceMigrations,
  ...policyMigrations,
  ...breakGlassMigrations,
  ...runtimeMigrations,
  ...releasesMigrations,
  ...gateMigrations,
  ...observabilityMigrations,
  ...incidentsMigrations,
  ...scorecardsMigrations,
};
