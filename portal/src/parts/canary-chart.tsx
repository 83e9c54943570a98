import "@mantine/charts/styles.css";
import { LineChart } from "@mantine/charts";
import { clockOf } from "./time.tsx";

interface Arm {
  requests: number;
  errors: number;
}

/** Share of failed requests of both arms over the rounds. Its numbers stand in the table below it. */
export default function CanaryChart({
  rounds,
  height,
}: {
  height: number;
  rounds: readonly { at: string; canary: Arm; baseline: Arm | null }[];
}) {
  const share = (arm: Arm | null) => (arm && arm.requests > 0 ? Number(((100 * arm.errors) / arm.requests).toFixed(2)) : null);
  const data = rounds.map((round) => ({
    at: clockOf(round.at, "second"),
    "This release": share(round.canary),
    "Stable revision": share(round.baseline),
  }));
  return (
    <LineChart
      h={height}
      data={data}
      dataKey="at"
      unit=" %"
      withLegend
      withDots={false}
      curveType="linear"
      series={[
        { name: "This release", color: "red.7" },
        { name: "Stable revision", color: "cyan.7" },
      ]}
    />
  );
}
