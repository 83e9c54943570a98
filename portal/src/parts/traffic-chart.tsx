import "@mantine/charts/styles.css";
import { AreaChart, LineChart } from "@mantine/charts";
import type { Answered as Answer } from "@cairn/api";

type Traffic = Answer<"getServiceTraffic">;

/** Requests and how long they took, step by step. A step of which nothing is known is left out, not drawn as zero. */
export default function TrafficChart({ traffic, height }: { traffic: Traffic; height: number }) {
  const data = stepsOf(traffic);
  const common = {
    h: height,
    dataKey: "at",
    withDots: traffic.points.length < 40, // a line through one point is none
    dotProps: { r: 2 },
    curveType: "linear",
    data,
    withLegend: true,
    connectNulls: false,
  } as const;
  return (
    <div className="charts">
      <AreaChart
        {...common}
        type="default"
        series={[
          { name: "Requests", color: "cyan.7" },
          { name: "Failed", color: "red.7" },
        ]}
      />
      <LineChart
        {...common}
        unit=" ms"
        series={[
          { name: "p50", color: "cyan.7" },
          { name: "p95", color: "orange.7" },
          { name: "p99", color: "red.7" },
        ]}
      />
    </div>
  );
}

function stepsOf({ from, to, stepSeconds, points, gaps, telemetry }: Traffic) {
  const found = new Map(points.map((point) => [new Date(point.at).getTime(), point]));
  const holes = gaps.map((gap) => [new Date(gap.from).getTime(), new Date(gap.until).getTime()] as const);
  const step = stepSeconds * 1000;
  const readUntil = telemetry.seenAt === null ? -Infinity : new Date(telemetry.seenAt).getTime();
  const long = stepSeconds * 400 > 2 * 86_400;
  const milliseconds = (seconds: number | null | undefined) =>
    seconds === null || seconds === undefined ? null : Number((1000 * seconds).toFixed(1));
  const steps = [];
  for (let at = new Date(from).getTime(); at < new Date(to).getTime(); at += step) {
    const point = found.get(at);
    const isUnknown = at > readUntil || holes.some(([begin, end]) => begin <= at && at + step <= end);
    const instant = new Date(at).toISOString();
    steps.push({
      at: long ? `${instant.slice(5, 10)} ${instant.slice(11, 16)}` : instant.slice(11, 16),
      Requests: point?.requests ?? (isUnknown ? null : 0),
      Failed: point?.errors ?? (isUnknown ? null : 0),
      p50: milliseconds(point?.p50),
      p95: milliseconds(point?.p95),
      p99: milliseconds(point?.p99),
    });
  }
  return steps;
}
