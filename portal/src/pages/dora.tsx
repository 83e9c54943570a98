import type { Answered as Answer } from "@cairn/api";
import { Anchor, Group, SegmentedControl, SimpleGrid, Stack, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { useAddress } from "../parts/address.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { TeamField } from "../parts/filters.tsx";
import { sentence } from "../parts/names.ts";
import { percent, span } from "../parts/numbers.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

type Dora = Answer<"getDora">;
type Deployment = Dora["deployments"][number];

const DAYS = ["7", "30", "90"] as const;
const USUAL = "30";

/** The five metrics: the number, what it says, and which deployments it rests on. */
const METRICS: { name: string; says: string; value: (of: Dora) => string; rests: (row: Deployment) => boolean }[] = [
  {
    name: "Deployment frequency",
    says: "deployments to production a day",
    value: ({ deploymentFrequency: { perDay } }) => perDay.toFixed(perDay < 1 ? 2 : 1),
    rests: (row) => row.outcome === "promoted",
  },
  {
    name: "Lead time for changes",
    says: "median, from opening the change request to production",
    value: ({ leadTime }) => span(leadTime.medianSeconds),
    rests: (row) => row.leadSeconds !== null,
  },
  {
    name: "Change fail rate",
    says: "of deployments were rolled back, taken back or failed",
    value: ({ changeFailRate }) => percent(changeFailRate.value),
    rests: (row) => row.failed,
  },
  {
    name: "Failed deployment recovery time",
    says: "median, until what served before had all traffic again",
    value: ({ recoveryTime }) => span(recoveryTime.medianSeconds),
    rests: (row) => row.recoverySeconds !== null,
  },
  {
    name: "Deployment rework rate",
    says: "of deployments came right after a failed one",
    value: ({ reworkRate }) => percent(reworkRate.value),
    rests: (row) => row.rework,
  },
];

/** How well do we deliver? */
export default function DoraPage() {
  const address = useAddress();
  const [service, team, days] = [address.get("service"), address.get("team"), address.get("days") ?? USUAL];
  const [shown, show] = useState(0);
  const query = {
    ...(service && { service }),
    ...(team && !service && { team }),
    ...(days !== USUAL && { from: new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000 - Number(days) * 86_400_000).toISOString() }),
  };
  const dora = useAnswer(["dora", service, team, days], () => api.GET("/api/dora", { params: { query } }), { keep: true });
  const of = service ? `of ${service}` : team ? `of ${team}` : "of all services";
  return (
    <Page
      title="Delivery"
      aside={<Text c="dimmed">{of}</Text>}
      actions={
        <Equivalents
          cli={["cairn dora", service && `--service ${service}`, team && !service && `--team ${team}`, `--days ${days}`]
            .filter(Boolean)
            .join(" ")}
          api={`GET /api/dora?${new URLSearchParams(query as Record<string, string>).toString()}`}
        />
      }
    >
      <Group gap="sm">
        {service === null && <TeamField address={address} size="sm" />}
        <SegmentedControl
          aria-label="Span of time"
          value={days}
          onChange={(value) => address.set({ days: value === USUAL ? null : value })}
          data={DAYS.map((value) => ({ value, label: `${value} days` }))}
        />
        {service && (
          <Anchor component="button" type="button" onClick={() => address.set({ service: null })} size="sm">
            Show all services
          </Anchor>
        )}
      </Group>
      <Answered query={dora}>
        {(data) => (
          <Stack gap="xl">
            <SimpleGrid cols={{ base: 1, xs: 2, md: 3, lg: 5 }} role="group" aria-label="Metrics">
              {METRICS.map((metric, n) => (
                <UnstyledButton key={metric.name} className="metric" aria-pressed={n === shown} onClick={() => show(n)}>
                  <Text size="sm">{metric.name}</Text>
                  <Text fz={26} fw={600} className="tabular">
                    {metric.value(data)}
                  </Text>
                  <Text size="xs" c="dimmed">
                    {metric.says}
                  </Text>
                </UnstyledButton>
              ))}
            </SimpleGrid>
            <Deployments metric={METRICS[shown] ?? METRICS[0]!} rows={data.deployments} />
          </Stack>
        )}
      </Answered>
    </Page>
  );
}

function Deployments({ metric, rows }: { metric: (typeof METRICS)[number]; rows: Deployment[] }) {
  const resting = rows.filter(metric.rests);
  return (
    <Section title={`${metric.name}: what it rests on`}>
      {resting.length === 0 ? (
        <Empty title={rows.length === 0 ? "Nothing was deployed to production in this time" : "No deployment counts for it"}>
          {rows.length === 0 ? "Merge a change request: its delivery shows up here." : "So there is no number, or it is zero."}
        </Empty>
      ) : (
        <Rows label={metric.name}>
          {resting.map((row) => (
            <Row
              key={row.release}
              sign={<Status of={row.outcome} bare />}
              title={
                <Anchor component={Link} to={`/releases/${row.release}`}>
                  {row.service} to {row.environment}
                </Anchor>
              }
              below={`${sentence(row.because)}${row.takenBackAt ? ", and taken back later" : ""}`}
            >
              {row.change !== null && (
                <Anchor component={Link} to={`/changes/${row.service}/${row.change}`} size="xs">
                  Change {row.change}
                </Anchor>
              )}
              {row.leadSeconds !== null && <span>lead time {span(row.leadSeconds)}</span>}
              {row.recoverySeconds !== null && <span>recovered in {span(row.recoverySeconds)}</span>}
              {row.rework && <span>rework</span>}
              <Time at={row.endedAt} />
            </Row>
          ))}
        </Rows>
      )}
    </Section>
  );
}
