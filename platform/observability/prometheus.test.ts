import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Fastify from "fastify";
import { sql } from "kysely";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadGoldenPath } from "../golden-paths/load.ts";
import { renderGoldenPath } from "../golden-paths/render.ts";
import { silentLog } from "../kernel/log.ts";
import type { Db } from "../kernel/sql.ts";
import type { Observation, Runtime } from "../runtime/contract.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { ORDERS, aReading, anObservation } from "./a-reading.ts";
import { BURN_RULES, badOf, burnOf, spanOf, windowsOf } from "./burn-rate.ts";
import { countsOf, deltasOf } from "./counters.ts";
import { exposition } from "./exposition.ts";
import { readSlos } from "./openslo.ts";
import { quantile } from "./quantile.ts";
import { scrapeRoutes } from "./routes.ts";
import { fold, windowCounts } from "./store.ts";

// What is generated for Prometheus and Alertmanager, held against the real ones where they are installed (Debian: prometheus, prometheus-alertmanager).
const execute = promisify(execFile);
const installed = async (program: string): Promise<boolean> =>
  execute(program, ["--version"]).then(
    () => true,
    () => false,
  );
const [hasPromtool, hasPrometheus, hasAmtool] = await Promise.all(["promtool", "prometheus", "amtool"].map(installed));

const folders: string[] = [];
const running: ChildProcess[] = [];
afterAll(async () => {
  for (const child of running) {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

/** The folder observability/ of a generated service, with its slo.yaml. */
async function generated(): Promise<{ folder: string; text: (name: string) => Promise<string> }> {
  const folder = await newFolder();
  const path = await loadGoldenPath(join(import.meta.dirname, "../../library/golden-paths/http-api"));
  const { files } = await renderGoldenPath(
    path,
    { service_name: "orders", owner_team: "team-a", database: false },
    { platform_url: "http://127.0.0.1:7070", repository_url: "http://127.0.0.1:7070/git/orders.git" },
  );
  for (const file of files.filter(({ path: name }) => name === "slo.yaml" || name.startsWith("observability/")))
    await writeFile(join(folder, file.path.replace("observability/", "")), file.content);
  return { folder, text: (name) => readFile(join(folder, name), "utf8") };
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-prometheus-"));
  folders.push(folder);
  return folder;
}

describe.skipIf(!hasPromtool)("promtool (skipped where it is not installed)", () => {
  test("finds nothing wrong with the generated rules", async () => {
    const { folder } = await generated();
    const { stdout } = await execute("promtool", ["check", "rules", join(folder, "rules.yaml")]);
    expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
  });

  test("finds nothing wrong with the exposition but that nobody measures the histogram's sum", async () => {
    const child = spawn("promtool", ["check", "metrics"]);
    child.stdin.end(exposition("orders", [anObservation(new Date(), [aReading({ requests: 5, memoryBytes: 7 })])]));
    let said = "";
    for await (const chunk of child.stderr) said += String(chunk);
    expect(said).toBe("");
  });

  test("sees the alerts fire when we say so, and nobody called for one bad request or for silence", async () => {
    const { folder } = await generated();
    const series = (name: string, values: string, more = "") => ({
      series: `${name}{service="orders",environment="production",revision="aaaaaaaaaaaa"${more}}`,
      values,
    });
    const within = (values: string) => series("cairn_proxy_request_duration_seconds_bucket", values, ',le="0.3"');
    const up = { series: 'cairn_telemetry_up{service="orders"}', values: "1x400" };
    const unit = {
      rule_files: [join(folder, "rules.yaml")],
      evaluation_interval: "1m",
      tests: [
        {
          name: "a fifth of the requests fails",
          interval: "1m",
          input_series: [
            up,
            series("cairn_proxy_requests_total", "0+100x400"),
            series("cairn_proxy_errors_total", "0+20x400"),
            within("0+100x400"),
          ],
          promql_expr_test: [
            {
              expr: 'count(ALERTS{alertname="orders-availability",alertstate="firing",sloth_severity="page"})',
              eval_time: "10m",
              exp_samples: [{ labels: "{}", value: 1 }],
            },
            {
              expr: 'count(ALERTS{alertname="orders-availability",alertstate="firing",sloth_severity="ticket"})',
              eval_time: "30m",
              exp_samples: [{ labels: "{}", value: 1 }],
            },
            { expr: 'ALERTS{alertname="orders-latency"}', eval_time: "30m", exp_samples: [] },
            {
              expr: 'round(slo:current_burn_rate:ratio{sloth_slo="availability"}, 0.001)',
              eval_time: "30m",
              exp_samples: [
                {
                  labels:
                    '{owner="team-a",sloth_id="orders-availability",sloth_service="orders",sloth_slo="availability",sloth_window="5m"}',
                  value: 40,
                },
              ],
            },
          ],
        },
        {
          name: "one bad request of five",
          interval: "1m",
          input_series: [
            up,
            series("cairn_proxy_requests_total", "0 1 2 3 4 5x60"),
            series("cairn_proxy_errors_total", "0 0 1x60"),
            within("0 1 2 3 4 5x60"),
          ],
          promql_expr_test: [{ expr: "ALERTS", eval_time: "20m", exp_samples: [] }],
        },
        {
          name: "an outage with little traffic",
          interval: "1m",
          input_series: [
            up,
            series("cairn_proxy_requests_total", "0 1 2 3 4 5 6 7 8 9 10"),
            series("cairn_proxy_errors_total", "0 1 2 3 4 5 6 7 8 9 10"),
            within("0 1 2 3 4 5 6 7 8 9 10"),
          ],
          promql_expr_test: [
            {
              expr: 'count(ALERTS{alertstate="firing",sloth_severity="page"})',
              eval_time: "10m",
              exp_samples: [{ labels: "{}", value: 1 }],
            },
          ],
        },
        {
          name: "idle, and not deployed: read, and nothing to tell",
          interval: "1m",
          input_series: [up, series("cairn_proxy_requests_total", "0x200"), series("cairn_proxy_errors_total", "0x200"), within("0x200")],
          promql_expr_test: [{ expr: "ALERTS", eval_time: "3h", exp_samples: [] }],
        },
        {
          name: "its counters can't be read",
          interval: "1m",
          input_series: [{ series: 'cairn_telemetry_up{service="orders"}', values: "1x5 0x60" }],
          promql_expr_test: [
            {
              expr: 'count(ALERTS{alertname="orders-telemetry-broken",alertstate="firing",sloth_severity="ticket"})',
              eval_time: "30m",
              exp_samples: [{ labels: "{}", value: 1 }],
            },
            { expr: 'ALERTS{sloth_severity="page"}', eval_time: "30m", exp_samples: [] },
          ],
        },
      ],
    };
    const file = join(folder, "rules.test.json");
    await writeFile(file, JSON.stringify(unit));
    const { stdout } = await execute("promtool", ["test", "rules", file]).catch((error: { stdout: string; stderr: string }) => ({
      stdout: error.stdout + error.stderr,
    }));
    expect(stdout).toMatch(/SUCCESS/);
  });
});

describe.skipIf(!hasAmtool)("amtool (skipped where it is not installed)", () => {
  test("finds nothing wrong with the generated route, and sends pages and tickets to their receivers", async () => {
    const { folder } = await generated();
    const file = join(folder, "alertmanager-route.yaml");
    const { stdout } = await execute("amtool", ["check-config", file]);
    expect(stdout).toContain("SUCCESS");
    for (const severity of ["page", "ticket"]) {
      const routed = await execute("amtool", [
        "config",
        "routes",
        "test",
        `--config.file=${file}`,
        `--verify.receivers=team-a-${severity}`,
        "service=orders",
        `sloth_severity=${severity}`,
      ]);
      expect(routed.stdout.trim()).toBe(`team-a-${severity}`);
    }
  });
});

/** Prometheus on a free port, ready. */
async function prometheus(
  folder: string,
  config: object,
): Promise<(query: string, at?: Date) => Promise<{ metric: Record<string, string>; value: number }[]>> {
  const file = join(folder, "prometheus.yaml");
  await writeFile(file, JSON.stringify(config));
  const port = await freePort();
  const child = spawn(
    "prometheus",
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--storage.tsdb.retention.time=60d",
    ],
    { stdio: "ignore" },
  );
  running.push(child);
  const url = `http://127.0.0.1:${port}`;
  await expect.poll(() => fetch(`${url}/-/ready`).then(({ ok }) => ok, () => false), { timeout: 30_000 }).toBe(true); // prettier-ignore
  return async (query, at) => {
    const search = new URLSearchParams({ query, ...(at && { time: at.toISOString() }) });
    const answer = (await (await fetch(`${url}/api/v1/query?${search}`)).json()) as {
      status: string;
      error?: string;
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (answer.status !== "success") throw new Error(`${query}: ${answer.error}`);
    return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}

describe.skipIf(!hasPrometheus || !hasPromtool)("Prometheus (skipped where it is not installed)", () => {
  test("gives the same burn rates, ratios and quantiles as we do, of the same history: a release, a reset, a bad hour", async () => {
    const { folder, text } = await generated();
    const { slos } = readSlos(await text("slo.yaml"), "orders");
    const db = await database();
    const end = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 600_000);
    const minutes = 3 * 1440 + 5;
    const random = (
      (state: number) => () =>
        (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
    )(11);
    const scrapes: string[] = [];
    const [old, fresh] = [
      { revision: "aaaaaaaaaaaa", requests: 0, errors: 0, slow: 0, epoch: "1" },
      { revision: "bbbbbbbbbbbb", requests: 0, errors: 0, slow: 0, epoch: "1" },
    ];
    const observations: Observation[] = [];
    for (let n = 0; n <= minutes; n++) {
      const at = new Date(end.getTime() - (minutes - n) * 60_000);
      const bad = n > minutes - 50 ? 0.12 : 0.002;
      for (const arm of n > minutes / 2 ? [old, fresh] : [old]) {
        const more = n === 0 ? 0 : Math.floor(random() * 60);
        const errors = Math.round(more * bad * 2 * random());
        Object.assign(arm, {
          requests: arm.requests + more,
          errors: arm.errors + errors,
          slow: arm.slow + Math.floor(more * random() * 0.05),
        });
      }
      // An agent that restarted begins at zero; what it counts since is below what it had, so both see the reset.
      if (n === 2000) Object.assign(old, { requests: 3, errors: 1, slow: 0, epoch: "2" });
      const readings = [old, fresh].map((arm) => aReading({ ...arm, startedAt: new Date(end.getTime() - minutes * 60_000) }));
      observations.push(anObservation(at, readings));
      scrapes.push(exposition("orders", [anObservation(at, readings)]).replaceAll(/^(\w+\{.*\} \S+)$/gm, `$1 ${at.getTime() / 1000}`));
    }
    // Each look takes its time; the older ones are written as fold() would.
    await writeHistory(db, observations.slice(0, -60));
    for (const observation of observations.slice(-60)) await fold(db, [observation]);

    await writeFile(join(folder, "history.txt"), openMetrics(scrapes));
    await execute("promtool", ["tsdb", "create-blocks-from", "openmetrics", join(folder, "history.txt"), join(folder, "data")]);
    const ask = await prometheus(folder, { global: { evaluation_interval: "1h" } });

    const windows = [...new Set(slos.flatMap(windowsOf))].filter((seconds) => seconds <= 3 * 86_400);
    const counts = await windowCounts(db, [{ ...ORDERS, seenAt: end }], windows, end);
    const rules = (
      parse(await text("rules.yaml")).groups as {
        rules: { record?: string; alert?: string; expr: string; labels: Record<string, string> }[];
      }[]
    ).flatMap((group) => group.rules);
    for (const slo of slos)
      for (const seconds of windows) {
        const own = counts(ORDERS, seconds);
        const ours = badOf(slo.indicator, own) / own.requests;
        const rule = rules.find(
          ({ record, labels }) => record === `slo:sli_error:ratio_rate${spanOf(seconds)}` && `orders-${labels.sloth_slo}` === slo.name,
        );
        const [theirs] = await ask(rule?.expr ?? "", end);
        expect(theirs?.value, `${slo.name} over ${spanOf(seconds)}`).toBeCloseTo(ours, 9);
        const [burn] = await ask(`(${rule?.expr}) / (1 - ${slo.target})`, end);
        const judged = BURN_RULES.map((one) => burnOf(slo, one, (window) => counts(ORDERS, window))).flatMap(({ long, short }) => [
          long,
          short,
        ]);
        expect(burn?.value).toBeCloseTo(judged.find(({ windowSeconds }) => windowSeconds === seconds)?.burn ?? Number.NaN, 6);
      }
    for (const share of [0.5, 0.9, 0.99]) {
      const [theirs] = await ask(
        `histogram_quantile(${share}, sum by (le) (rate(cairn_proxy_request_duration_seconds_bucket{service="orders",environment="production"}[1h])))`,
        end,
      );
      expect(theirs?.value).toBeCloseTo(quantile(share, counts(ORDERS, 3600)) ?? Number.NaN, 9);
    }
    const [requests] = await ask('sum(increase(cairn_proxy_requests_total{service="orders"}[1h]))', end);
    expect(requests?.value).toBeCloseTo(counts(ORDERS, 3600).requests, 6);
  }, 120_000);

  test("finds every service by our discovery, scrapes it with a token, and has an answer to every question of the dashboard", async () => {
    const { folder, text } = await generated();
    const clock = testClock();
    const reading = aReading({ requests: 70, errors: 3, slow: 2, memoryBytes: 12_345_678 });
    let asked = 0;
    const runtime = {
      targets: async () => [ORDERS],
      observe: async () => {
        asked += 1;
        reading.requests += 10;
        reading.latency[3] = (reading.latency[3] ?? 0) + 10;
        return anObservation(clock.now(), [reading]);
      },
    } as unknown as Runtime;
    const app = Fastify({ loggerInstance: silentLog });
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(serializerCompiler);
    app.decorateRequest("can", async function can() {
      if (this.headers.authorization !== "Bearer a-token-that-may-read") throw new Error("nobody is signed in");
    });
    await app.register(scrapeRoutes({ runtime, services: async () => ["orders"], requireService: async () => {} }));
    await app.listen({ host: "127.0.0.1", port: 0 });
    const address = app.server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    try {
      const authorization = { type: "Bearer", credentials: "a-token-that-may-read" };
      const ask = await prometheus(folder, {
        global: { scrape_interval: "1s", evaluation_interval: "1s" },
        rule_files: [join(folder, "rules.yaml")],
        scrape_configs: [
          {
            job_name: "cairn",
            authorization,
            http_sd_configs: [{ url: `${url}/prometheus/targets`, refresh_interval: "1s", authorization }],
          },
        ],
      });
      await expect.poll(() => asked, { timeout: 30_000 }).toBeGreaterThan(3);
      await expect
        .poll(async () => (await ask('slo:current_burn_rate:ratio{sloth_slo="availability"}'))[0]?.value, { timeout: 30_000 })
        .toBe(0);
      expect(await ask('up{job="orders"}')).toMatchObject([{ value: 1 }]);
      const dashboard = JSON.parse(await text("dashboard.json")) as { panels: { title: string; targets: { expr: string }[] }[] };
      for (const { title, targets } of dashboard.panels)
        for (const { expr } of targets)
          expect(
            (await ask(expr.replaceAll("$__rate_interval", "1m").replaceAll("$environment", "production"))).length,
            `${title}: ${expr}`,
          ).toBeGreaterThan(0);
    } finally {
      await app.close();
    }
  }, 120_000);
});

/** Scrapes one after another, each with its time, as promtool takes a history: by family, without what OpenMetrics names otherwise. */
function openMetrics(scrapes: readonly string[]): string {
  const lines = new Map<string, string[]>();
  for (const line of scrapes.flatMap((scrape) => scrape.split("\n"))) {
    if (line === "" || line.startsWith("#")) continue;
    const name = line.slice(0, line.indexOf("{"));
    const own = lines.get(name);
    if (own) own.push(line);
    else lines.set(name, [line]);
  }
  return `${[...lines].map(([name, own]) => `# TYPE ${name} unknown\n${own.join("\n")}\n`).join("")}# EOF\n`;
}

/** Looks of the past, one a minute, written at once. */
async function writeHistory(db: Db, observations: readonly Observation[]): Promise<void> {
  await fold(db, observations.slice(0, 1));
  await db.deleteFrom("traffic_gap").execute();
  const cursorsOf = ({ target, at, readings }: Observation) =>
    readings.map((reading) => ({ ...target, revision: reading.revision, epoch: reading.epoch, at, ...countsOf(reading) }));
  const deltas = observations.flatMap((observation, n) => {
    const before = observations[n - 1];
    return before ? deltasOf(observation, cursorsOf(before), undefined) : [];
  });
  await db
    .insertInto("traffic_minute")
    .columns(["service", "environment", "revision", "at", "requests", "errors", "within", "resets"])
    .expression(
      sql`select service, environment, revision, at, requests, errors, within, resets from jsonb_to_recordset(${JSON.stringify(
        deltas.map(({ from, isGap: _isGap, until: _until, ...counted }) => ({ ...counted, at: from })),
      )}::jsonb) as r(service text, environment text, revision text, at timestamptz, requests bigint, errors bigint, within bigint[], resets integer)` as never,
    )
    .execute();
  const sums = sql.join(Array.from({ length: 12 }, (_none, n) => sql`sum(within[${sql.lit(n + 1)}])::bigint`));
  await sql`insert into traffic_hour (service, environment, revision, at, requests, errors, within, resets)
    select service, environment, revision, date_trunc('hour', at, 'UTC'), sum(requests), sum(errors), array[${sums}], 0 from traffic_minute group by 1, 2, 3, 4`.execute(
    db,
  );
  await db.deleteFrom("traffic_cursor").execute();
  const last = observations.at(-1);
  if (last) for (const cursor of cursorsOf(last)) await db.insertInto("traffic_cursor").values(cursor).execute();
}
