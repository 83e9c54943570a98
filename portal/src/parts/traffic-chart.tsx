import "@mantine/charts/styles.css";
import { AreaChart, LineChart } from "@mantine/charts";
import type { Answered as Answer } from "@cairn/api";
import { clockOf } from "./time.tsx";

type Traffic = Answer<"getServiceTraffic">;

interface Mark {
  at: string;
  label: string;
}

/** Requests and how long they took, step by step. A step of which nothing is known is left out, not drawn as zero. */
export default function TrafficChart({ traffic, height, marks = [] }: { traffic: Traffic; height: number; marks?: readonly Mark[] }) {
  const data = stepsOf(traffic);
  // Towards the middle, and the second below the first: both may stand at one step.
  const lines = marks.flatMap(({ at, label }, nth) => {
    const where = data.findLastIndex(({ instant }) => instant <= new Date(at).getTime());
    const side = where > data.length / 2 ? "Right" : "Left";
    const labelPosition = nth === 0 ? (`insideTop${side}` as const) : (`insideBottom${side}` as const);
    return data[where] ? [{ x: data[where].at, label, color: "gray.6", labelPosition }] : [];
  });
  const common = {
    h: height,
    dataKey: "at",
    withDots: traffic.points.length < 40, // a line through one point is none
    dotProps: { r: 2 },
    curveType: "linear",
    data,
    withLegend: true,
    referenceLines: lines,
    connectNulls: false,
    yAxisProps: { width: 66 },
    valueFormatter: (value: number) => value.toLocaleString("en"),
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
  // Before it was there nobody could call it: nothing is known of that time, not even that nothing was asked.
  const readFrom = telemetry.firstAt === null ? Infinity : new Date(telemetry.firstAt).getTime() - step;
  const readUntil = telemetry.seenAt === null ? -Infinity : new Date(telemetry.seenAt).getTime();
  const isLong = stepSeconds * 400 > 2 * 86_400;
  const milliseconds = (seconds: number | null | undefined) =>
    seconds === null || seconds === undefined ? null : Number((1000 * seconds).toFixed(1));
  const steps = [];
  for (let at = new Date(from).getTime(); at < new Date(to).getTime(); at += step) {
    const point = found.get(at);
    const isUnknown = at < readFrom || at > readUntil || holes.some(([begin, end]) => begin <= at && at + step <= end);
    steps.push({
      instant: at,
      at: clockOf(at, isLong ? "day" : "minute"),
      Requests: point?.requests ?? (isUnknown ? null : 0),
      Failed: point?.errors ?? (isUnknown ? null : 0),
      p50: milliseconds(point?.p50),
      p95: milliseconds(point?.p95),
      p99: milliseconds(point?.p99),
    });
  }
  return steps;
}
