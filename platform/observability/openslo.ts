import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { messageOf } from "../kernel/faults.ts";
import { LATENCY_BOUNDS_SECONDS } from "../runtime/contract.ts";

/** What the proxy's counters can say: how many requests failed, or took longer than a bound of the histogram. */
export type Indicator = { kind: "errors" } | { kind: "slow"; thresholdSeconds: number; bucket: number };

/** An objective as it can be evaluated on the proxy's counters. */
export interface Slo {
  name: string;
  title: string;
  description: string;
  environment: string;
  indicator: Indicator;
  target: number;
  periodSeconds: number;
  /** Still as the golden path generated it. */
  isPlaceholder: boolean;
}

/** An objective that stands in slo.yaml and can't be evaluated here, and why. */
export interface SloProblem {
  name: string;
  because: string;
}

export const DEFAULT_ENVIRONMENT = "production";

const Query = z.object({ metricSource: z.object({ spec: z.object({ query: z.string() }).loose() }).loose() }).loose();
const IndicatorSpec = z.object({
  ratioMetric: z.object({ total: Query, good: Query.optional(), bad: Query.optional() }).loose().optional(),
  thresholdMetric: z.unknown().optional(),
});
const Document = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z
    .object({
      name: z.string(),
      displayName: z.string().optional(),
      annotations: z.record(z.string(), z.string()).optional(),
    })
    .loose(),
  spec: z.record(z.string(), z.unknown()),
});
const SloSpec = z
  .object({
    description: z.string().default(""),
    indicator: z.object({ spec: IndicatorSpec }).loose().optional(),
    indicatorRef: z.string().optional(),
    timeWindow: z.array(z.object({ duration: z.string(), isRolling: z.boolean().optional() }).loose()).length(1),
    budgetingMethod: z.string(),
    objectives: z
      .array(z.object({ displayName: z.string().optional(), target: z.number().optional(), targetPercent: z.number().optional() }).loose())
      .min(1),
  })
  .loose();

/** Reads the objectives of a slo.yaml (OpenSLO v1). What can't be evaluated on the proxy's counters is told, never left out. */
export function readSlos(text: string, service: string): { slos: Slo[]; problems: SloProblem[] } {
  const slos: Slo[] = [];
  const problems: SloProblem[] = [];
  let documents: z.infer<typeof Document>[];
  try {
    documents = documentsOf(text);
  } catch (error) {
    return { slos, problems: [{ name: "slo.yaml", because: `it can't be read: ${messageOf(error)}` }] };
  }
  for (const document of documents.filter(({ kind }) => kind === "SLO")) {
    const { name } = document.metadata;
    try {
      slos.push(...slosOf(document, documents, service));
    } catch (error) {
      const because =
        error instanceof z.ZodError
          ? error.issues[0]
            ? `${error.issues[0].path.join(".")}: ${error.issues[0].message}`
            : ""
          : messageOf(error);
      problems.push({ name, because });
    }
  }
  if (slos.length + problems.length === 0) problems.push({ name: "slo.yaml", because: "it holds no document of kind SLO" });
  const names = new Set<string>();
  for (const { name } of slos) {
    if (names.has(name)) problems.push({ name, because: "two objectives have this name; the first counts" });
    names.add(name);
  }
  return { slos: slos.filter((slo, n) => slos.findIndex(({ name }) => name === slo.name) === n), problems };
}

function documentsOf(text: string): z.infer<typeof Document>[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error) throw error;
    const value = document.toJS({ maxAliasCount: 50 }) as unknown;
    return value === null ? [] : [Document.parse(value)];
  });
}

function slosOf(document: z.infer<typeof Document>, all: readonly z.infer<typeof Document>[], service: string): Slo[] {
  const { metadata } = document;
  if (document.apiVersion !== "openslo/v1") throw new Error(`its apiVersion is ${document.apiVersion}, not openslo/v1`);
  const spec = SloSpec.parse(document.spec);
  if (spec.budgetingMethod !== "Occurrences")
    throw new Error(`budgetingMethod ${spec.budgetingMethod} is not evaluated here, only Occurrences is`);
  const [window] = spec.timeWindow;
  if (!window || window.isRolling === false) throw new Error("a calendar window is not evaluated here, only a rolling one is");
  const periodSeconds = secondsOf(window.duration);
  const referred = all.find(({ kind, metadata: { name } }) => kind === "SLI" && name === spec.indicatorRef);
  const indicator = spec.indicator?.spec ?? (referred && IndicatorSpec.parse(referred.spec));
  if (!indicator) throw new Error(spec.indicatorRef ? `there is no SLI ${spec.indicatorRef} in slo.yaml` : "it has no indicator");
  const measured = indicatorOf(indicator, service);
  return spec.objectives.map((objective, n) => {
    const target = objective.target ?? (objective.targetPercent === undefined ? undefined : objective.targetPercent / 100);
    if (target === undefined || !(target > 0 && target < 1)) throw new Error("an objective's target lies between 0 and 1, both excluded");
    return {
      name: n === 0 ? metadata.name : `${metadata.name}-${n + 1}`,
      title: metadata.displayName ?? metadata.name,
      description: spec.description,
      ...measured,
      target,
      periodSeconds,
      isPlaceholder: metadata.annotations?.["cairn.dev/placeholder"] === "true",
    };
  });
}

/** Which of the proxy's counters an indicator asks for. The service's own histogram counts the same requests, so its names are understood too. */
function indicatorOf(spec: z.infer<typeof IndicatorSpec>, service: string): Pick<Slo, "indicator" | "environment"> {
  const { ratioMetric } = spec;
  if (!ratioMetric) throw new Error("a thresholdMetric is not evaluated here, only a ratioMetric is");
  if ((ratioMetric.good === undefined) === (ratioMetric.bad === undefined)) throw new Error("a ratioMetric has either good or bad");
  const total = selectorOf(ratioMetric.total.metricSource.spec.query);
  const part = selectorOf((ratioMetric.good ?? ratioMetric.bad)?.metricSource.spec.query ?? "");
  const isBad = ratioMetric.bad !== undefined;
  const unknown = () =>
    new Error(`the proxy does not count ${isBad ? "bad" : "good"}: ${(ratioMetric.good ?? ratioMetric.bad)?.metricSource.spec.query}`);
  for (const { labels } of [total, part]) {
    const named = labels.get("service")?.value ?? labels.get("job")?.value;
    if (named !== service) throw new Error(`its queries are about ${named ?? "no service"}, not ${service}`);
  }
  const environment = total.labels.get("environment")?.value ?? DEFAULT_ENVIRONMENT;
  if ((part.labels.get("environment")?.value ?? DEFAULT_ENVIRONMENT) !== environment)
    throw new Error("its two queries are about different environments");
  if (!TOTALS.has(total.metric) || !onlyLabels(total, []))
    throw new Error(`the proxy does not count the total: ${ratioMetric.total.metricSource.spec.query}`);
  if (isBad && part.metric === "cairn_proxy_errors_total" && onlyLabels(part, [])) return { indicator: { kind: "errors" }, environment };
  const status = part.labels.get("http_response_status_code");
  if (
    part.metric === `${OWN}_count` &&
    status?.value === "5.." &&
    status.operator === (isBad ? "=~" : "!~") &&
    onlyLabels(part, ["http_response_status_code"])
  )
    return { indicator: { kind: "errors" }, environment };
  const le = part.labels.get("le");
  if (isBad || !BUCKETS.has(part.metric) || !le || le.operator !== "=" || !onlyLabels(part, ["le"])) throw unknown();
  const bucket = LATENCY_BOUNDS_SECONDS.findIndex((bound) => bound === Number(le.value));
  if (bucket === -1) throw new Error(`the histogram has no bound of ${le.value} s; it has ${LATENCY_BOUNDS_SECONDS.join(", ")}`);
  return { indicator: { kind: "slow", thresholdSeconds: Number(le.value), bucket }, environment };
}

const OWN = "http_server_request_duration_seconds";
const PROXY = "cairn_proxy_request_duration_seconds";
const TOTALS = new Set(["cairn_proxy_requests_total", `${PROXY}_count`, `${OWN}_count`]);
const BUCKETS = new Set([`${PROXY}_bucket`, `${OWN}_bucket`]);

interface Selector {
  metric: string;
  labels: Map<string, { operator: string; value: string }>;
}

/** A selector without a function around it: `metric{label="value"}`. */
function selectorOf(query: string): Selector {
  const match = /^\s*([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?\s*$/s.exec(query);
  if (!match) throw new Error(`this query is not a selector that can be read here: ${query.trim()}`);
  const labels: Selector["labels"] = new Map();
  let rest = (match[2] ?? "").trim();
  while (rest !== "") {
    const one = /^([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,\s*|$)/.exec(rest);
    if (!one) throw new Error(`this query is not a selector that can be read here: ${query.trim()}`);
    labels.set(one[1] ?? "", { operator: one[2] ?? "", value: one[3] ?? "" });
    rest = rest.slice(one[0].length);
  }
  return { metric: match[1] ?? "", labels };
}

/** Whether a selector narrows down by nothing but service, environment and the labels named: any other would ask for a part of what the proxy counts. */
const onlyLabels = ({ labels }: Selector, more: readonly string[]): boolean =>
  [...labels].every(
    ([name, { operator }]) => more.includes(name) || (["service", "environment", "job"].includes(name) && operator === "="),
  );

/** OpenSLO's duration shorthand: 30d, 4w, 720h. */
function secondsOf(duration: string): number {
  const match = /^(\d{1,4})([hdw])$/.exec(duration);
  const seconds = Number(match?.[1] ?? 0) * { h: 3600, d: 86_400, w: 604_800 }[(match?.[2] ?? "h") as "h" | "d" | "w"];
  if (!(seconds >= 86_400 && seconds <= 90 * 86_400))
    throw new Error(`a window of ${duration} is not evaluated here: write 1d to 90d, as 30d or 4w`);
  return seconds;
}
