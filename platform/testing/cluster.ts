import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startPostgres } from "@cairn/agent/postgres/launch.ts";
import { migrate, openDatabase } from "../kernel/sql.ts";
import { allMigrations } from "../server/migrations.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgresUrl: string;
  }
}

/** One PostgreSQL for a whole test run, with a template database that holds today's schema. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-test-"));
  await chmod(folder, 0o755); // as root it runs as somebody else, whose data would lie outside of it
  const postgres = await startPostgres({
    folder: join(folder, "postgres"),
    settings: { fsync: "off", synchronous_commit: "off", max_connections: "300" },
  });
  const admin = openDatabase(postgres.url());
  const { sql } = await import("kysely");
  await sql`create database template_cairn`.execute(admin);
  const template = openDatabase(postgres.url("template_cairn"));
  await migrate(template, allMigrations);
  await template.destroy();
  await admin.destroy();
  project.provide("postgresUrl", postgres.url());
  return async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
