import type { Migrations } from "../kernel/sql.ts";
import { catalogMigrations } from "../catalog/migrations.ts";
import { identityMigrations } from "../identity/migrations.ts";
import { forgeMigrations } from "../forge/migrations.ts";
import { ledgerMigrations } from "../ledger/migrations.ts";
import { plansMigrations } from "../plans/migrations.ts";

/** Every table of the platform. A subject's names begin with its number in the order of the path. */
export const allMigrations: Migrations = { ...ledgerMigrations, ...identityMigrations, ...catalogMigrations, ...plansMigrations, ...forgeMigrations };
