import { LATENCY_BOUNDS_SECONDS, type Observation } from "../runtime/contract.ts";
import { within } from "./counters.ts";

export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

interface Family {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  samples: string[];
}

/**
 * The proxy's counters of a service in Prometheus' text format, by environment and revision. A runtime that can't be read gives
 * `cairn_telemetry_up` 0 and nothing else: nothing known is not zero. Format: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function exposition(service: string, observations: readonly Observation[] | undefined): string {
  const up: Family = {
    name: "cairn_telemetry_up",
    type: "gauge",
    help: "Whether the counters of the service can be read.",
    samples: [sample("cairn_telemetry_up", { service }, observations ? 1 : 0)],
  };
  return [up, ...(observations ? families(observations) : [])].map(textOf).join("");
}

function families(observations: readonly Observation[]): Family[] {
  const readings = observations.flatMap(({ target, readings: own }) =>
    own.map((reading) => ({ ...reading, labels: { ...target, revision: reading.revision } })),
  );
  const one = (
    name: string,
    type: "counter" | "gauge",
    help: string,
    value: (reading: (typeof readings)[number]) => number | null,
  ): Family => ({
    name,
    type,
    help,
    samples: readings.flatMap((reading) => {
      const found = value(reading);
      return found === null ? [] : [sample(name, reading.labels, found)];
    }),
  });
  const duration = "cairn_proxy_request_duration_seconds";
  const all: Family[] = [
    one("cairn_proxy_requests_total", "counter", "Requests that the proxy gave to the revision.", ({ requests }) => requests),
    one(
      "cairn_proxy_errors_total",
      "counter",
      "Of these, answers of 500 and above, and requests without an answer.",
      ({ errors }) => errors,
    ),
    {
      name: duration,
      type: "histogram",
      help: "Time until the revision's answer began. The sum is not measured.",
      samples: readings.flatMap(({ labels, latency, requests }) => [
        ...within(latency).map((count, n) => sample(`${duration}_bucket`, { ...labels, le: String(LATENCY_BOUNDS_SECONDS[n]) }, count)),
        sample(`${duration}_bucket`, { ...labels, le: "+Inf" }, requests),
        sample(`${duration}_count`, labels, requests),
      ]),
    },
    one(
      "cairn_revision_weight_percent",
      "gauge",
      "Share of the traffic that the revision is to get.",
      ({ weightPercent }) => weightPercent,
    ),
    one("cairn_revision_healthy", "gauge", "Whether its checks pass.", ({ health }) => (health === "healthy" ? 1 : 0)),
    one("cairn_revision_restarts_total", "counter", "How often its process was started anew.", ({ restarts }) => restarts),
    one("cairn_revision_memory_bytes", "gauge", "Memory of its processes.", ({ memoryBytes }) => memoryBytes),
  ];
  return all.filter(({ samples }) => samples.length > 0);
}

const textOf = ({ name, type, help, samples }: Family): string => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.join("\n")}\n`;

const sample = (name: string, labels: Record<string, string>, value: number): string =>
  `${name}{${Object.entries(labels)
    .map(([label, text]) => `${label}="${escaped(text)}"`)
    .join(",")}} ${value}`;

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
