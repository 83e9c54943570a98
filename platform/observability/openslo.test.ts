import { expect, test } from "vitest";
import { readSlos } from "./openslo.ts";

const query = (text: string) => `{ metricSource: { type: Prometheus, spec: { query: '${text}' } } }`;
const PROXY = 'service="orders",environment="production"';
const document = (
  given: { good?: string; bad?: string; total?: string; window?: string; method?: string; objective?: string; name?: string } = {},
) => `
apiVersion: openslo/v1
kind: SLO
metadata: { name: ${given.name ?? "orders-availability"}, displayName: Availability }
spec:
  service: orders
  indicator:
    metadata: { name: it }
    spec:
      ratioMetric:
        counter: true
        total: ${query(given.total ?? `cairn_proxy_requests_total{${PROXY}}`)}
        ${given.good ? `good: ${query(given.good)}` : `bad: ${query(given.bad ?? `cairn_proxy_errors_total{${PROXY}}`)}`}
  timeWindow: [{ duration: ${given.window ?? "30d"}, isRolling: true }]
  budgetingMethod: ${given.method ?? "Occurrences"}
  objectives: [{ ${given.objective ?? "target: 0.995"} }]
`;
const problemOf = (given: Parameters<typeof document>[0]) => readSlos(document(given), "orders").problems[0]?.because;

test("readSlos() refuses what can't be evaluated on the proxy's counters, and says why", () => {
  expect(problemOf({ method: "Timeslices" })).toMatch(/only Occurrences/);
  expect(problemOf({ window: "1M" })).toMatch(/1d to 90d/);
  expect(problemOf({ objective: "target: 1" })).toMatch(/between 0 and 1/);
  expect(problemOf({ bad: 'payments_failed_total{service="orders"}' })).toMatch(/does not count bad/);
  expect(problemOf({ bad: `cairn_proxy_errors_total{${PROXY},route="/a"}` })).toMatch(/does not count bad/);
  expect(problemOf({ total: 'cairn_proxy_requests_total{service="payments"}' })).toMatch(/about payments, not orders/);
  expect(problemOf({ total: 'sum(rate(cairn_proxy_requests_total{service="orders"}[5m]))' })).toMatch(/not a selector/);
  expect(problemOf({ good: `cairn_proxy_request_duration_seconds_bucket{${PROXY},le="0.4"}` })).toMatch(/no bound of 0.4/);
  expect(readSlos("a: [", "orders").problems).toMatchObject([{ name: "slo.yaml" }]);
  expect(readSlos("", "orders").problems).toMatchObject([{ because: "it holds no document of kind SLO" }]);
  expect(readSlos("- 1", "orders").problems).toHaveLength(1);
});

test("readSlos() reads failures and latency, targets as share or percent, and what an SLI says that is referred to", () => {
  const slow = document({
    name: "orders-latency",
    good: `cairn_proxy_request_duration_seconds_bucket{${PROXY},le="0.3"}`,
    objective: "targetPercent: 99",
  });
  const { slos, problems } = readSlos(`${document()}---${slow}`, "orders");
  expect(problems).toEqual([]);
  expect(slos).toMatchObject([
    { name: "orders-availability", target: 0.995, periodSeconds: 2_592_000, environment: "production", indicator: { kind: "errors" } },
    { name: "orders-latency", target: 0.99, indicator: { kind: "slow", thresholdSeconds: 0.3, bucket: 6 } },
  ]);
  const referring = document().replace(/ {2}indicator:[\s\S]*?(?= {2}timeWindow)/, "  indicatorRef: it\n");
  expect(readSlos(referring, "orders").problems[0]?.because).toMatch(/no SLI it/);
  const sli = `\n---\napiVersion: openslo/v1\nkind: SLI\nmetadata: { name: it }\nspec: { ratioMetric: { counter: true, total: ${query(`cairn_proxy_requests_total{${PROXY}}`)}, bad: ${query(`cairn_proxy_errors_total{${PROXY}}`)} } }\n`;
  expect(readSlos(referring + sli, "orders").slos).toHaveLength(1);
});

test("readSlos() understands the service's own histogram, which counts the same requests", () => {
  const own = "http_server_request_duration_seconds";
  const total = `${own}_count{job="orders"}`;
  const { slos } = readSlos(
    `${document({ total, good: `${own}_count{job="orders",http_response_status_code!~"5.."}` })}---${document({ name: "slow", total, good: `${own}_bucket{job="orders",le="0.3"}` })}`,
    "orders",
  );
  expect(slos.map(({ indicator }) => indicator.kind)).toEqual(["errors", "slow"]);
});

test("readSlos() keeps the first of two objectives with one name, and tells", () => {
  const { slos, problems } = readSlos(`${document()}---${document({ objective: "target: 0.9" })}`, "orders");
  expect(slos).toMatchObject([{ target: 0.995 }]);
  expect(problems).toMatchObject([{ because: expect.stringContaining("the first counts") }]);
});
