import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { componentEntityV1alpha1Validator, resourceEntityV1alpha1Validator, type Entity } from "@backstage/catalog-model";
import { Contract } from "../ci/contract.ts";
import { loadGoldenPath } from "./load.ts";
import { renderGoldenPath } from "./render.ts";
import { parseScore } from "../infra/intent.ts";
import { planInfra } from "../infra/plan.ts";
import { bytesOf, type TreeFile } from "../kernel/file-tree.ts";
import { run } from "../kernel/processes.ts";
import { aReading, anObservation } from "../observability/a-reading.ts";
import { exposition } from "../observability/exposition.ts";
import { readSlos } from "../observability/openslo.ts";
import { LATENCY_BOUNDS_SECONDS } from "../runtime/contract.ts";
import { afterAll, describe, expect, inject, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";

const root = join(import.meta.dirname, "../..");
const goldenPath = join(root, "library/golden-paths/http-api");
const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** What the platform tells of a service. */
const GIVEN = exposition("orders", [anObservation(new Date(), [aReading({ memoryBytes: 1 })])]);

const longName = `a${"b".repeat(61)}c`;

describe.each([
  ["with a database", { service_name: "orders", owner_team: "team-a", description: "Keeps 'orders': #1 \"ever\"" }, true],
  ["without one", { service_name: "orders", owner_team: "team-a", database: false }, false],
  ["with the longest name", { service_name: longName, owner_team: "team-a" }, true],
])("http-api %s", (_what, answers, database) => {
  const rendering = render(answers);
  const name = answers.service_name;
  const text = async (path: string) => (await rendering).find((file) => file.path === path)?.content ?? "";

  test("has the files that a generated repository has", async () => {
    const paths = (await rendering).map(({ path }) => path);
    for (const path of [
      "catalog-info.yaml",
      "score.yaml",
      "cairn.yaml",
      "slo.yaml",
      "cairn.lock",
      "CODEOWNERS",
      "README.md",
      "Dockerfile",
      ".gitignore",
      ".npmrc",
      ".github/workflows/ci.yaml",
      "docs/index.md",
      "docs/runbook.md",
      "observability/dashboard.json",
      "observability/rules.yaml",
      "observability/alertmanager-route.yaml",
      "k8s/README.md",
      "package.json",
      "package-lock.json",
    ])
      expect(paths).toContain(path);
    for (const { path, content } of await rendering) if (!path.endsWith(".lock")) expect(content, path).toMatch(/[^\n]\n$/);
  });

  test("describes itself as the catalog's format asks", async () => {
    const entities = documents(await text("catalog-info.yaml")) as Entity[];
    expect(entities).toHaveLength(database ? 2 : 1);
    expect(await componentEntityV1alpha1Validator.check(entities[0] as Entity)).toBe(true);
    expect(entities[0]).toMatchObject({
      metadata: { name, labels: { "cairn.dev/tier": "tier-3" } },
      spec: { owner: "group:default/team-a" },
    });
    if (!database) return;
    expect(await resourceEntityV1alpha1Validator.check(entities[1] as Entity)).toBe(true);
    expect(entities[0]?.spec?.dependsOn).toEqual([`resource:default/${entities[1]?.metadata.name}`]);
    expect(entities[1]?.metadata.name.length).toBeLessThanOrEqual(63);
  });

  test("its intent can be planned, its example patch applied, and its contract read", async () => {
    const patches = [{ path: "k8s/more-replicas.yaml", text: await text("k8s/examples/more-replicas.yaml") }];
    const plan = planInfra(
      parseScore(await text("score.yaml")),
      [],
      { service: name, environment: "dev", owner: "team-a", patches },
      { currency: "EUR", monthly: {} },
    );
    expect(plan.resources.map(({ type }) => type)).toEqual(database ? ["http-service", "postgres"] : ["http-service"]);
    expect(plan.manifests.find(({ kind }) => kind === "Deployment")).toMatchObject({ spec: { replicas: 2 } });
    expect(Contract.parse(parse(await text("cairn.yaml"))).ci.include).toEqual(
      database ? ["package.json", "src", "node_modules"] : ["package.json", "src"],
    );
    expect(await text("CODEOWNERS")).toBe("* @team-a\n");
    const workflow = parse(await text(".github/workflows/ci.yaml"));
    expect(workflow.jobs.ci.steps.at(-1)).toEqual({ run: "cairn ci" });
    expect(workflow.concurrency.group).toContain("${{ github.ref }}");
  });

  test("its lock file holds exact versions and no registry, and only what is needed", async () => {
    const { dependencies = {} } = JSON.parse(await text("package.json"));
    expect(dependencies).toEqual(database ? { pg: "8.23.1" } : {});
    const lock = await text("package-lock.json");
    expect(lock).not.toMatch(/resolved|https?:/);
    expect(Object.keys(JSON.parse(lock).packages).length > 1).toBe(database);
  });

  test("its objectives, rules and dashboard ask only for what the platform tells of a service or a rule records", async () => {
    const slos = documents(await text("slo.yaml"));
    for (const slo of slos)
      expect(slo).toMatchObject({
        apiVersion: "openslo/v1",
        kind: "SLO",
        metadata: { annotations: { "cairn.dev/placeholder": "true" } },
        spec: { service: name },
      });
    expect(readSlos(await text("slo.yaml"), name)).toMatchObject({
      slos: [{ indicator: { kind: "errors" } }, { indicator: { kind: "slow" } }],
      problems: [],
    });
    const bound = /le="([\d.]+)"/.exec(await text("slo.yaml"))?.[1];
    expect(LATENCY_BOUNDS_SECONDS).toContain(Number(bound));
    const groups = parse(await text("observability/rules.yaml")).groups as { rules: { record?: string; alert?: string; expr: string }[] }[];
    const rules = groups.flatMap((group) => group.rules);
    const recorded = new Set(rules.flatMap(({ record }) => (record ? [record] : [])));
    const asked = [...rules.map(({ expr }) => expr), ...expressionsOf(JSON.parse(await text("observability/dashboard.json")))].flatMap(
      (expr) => [...expr.matchAll(/[a-z_]+(?::[a-z_0-9]+)+|[a-z][a-z_]+(?=\{)/g)].map(([metric]) => metric),
    );
    const given = new Set([...GIVEN.matchAll(/^(\w+)\{/gm)].map(([, metric = ""]) => metric));
    for (const metric of asked) expect([...recorded, ...given]).toContain(metric);
    expect(rules.filter(({ alert }) => alert === `${name}-availability`)).toHaveLength(2);
    // The fastest burn that an alert waits for is one that the objective can reach.
    for (const {
      objectives: [objective],
    } of slos.map(({ spec }) => spec as { objectives: { target: number }[] }))
      expect(14.4 * (1 - (objective?.target ?? 1))).toBeLessThan(1);
    const route = parse(await text("observability/alertmanager-route.yaml"));
    expect(route.route.routes.map((one: { receiver: string }) => one.receiver)).toEqual(
      route.receivers.map((one: { name: string }) => one.name),
    );
  });
});

test.each([[true], [false]])("what http-api generates passes its own tests, with a database: %s", async (database) => {
  const folder = await checkout({ service_name: "orders", owner_team: "team-a", database });
  if (database) await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const env = { PATH: process.env.PATH, ...(database ? { TEST_DATABASE_URL: inject("postgresUrl") } : {}) };
  const { ci } = Contract.parse(parse(await readFile(join(folder, "cairn.yaml"), "utf8")));
  const tested = await run("sh", ["-c", ci.test], { cwd: folder, env, timeoutSeconds: 120 });
  expect(tested.code, tested.stdout.toString()).toBe(0);
  const report = await readFile(join(folder, ci.junit), "utf8");
  expect(report).toContain("items in memory");
  expect(report.includes("items in PostgreSQL")).toBe(database);
  expect(await readdir(folder)).toEqual(expect.arrayContaining(ci.include));
});

test("the service starts as its contract says, answers, and stops on SIGTERM", async () => {
  const folder = await checkout({ service_name: "orders", owner_team: "team-a", database: false });
  const port = await freePort();
  const { start } = Contract.parse(parse(await readFile(join(folder, "cairn.yaml"), "utf8")));
  const service = spawn("sh", ["-c", `exec ${start}`], {
    cwd: folder,
    env: { PATH: process.env.PATH, PORT: String(port) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const lines = service.stdout[Symbol.asyncIterator]();
    expect(JSON.parse(String((await lines.next()).value).split("\n")[0] ?? "")).toMatchObject({
      level: "info",
      service: "orders",
      message: "listening",
      port,
    });
    const url = `http://127.0.0.1:${port}`;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const made = await fetch(`${url}/items`, { method: "POST", headers: { "content-type": "application/json" }, body: '{"name": "one"}' });
    expect(made.status).toBe(201);
    expect(await (await fetch(`${url}/items`)).json()).toMatchObject({ items: [{ name: "one" }], next: null });
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(
      'http_server_request_duration_seconds_count{http_request_method="POST",http_route="/items",http_response_status_code="201"} 1',
    );
    service.kill("SIGTERM");
    expect(await once(service, "exit")).toEqual([0, null]);
  } finally {
    service.kill("SIGKILL");
  }
});

async function render(answers: Record<string, unknown>): Promise<TreeFile[]> {
  const path = await loadGoldenPath(goldenPath);
  return (
    await renderGoldenPath(path, answers, { platform_url: "http://127.0.0.1:7070", repository_url: "http://127.0.0.1:7070/git/orders.git" })
  ).files;
}

async function checkout(answers: Record<string, unknown>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-http-api-"));
  folders.push(folder);
  for (const file of await render(answers)) {
    await mkdir(dirname(join(folder, file.path)), { recursive: true });
    await writeFile(join(folder, file.path), bytesOf(file));
  }
  return folder;
}

const documents = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as { spec?: unknown });

function expressionsOf(dashboard: { panels: { targets: { expr: string }[] }[] }): string[] {
  return dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}
