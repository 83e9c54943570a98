import { connectAgent } from "../agent/client.ts";
import { insert } from "../platform/catalog/store.ts";
import { TIER_LABEL, type Entity } from "../platform/catalog/model.ts";
import { systemClock } from "../platform/kernel/clock.ts";
import { readConfig } from "../platform/kernel/config.ts";
import { openDatabase, transact } from "../platform/kernel/sql.ts";
import { record } from "../platform/ledger/store.ts";
import { embeddedDatabase } from "../platform/server/database.ts";

/**
 * Fills a platform's catalog with services that nobody runs, to see how it bears their number:
 *
 *     CAIRN_HOME=/tmp/bench/home ./cairn start
 *     CAIRN_HOME=/tmp/bench/home node bench/seed-services.ts 10000
 *
 * or `await seedServices({ databaseUrl, count })` from another bench. 50 services a team; every tier, lifecycle and language is there; six in ten are
 * noted as running in production; each depends on two others. Names are `fleet-00001-billing` and so on: what is there already is left as it is, so a
 * second run adds only what is missing. Each comes with its ledger event, as if it had been registered by hand. Not for a platform that people use: the
 * teams and services stay.
 */
export async function seedServices({ databaseUrl, count }: { databaseUrl: string; count: number }): Promise<{ added: number }> {
  const db = openDatabase(databaseUrl, { maxConnections: 2 });
  let added = 0;
  try {
    const entities = [...teams(count), ...Array.from({ length: count }, (_none, at) => serviceAt(at, count))];
    for (let from = 0; from < entities.length; from += BATCH)
      added += await transact(db, async (tx) => {
        const about: string[] = [];
        for (const entity of entities.slice(from, from + BATCH)) {
          const isService = entity.kind === "Component";
          if (!(await insert(tx, systemClock, entity, { source: isService ? "registered" : "organisation" })) || !isService) continue;
          about.push(`component:default/${entity.metadata.name}`);
        }
        const running = about.filter((ref) => /-\d{4}[0-5]-/.test(ref));
        if (running.length > 0)
          await tx
            .insertInto("catalog_fact")
            .values(running.map((ref) => ({ ref, key: "runs.production", value: JSON.stringify(RUNS), observed_at: systemClock.now() })))
            .execute();
        for (const ref of about)
          await record(tx, systemClock, { type: "catalog.service_registered", about: ref, actor: ACTOR, data: { owner: null } });
        return about.length;
      });
  } finally {
    await db.destroy();
  }
  return { added };
}

const BATCH = 250;
const SERVICES_A_TEAM = 50;
const ACTOR = "user:default/administrator";
const KINDS = ["billing", "checkout", "search", "mail", "stock", "prices", "reports", "accounts", "images", "ledger"];
const TIERS = ["tier-3", "tier-3", "tier-2", "tier-3", "tier-1"];
const LIFECYCLES = ["production", "production", "development", "experimental", "deprecated"];
const LANGUAGES = ["nodejs", "go", "python"];
const RUNS = { release: "seeded", revision: "000000000000", commit: "0".repeat(40), since: "2026-01-05T09:00:00.000Z" };

const pick = (of: readonly string[], at: number): string => of[at % of.length] ?? "";
const nameAt = (at: number): string => `fleet-${String(at + 1).padStart(5, "0")}-${pick(KINDS, at)}`;
const teamAt = (at: number): string => `fleet-team-${String(Math.floor(at / SERVICES_A_TEAM) + 1).padStart(3, "0")}`;

function* teams(count: number): Generator<Entity> {
  for (let at = 0; at < count; at += SERVICES_A_TEAM) {
    const members = [1, 2, 3].map((number) => `${teamAt(at)}-${number}`);
    for (const name of members) yield entity("User", name, { profile: { displayName: name }, memberOf: [teamAt(at)] });
    yield entity("Group", teamAt(at), { type: "team", children: [] });
  }
}

function serviceAt(at: number, count: number): Entity {
  const needs = [(at * 7 + 1) % count, (at * 13 + 5) % count].filter((other) => other !== at);
  const { metadata, ...rest } = entity("Component", nameAt(at), {
    type: "service",
    owner: `group:default/${teamAt(at)}`,
    lifecycle: pick(LIFECYCLES, Math.floor(at / 3)),
    dependsOn: [...new Set(needs)].map((other) => `component:default/${nameAt(other)}`),
  });
  const description = `Answers for ${pick(KINDS, at)} of region ${(at % 37) + 1}, and of nothing else`;
  const annotations = { "cairn.dev/runtime": pick(LANGUAGES, at) };
  return { ...rest, metadata: { ...metadata, description, annotations, labels: { [TIER_LABEL]: pick(TIERS, at) } } };
}

const entity = (kind: string, name: string, spec: Record<string, unknown>): Entity => ({
  apiVersion: "backstage.io/v1alpha1",
  kind,
  metadata: { name, namespace: "default" },
  spec,
});

if (import.meta.main) {
  const config = readConfig(process.env);
  const databaseUrl = config.databaseUrl ?? (await embeddedDatabase((await (await connectAgent(config.home)).postgres()).url));
  const { added } = await seedServices({ databaseUrl, count: Number(process.argv[2] ?? 10_000) });
  console.log(`${added} services were added`);
}
