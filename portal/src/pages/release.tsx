import type { components } from "@cairn/api";
import { Anchor, Group, Paper, Progress, Stack, Table, Text } from "@mantine/core";
import { lazy, Suspense } from "react";
import { Link, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Answered, Page, Section } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

const CanaryChart = lazy(() => import("../parts/canary-chart.tsx"));
type ReleaseView = components["schemas"]["ReleaseDetail"];

/** What is happening, and why? */
export default function ReleasePage() {
  const { id = "" } = useParams();
  const release = useAnswer(["releases", id], () => api.GET("/api/releases/{id}", { params: { path: { id } } }), { refetchInterval: 2000 });
  return <Answered query={release}>{(data) => <ReleaseShown release={data} />}</Answered>;
}

function ReleaseShown({ release }: { release: ReleaseView }) {
  const judged = release.rounds.filter((round) => round.baseline !== null);
  const last = release.rounds.at(-1);
  return (
    <Page
      title={`${release.service} to ${release.environment}`}
      path={[
        { name: "Releases", to: "/releases" },
        { name: release.service, to: `/services/${release.service}` },
      ]}
      aside={<Status of={release.state} />}
      actions={<Equivalents cli={`cairn release ${release.id}`} api={`GET /api/releases/${release.id}`} />}
    >
      <Text fw={600}>{release.because}</Text>
      <Text size="sm">
        Commit <Digest of={release.commit} length={8} />, artifact <Digest of={release.artifactDigest} />, plan <Digest of={release.plan} />. Begun <Time at={release.createdAt} /> by {release.startedBy}.{" "}
        {release.decision && (
          <Anchor component={Link} to={`/decisions/${release.decision}`}>
            The policy decision
          </Anchor>
        )}
      </Text>
      <Section title="Traffic">
        <Group gap="sm">
          <Progress value={release.percent} w={240} aria-label={`${release.percent} % of traffic`} />
          <Text size="sm">
            {release.percent} % (steps: {release.stepsPercent.map((percent) => `${percent} %`).join(", ")})
          </Text>
        </Group>
      </Section>
      {judged.length > 0 && (
        <Section title="Canary against the stable revision">
          <Suspense fallback={<div style={{ height: 220 }} />}>
            <CanaryChart rounds={judged} />
          </Suspense>
        </Section>
      )}
      {last && (
        <Section title="Evidence so far">
          <Stack gap="sm">
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Arm</Table.Th>
                  <Table.Th className="number">Requests</Table.Th>
                  <Table.Th className="number">Errors</Table.Th>
                  <Table.Th className="number">Slow</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {[["This release", last.canary] as const, ...(last.baseline ? [["Stable revision", last.baseline] as const] : [])].map(([name, arm]) => (
                  <Table.Tr key={name}>
                    <Table.Td>{name}</Table.Td>
                    <Table.Td className="number">{arm.requests}</Table.Td>
                    <Table.Td className="number">{arm.errors}</Table.Td>
                    <Table.Td className="number">{arm.slow}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            {last.tests.map((test) => (
              <div key={`${test.metric} ${test.process}`}>
                <Group justify="space-between">
                  <Text size="sm">
                    {test.metric === "errors" ? "Errors" : "Slow requests"}: {test.process === "worse" ? "worse than the stable revision" : "not worse"}
                  </Text>
                  <Text size="sm" className="mono">
                    {test.logE.toFixed(2)} of {test.threshold.toFixed(2)}
                  </Text>
                </Group>
                <Progress value={Math.max(0, Math.min(100, (test.logE / test.threshold) * 100))} color={test.process === "worse" ? "red" : "teal"} aria-label={`${test.metric} ${test.process}`} />
              </div>
            ))}
          </Stack>
        </Section>
      )}
      <Section title="Rounds">
        <Rounds rounds={release.rounds} />
      </Section>
    </Page>
  );
}

/** The chart's table: the last rounds, newest first. */
function Rounds({ rounds }: { rounds: ReleaseView["rounds"] }) {
  if (rounds.length === 0) return <Text size="sm">None yet.</Text>;
  return (
    <Paper withBorder>
      <Table.ScrollContainer minWidth={480} maxHeight={320}>
        <Table stickyHeader>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>When</Table.Th>
              <Table.Th className="number">Weight</Table.Th>
              <Table.Th className="number">Requests</Table.Th>
              <Table.Th className="number">Errors</Table.Th>
              <Table.Th>Verdict</Table.Th>
              <Table.Th>Move</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rounds
              .slice(-100)
              .reverse()
              .map((round) => (
                <Table.Tr key={round.at}>
                  <Table.Td>
                    <Time at={round.at} />
                  </Table.Td>
                  <Table.Td className="number">{round.percent} %</Table.Td>
                  <Table.Td className="number">{round.canary.requests}</Table.Td>
                  <Table.Td className="number">{round.canary.errors}</Table.Td>
                  <Table.Td>{"because" in round.verdict ? round.verdict.because : round.verdict.kind.replaceAll("_", " ")}</Table.Td>
                  <Table.Td>{round.move}</Table.Td>
                </Table.Tr>
              ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}
