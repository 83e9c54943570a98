import type { Answered as Answer } from "@cairn/api";
import { Anchor, Code, Group, Progress, SegmentedControl, Stack, Text } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Equivalents } from "./equivalents.tsx";
import { many, percent } from "./numbers.ts";
import { Answered, Empty, Section } from "./page.tsx";
import { Row, Rows } from "./rows.tsx";
import { Status } from "./status.tsx";
import { clockOf, Time } from "./time.tsx";

const TrafficChart = lazy(() => import("./traffic-chart.tsx"));

type Report = Answer<"getServiceSlos">;
type Slo = Report["slos"][number];

const RANGES = { "1 h": 3600, "6 h": 21_600, "1 d": 86_400, "7 d": 604_800, "30 d": 2_592_000 } as const;
type Range = keyof typeof RANGES;
const CHART = 200;

/** Asked for by the page too, where they stand high on it. */
export const useSlos = (service: string, environment: string, enabled = true) =>
  useAnswer(
    ["slos", service, environment],
    () => api.GET("/api/services/{name}/slos", { params: { path: { name: service }, query: { environment } } }),
    { refetchInterval: 15_000, keep: true, enabled },
  );

/** Is it well? What its objectives say, and what it was asked. */
export function Health({ service }: { service: string }) {
  const [environment, setEnvironment] = useState("production");
  const [range, setRange] = useState<Range>("1 h");
  const places = useAnswer(["environments", service], () =>
    api.GET("/api/services/{name}/environments", { params: { path: { name: service } } }),
  );
  const report = useSlos(service, environment);
  const names = [...new Set([...(places.data?.map((each) => each.environment) ?? []), "production"])];
  return (
    <Section
      title="Health"
      actions={
        <Group gap="xs">
          <SegmentedControl size="xs" data={names} value={environment} onChange={setEnvironment} aria-label="Environment of the health" />
          <Equivalents
            cli={`cairn slo ${service} -e ${environment}`}
            api={`GET /api/services/${service}/slos?environment=${environment}`}
          />
        </Group>
      }
    >
      <Stack gap="md">
        <Answered query={report}>{(data) => <Objectives report={data} />}</Answered>
        <Group justify="space-between">
          <Text size="sm" fw={600}>
            Requests, and how long they took
          </Text>
          <SegmentedControl
            size="xs"
            data={Object.keys(RANGES)}
            value={range}
            onChange={(value) => setRange(value as Range)}
            aria-label="Time"
          />
        </Group>
        <Requests service={service} environment={environment} range={range} />
      </Stack>
    </Section>
  );
}

function Objectives({ report }: { report: Report }) {
  const { slos, problems, alerts, telemetry } = report;
  return (
    <Stack gap="sm">
      {telemetry.noData === "telemetry_broken" && (
        <Text size="sm" className="tone-warn">
          Its counters can&apos;t be read
          {telemetry.seenAt && (
            <>
              {" "}
              (last <Time at={telemetry.seenAt} />)
            </>
          )}
          : what follows is unknown, not good. Look at the agent with <Code>cairn status</Code>.
        </Text>
      )}
      {alerts.length > 0 && (
        <Rows label="Open alerts">
          {alerts.map((alert) => (
            <Row
              key={`${alert.slo} ${alert.rule}`}
              sign={<Status of={alert.state} bare />}
              title={`${alert.slo}: ${alert.rule}`}
              below={alert.because}
            >
              <Status of={alert.state} />
              <span>{alert.severity}</span>
              <Time at={alert.firingAt ?? alert.pendingAt} />
            </Row>
          ))}
        </Rows>
      )}
      {slos.length === 0 ? (
        <NoObjective report={report} />
      ) : (
        <div className="slos">
          {slos.map((slo) => (
            <Objective key={slo.name} slo={slo} />
          ))}
        </div>
      )}
      {problems.map(({ name, because }) => (
        <Text key={name} size="sm" className="tone-warn">
          {name} is not evaluated here: {because}
        </Text>
      ))}
    </Stack>
  );
}

function NoObjective({ report: { service, environment, source, problems } }: { report: Report }) {
  if (source === null)
    return <Empty title="It promises nothing here">It has no repository on this platform, so nobody knows its slo.yaml.</Empty>;
  if (source.present && problems.length === 0)
    return <Empty title={`It promises nothing in ${environment}`}>The objectives in its slo.yaml are about another environment.</Empty>;
  if (source.present) return null;
  return (
    <Empty title="It promises nothing yet">
      Put a slo.yaml (OpenSLO v1) into the root of its repository: what counts as bad, which share may be, over how many days. From the
      merge on it is evaluated here every minute.{" "}
      <Anchor component={Link} to={`/services/${service}/docs`} underline="always">
        Its documentation
      </Anchor>
    </Empty>
  );
}

const TONE: Record<Slo["state"], string> = { met: "teal", at_risk: "orange", missed: "red", unknown: "gray" };

function Objective({ slo }: { slo: Slo }) {
  const { remaining } = slo.budget;
  const left = remaining === null ? 0 : Math.max(0, Math.min(1, remaining));
  return (
    <div className="panel slo" data-slo={slo.name} data-state={slo.state}>
      <Group justify="space-between" gap="xs">
        <Text fw={600}>{slo.title}</Text>
        <Status of={slo.state} />
      </Group>
      <Text size="sm" c="dimmed">
        {percent(slo.target)} of requests in {slo.periodSeconds / 86_400} days{" "}
        {slo.bad === "errors" ? "without failing" : `within ${slo.thresholdSeconds} s`}
        {slo.isPlaceholder && ", as generated: set your own target"}
      </Text>
      <div>
        <Text size="sm">
          {remaining === null
            ? "No requests in the period: nothing is known of it"
            : `${remaining < 0 ? `The error budget is overdrawn by ${percent(-remaining)}` : `${percent(remaining)} of the error budget left`}, ${slo.period.bad.toLocaleString("en")} of ${many(slo.period.requests, "request")} ${slo.period.bad === 1 ? "was" : "were"} bad`}
        </Text>
        <Progress
          value={100 * left}
          color={TONE[slo.state]}
          aria-label={`Error budget left of ${slo.title}: ${remaining === null ? "unknown" : percent(remaining)}`}
          mt={4}
        />
      </div>
      <Text size="xs" c="dimmed">
        {slo.because}
      </Text>
      <Text size="xs">How fast the budget burns, and from where on it alarms</Text>
      <dl className="burns" aria-label={`Burn rates of ${slo.title}`}>
        {slo.burns.map((burn) => (
          <div key={burn.rule} title={burn.because}>
            <dt>{burn.rule}</dt>
            <dd>
              <Status
                of={burn.state}
                label={burn.long.burn === null ? undefined : `${Number(burn.long.burn.toFixed(2))} of ${Number(burn.factor.toFixed(2))}`}
              />
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Requests({ service, environment, range }: { service: string; environment: string; range: Range }) {
  const traffic = useAnswer(
    ["traffic", service, environment, range],
    () => {
      const from = new Date(Date.now() - RANGES[range] * 1000).toISOString();
      return api.GET("/api/services/{name}/traffic", { params: { path: { name: service }, query: { environment, from } } });
    },
    { refetchInterval: 15_000, keep: true },
  );
  return (
    <div className="chart-place">
      <Answered query={traffic}>
        {(data) =>
          data.points.length + data.gaps.length === 0 ? (
            <Empty title={data.telemetry.noData === "idle" ? "Nobody called it" : "No requests in this time"}>
              {data.telemetry.noData === null
                ? "Choose a longer time."
                : `${data.telemetry.because[0]?.toUpperCase()}${data.telemetry.because.slice(1)}. `}
              {data.telemetry.noData === "idle" && "Call its address: the proxy counts each request, and here it shows within a minute."}
              {data.telemetry.noData === "not_deployed" && "Merge a change request: it is delivered here."}
            </Empty>
          ) : (
            <Stack gap="xs">
              <Suspense fallback={<div style={{ height: CHART }} />}>
                <TrafficChart traffic={data} height={CHART} />
              </Suspense>
              {data.gaps
                .filter((gap) => gap.requests > 0)
                .map((gap) => (
                  <Text size="xs" c="dimmed" key={gap.from}>
                    From {clockOf(gap.from, "day")} to {clockOf(gap.until, "day")} nobody read the counters: {many(gap.requests, "request")}
                    , {gap.errors.toLocaleString("en")} failed; when in that time is not known, so they are in no point.
                  </Text>
                ))}
            </Stack>
          )
        }
      </Answered>
    </div>
  );
}
