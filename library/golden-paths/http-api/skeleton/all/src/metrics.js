/** Upper bounds in seconds. The latency objective in slo.yaml is one of them. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10];
const NAME = "http_server_request_duration_seconds";
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Counts requests by method, route and status, with the histogram of their duration. Names: OpenTelemetry's HTTP conventions, as Prometheus writes them. */
export function createMetrics() {
  const series = new Map();
  return {
    observe(method, route, status, seconds) {
      const key = `${METHODS.has(method) ? method : "_OTHER"} ${route} ${status}`;
      let one = series.get(key);
      if (one === undefined) {
        const labels = `http_request_method="${METHODS.has(method) ? method : "_OTHER"}",http_route="${route}",http_response_status_code="${status}"`;
        series.set(key, (one = { labels, buckets: new Array(BOUNDS.length + 1).fill(0), sum: 0 }));
      }
      const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
      one.buckets[bucket === -1 ? BOUNDS.length : bucket]++;
      one.sum += seconds;
    },
    /** Prometheus' text format. */
    text() {
      const lines = [`# HELP ${NAME} How long requests took.`, `# TYPE ${NAME} histogram`];
      for (const { labels, buckets, sum } of series.values()) {
        let count = 0;
        for (const [index, bound] of [...BOUNDS, "+Inf"].entries()) lines.push(`${NAME}_bucket{${labels},le="${bound}"} ${(count += buckets[index])}`);
        lines.push(`${NAME}_sum{${labels}} ${sum}`, `${NAME}_count{${labels}} ${count}`);
      }
      lines.push("# HELP process_resident_memory_bytes Memory in use.", "# TYPE process_resident_memory_bytes gauge");
      lines.push(`process_resident_memory_bytes ${process.memoryUsage.rss()}`);
      return `${lines.join("\n")}\n`;
    },
  };
}
