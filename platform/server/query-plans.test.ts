import { CompiledQuery, Kysely, PostgresDialect, sql, type LogEvent } from "kysely";
import { Pool } from "pg";
import { beforeAll, expect, test } from "vitest";
import { services, serviceViews } from "../catalog/views.ts";
import { list as ciRuns } from "../ci/store.ts";
import { evidenceFor } from "../evidence/store.ts";
import { changeRows, changesOf } from "../forge/store.ts";
import { changesBefore, eventsBeside, incidents } from "../incidents/store.ts";
import type { Db, Tables } from "../kernel/sql.ts";
import { consume, events } from "../ledger/store.ts";
import { inbox } from "../notifications/store.ts";
import { deliveries } from "../notifications/webhooks.ts";
import { openAlerts } from "../observability/store.ts";
import { runs } from "../orchestrator/store.ts";
import { audits } from "../policy/audit.ts";
import { breakGlasses, findBreakGlass, openBreakGlasses, usesOf } from "../policy/break-glass-store.ts";
import { exceptionsFor, listExceptions } from "../policy/exceptions.ts";
import { list as decisions } from "../policy/store.ts";
import { waitingAtGates } from "../releases/gate-store.ts";
import { quarantineList } from "../releases/quarantine.ts";
import { carriedBy, currentRelease, releases } from "../releases/store.ts";
import { windows } from "../releases/windows-store.ts";
import { deployments } from "../scorecards/store.ts";
import { testDatabase } from "../testing/database.ts";

/** Rows of each table; with 100,000 the plans are the same, and seeding takes a minute. */
const ROWS = 20_000;
/** What one page may cost: rows that are read, those that are thrown away again included. */
const MOST_ROWS = 6000;
const NOW = new Date("2026-03-01T12:00:00.000Z");
const daysAgo = (days: number) => new Date(NOW.getTime() - days * 86_400_000);

interface Node {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Index Recheck"?: number;
  Plans?: Node[];
}

let db: Db;
let asked: CompiledQuery[] = [];

/** 500 services that things happen to, a minute apart: set-based, and without the stores, which would take an hour. */
beforeAll(async () => {
  const { db: own, url } = await testDatabase();
  const pool = new Pool({ connectionString: url, max: 4 });
  db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query }: LogEvent) => void asked.push(query),
  });
  const at = (minutes = "n") => sql.raw(`timestamptz '${NOW.toISOString()}' - make_interval(mins => ${ROWS} - ${minutes})`);
  const rows = sql.raw(`generate_series(1, ${ROWS}) n`);
  const id = (prefix: string) => sql.raw(`'${prefix}_' || lpad(n::text, 10, '0')`);
  const service = sql.raw("'service-' || n % 500");
  const run = (text: ReturnType<typeof sql>) => text.execute(own);
  await run(sql`insert into catalog_entity (ref, uid, etag, kind, namespace, name, entity, source, owner_ref, tier, lifecycle, terms, words, created_at, updated_at)
    select 'component:default/service-' || n, n::text, '', 'component', 'default', 'service-' || n,
      jsonb_build_object('apiVersion', 'backstage.io/v1alpha1', 'kind', 'Component', 'metadata', jsonb_build_object('name', 'service-' || n), 'spec', jsonb_build_object('owner', 'team-' || n % 400)),
      'registered', 'group:default/team-' || n % 400, 'tier-' || 1 + n % 3, case n % 50 when 0 then 'deprecated' else 'production' end,
      array['kind', 'metadata.annotations.cairn.dev/runtime=' || case n % 100 when 0 then 'rust' else 'nodejs' end], to_tsvector('simple', 'service ' || n || ' word-' || n % 1000), ${at()}, ${at()} from ${rows}`);
  await run(sql`insert into ledger_event select n, ${at()},
      case when n = 17 then 'policy.bundle_changed' when n % 100 = 1 then 'releases.started' when n % 100 = 2 then 'releases.promoted' when n % 100 = 3 then 'forge.change_merged' when n % 100 = 4 then 'policy.decided' else 'ci.run_ended' end,
      'component:default/' || ${service}, 'user:default/person-' || n % 4000,
      jsonb_build_object('release', 'rel-' || n / 100, 'environment', 'production', 'commit', 'commit-' || n / 100, 'number', n / 100, 'decision', 'dec-' || n), '', '' from ${rows}`);
  await run(sql`insert into incident (id, key, title, service, environment, source, severity, state, because, began_at, opened_at, opened_by, resolved_by, resolved_at)
    select ${id("inc")}, n::text, 'down', ${service}, 'production', 'slo', 'page', case n % 4000 when 0 then 'open' when 1 then 'acknowledged' else 'resolved' end, '', ${at()}, ${at()}, 'system:slo',
      case when n % 4000 > 1 then 'x' end, case when n % 4000 > 1 then ${at()} end from ${rows}`);
  await run(
    sql`insert into incident_alert select ${id("inc")}, 'f' || k, 'fast', 'page', ${at()}, ${at()} from ${rows}, generate_series(1, 2) k`,
  );
  await run(
    sql`insert into notification select ${id("ntf")}, n::text, 'incident_opened', '', '', '/', '', array['user:default/person-' || n % 2000], '{}', false, ${at()} from ${rows}`,
  );
  await run(sql`insert into notification_read select id, audience[1], at from notification where right(id, 3) < '950'`);
  await run(sql`insert into release (id, service, environment, commit, artifact_digest, revision, plan, decision, state, because, steps_percent, started_by, created_at, ended_at)
    select ${id("rel")}, ${service}, case n % 3 when 0 then 'dev' when 1 then 'staging' else 'production' end, '', 'sha256:' || n, '', '', 'dec-' || n,
      case n % 5000 when 0 then 'planned' else 'promoted' end, '', '[]', 'user:default/person', ${at()}, case when n % 5000 > 0 then ${at()} end from ${rows}`);
  await run(sql`insert into forge_repository select 'service-' || n, 'team', '', '', '', 0, ${at()} from generate_series(0, 499) n`);
  await run(sql`insert into forge_change (repository, number, title, description, author, branch, head, base, compared_with, mergeable, conflicts, state, created_at)
    select ${service}, n, '', '', '', 'branch-' || n, 'head-' || n, '', '', true, '{}', case n % 4000 when 0 then 'open' when 1 then 'closed' else 'merged' end, ${at()} from ${rows}`);
  await run(
    sql`insert into forge_check select ${service}, 'head-' || n, name, 'passed', '', '{}', null, ${at()} from ${rows}, unnest(array['build', 'policy', 'scan']) name`,
  );
  await run(sql`insert into workflow_run (id, workflow, about, started_by, state, input, created_at, updated_at, ended_at)
    select ${id("run")}, 'deliver-commit', case when n % 10 = 0 then 'component:default/' || ${service} else 'platform:audit' end, '', case n % 4000 when 0 then 'failed' when 1 then 'running' else 'success' end, '', ${at()}, ${at()}, case when n % 4000 <> 1 then ${at()} end from ${rows}`);
  await run(sql`insert into ledger_document select 'sha256:' || n, '', '{}' from ${rows}`);
  await run(
    sql`insert into policy_decision select ${id("dec")}, 'release', 'component:default/' || ${service}, case n % 4000 when 0 then 'deny' when 1 then 'warn' else 'allow' end, '[]', 'sha256:1', 'sha256:1', '', ${at()} from ${rows}`,
  );
  await run(
    sql`insert into policy_exception select ${id("exc")}, '["rule"]', ${service}, null, '', 'x', ${at()}, case n % 4000 when 0 then ${at()} + interval '1 year' else ${at()} + interval '1 minute' end from ${rows}`,
  );
  await run(sql`insert into policy_break_glass (id, service, rules, because, opened_by, opened_at, until, witnesses, reviewed_by, reviewed_at)
    select ${id("brk")}, ${service}, '[]', '', 'x', ${at()}, ${at()} + interval '1 hour', '[]', case when n % 4000 > 0 then 'y' end, case when n % 4000 > 0 then ${at()} end from ${rows}`);
  await run(
    sql`insert into ci_run select ${id("ci")}, ${service}, 'commit-' || n, 'change', 'success', null, '[]', null, null, '[]', 1, ${at()}, ${at()} from ${rows}`,
  );
  await run(sql`insert into artifact select 'sha256:' || n, 1, ${service}, '', '', '', ${at()}, ${at()} from ${rows}`);
  await run(
    sql`insert into evidence select 'sha256:' || n, 'provenance', 'sha256:' || n, '', '', true, '', '', '', '{}', ${at()}, ${at()} from ${rows}`,
  );
  await run(
    sql`insert into slo_alert select 'service-' || n, 'production', 'slo', 'page-1h', 'page', 'firing', '', ${at()}, ${at()} from ${rows}`,
  );
  await run(
    sql`insert into policy_audit select 'service-' || n, 'production', '', 'allow', '', null, '[]', '', ${at()}, ${at()} from ${rows}`,
  );
  await run(sql`insert into webhook values ('whk_1', '', '', '{}', false, '', ${NOW})`);
  await run(sql`insert into webhook_delivery select ${id("dlv")}, 'whk_1', null, '', '', 'delivered', 1, ${at()}, null from ${rows}`);
  await run(sql`analyze`);
  return () => db.destroy();
}, 120_000);

const reader = { ref: "user:default/person-7", groups: ["group:default/team-1"], administrator: true };
const about = "component:default/service-7";
const oneService = { service: "service-7" };
const teams = Array.from({ length: 30 }, (_none, n) => `service-${n}`);
const production = { environments: ["production"], from: daysAgo(1), to: NOW };

test.each<[string, () => Promise<unknown>]>([
  ["incidents", () => incidents(db)],
  ["incidents that are not over", () => incidents(db, { state: "active" })],
  ["incidents that nobody has", () => incidents(db, { state: "open" })],
  ["incidents of a service", () => incidents(db, { services: ["service-7"] })],
  ["incidents of a team that are not over", () => incidents(db, { services: teams, state: "active" })],
  ["incidents, further on", () => incidents(db, { before: "inc_0000000900" })],
  ["what may have caused an incident", () => changesBefore(db, [about], NOW)],
  ["what happened beside an incident", () => eventsBeside(db, about, daysAgo(1), NOW)],
  ["alerts of a service", () => openAlerts(db, oneService)],
  ["an inbox", () => inbox(db, reader, { limit: 50 })],
  ["what is unread of an inbox", () => inbox(db, reader, { unread: true, limit: 50 })],
  ["releases", () => releases(db)],
  ["releases that have not ended", () => releases(db, { state: "active" })],
  ["releases of a service", () => releases(db, oneService)],
  ["releases of a team", () => releases(db, { service: teams })],
  ["releases to an environment", () => releases(db, { environment: "production" })],
  ["releases, further on", () => releases(db, { before: "rel_0000000900" })],
  ["releases that wait at a gate", () => waitingAtGates(db, {})],
  ["releases that rest on a decision", () => carriedBy(db, ["dec-77"])],
  ["what serves", () => currentRelease(db, "service-7", "production")],
  ["windows and freezes", () => windows(db, NOW)],
  ["what is quarantined", () => quarantineList(db)],
  ["change requests", async () => changesOf(db, await changeRows(db, { limit: 100 }))],
  ["change requests that are open", async () => changesOf(db, await changeRows(db, { state: "open", limit: 100 }))],
  ["change requests of a repository", async () => changesOf(db, await changeRows(db, { repository: "service-7", limit: 100 }))],
  ["change requests of a team that are open", () => changeRows(db, { repository: teams, state: "open", limit: 100 })],
  ["runs", () => runs(db, { limit: 50 })],
  ["runs of people", () => runs(db, { except: "platform:audit", limit: 100 })],
  ["runs that failed", () => runs(db, { state: "failed", limit: 50 })],
  ["runs about a service", () => runs(db, { about, limit: 50 })],
  ["the ledger", () => events(db, { newestFirst: true })],
  ["the ledger, about a service", () => events(db, { about, newestFirst: true })],
  ["the ledger, by a person", () => events(db, { actor: "user:default/person-7", newestFirst: true })],
  ["the ledger, of a type", () => events(db, { types: ["forge.change_merged"], newestFirst: true })],
  ["the ledger, of a type that is rare", () => events(db, { types: ["policy.bundle_changed"], newestFirst: true, limit: 1 })],
  [
    "the ledger's next events of types that are rare",
    () => consume(db, "nobody", ["policy.bundle_changed", "forge.opened"], async () => {}),
  ],
  ["services", () => serviceViews(db)],
  ["services, by name as the list API gives them", () => services(db, { limit: 50 }, String)],
  ["services, further on", () => serviceViews(db, { cursor: "service-500" })],
  ["services by words", () => serviceViews(db, { text: "word-77" })],
  ["services of a language", () => serviceViews(db, { language: "rust" })],
  ["services of a team", () => serviceViews(db, { team: "team-7" })],
  [
    "services by words, tier, lifecycle and language",
    () => serviceViews(db, { text: "service", tier: "tier-1", lifecycle: "deprecated", language: "rust" }),
  ],
  ["decisions", () => decisions(db, { limit: 50 })],
  ["decisions that denied", () => decisions(db, { outcome: "deny", limit: 50 })],
  ["decisions about a service", () => decisions(db, { service: "service-7", point: "release", limit: 50 })],
  ["what policy says of a service", () => audits(db, { service: "service-7" })],
  ["what policy says of all, the worst first", () => audits(db, { limit: 100 })],
  ["exceptions", () => listExceptions(db, NOW, {})],
  ["exceptions that hold", () => listExceptions(db, NOW, { holding: true })],
  ["exceptions that speak for a service", () => exceptionsFor(db, "service-7", NOW)],
  ["break-glasses", () => breakGlasses(db, NOW)],
  ["break-glasses that nobody has reviewed", () => breakGlasses(db, NOW, { state: "to_review" })],
  ["break-glasses that hold", () => openBreakGlasses(db, undefined, NOW)],
  ["what was done by virtue of a break-glass", async () => usesOf(db, await findBreakGlass(db, "brk_0000019900"))],
  ["CI runs", () => ciRuns(db, {})],
  ["CI runs of a repository", () => ciRuns(db, { repository: "service-7" })],
  ["CI runs of a commit", () => ciRuns(db, { commit: "commit-77" })],
  ["evidence of an artifact", () => evidenceFor(db, "sha256:77")],
  ["deployments of a day", () => deployments(db, production)],
  ["deployments of a service", () => deployments(db, { ...production, services: ["service-2"], from: daysAgo(14) })],
  ["deliveries of a webhook", () => deliveries(db, "whk_1", 50)],
])("%s: a page is read by an index, however long the whole is", async (_what, ask) => {
  asked = [];
  await ask();
  // How many services there are in all can't be had for less than counting them.
  for (const query of asked.filter(({ sql: text }) => /^\s*(select|with)/.test(text) && !text.includes('count(*) as "total"'))) {
    const { rows } = await db.executeQuery<{ "QUERY PLAN": [{ Plan: Node }] }>(
      CompiledQuery.raw(`explain (analyze, format json) ${query.sql}`, [...query.parameters]),
    );
    const scans = scansOf(rows[0]!["QUERY PLAN"][0].Plan);
    const shown = `${query.sql}\n${scans.map(({ says }) => says).join("\n")}`;
    expect(
      scans.filter(({ whole }) => whole).map(({ says }) => says),
      shown,
    ).toEqual([]);
    expect(
      scans.reduce((sum, { read }) => sum + read, 0),
      shown,
    ).toBeLessThan(MOST_ROWS);
  }
});

function scansOf(node: Node): { says: string; read: number; whole: boolean }[] {
  const below = (node.Plans ?? []).flatMap(scansOf);
  if (!node["Node Type"].endsWith("Scan") || node["Relation Name"] === undefined) return below;
  const removed = (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0);
  const read = (node["Actual Rows"] + removed) * node["Actual Loops"];
  const says = `${node["Node Type"]} on ${node["Relation Name"]} ${node["Index Name"] ?? ""}: ${node["Actual Rows"] * node["Actual Loops"]} of ${read} rows`;
  return [...below, { says, read, whole: node["Node Type"] === "Seq Scan" && read > MOST_ROWS }];
}
