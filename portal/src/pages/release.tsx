import { answer, type Answered as Answer } from "@cairn/api";
import { Alert, Anchor, Button, Group, List, Paper, Progress, Stack, Table, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Facts } from "../parts/facts.tsx";
import { nameOf, runPath, sentence } from "../parts/names.ts";
import { Answered, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { useWhy, Why } from "../parts/why.tsx";

const CanaryChart = lazy(() => import("../parts/canary-chart.tsx"));
type Release = Answer<"getRelease">;
const CHART = 220;
/** Why it stands so is said in full below the facts. */
const SAID_BELOW = new Set<Release["state"]>(["held", "rolled_back", "refused", "failed"]);

/** What is happening, and why? */
export default function ReleasePage() {
  const { id = "" } = useParams();
  const release = useAnswer(["releases", id], () => api.GET("/api/releases/{id}", { params: { path: { id } } }), { refetchInterval: 3000 });
  const why = useWhy(id);
  return (
    <Answered query={release} title="Release" with={[why]} path={[{ name: "Releases", to: "/releases" }]}>
      {(data) => <ReleaseShown release={data} />}
    </Answered>
  );
}

function ReleaseShown({ release }: { release: Release }) {
  const judged = release.rounds.filter((round) => round.baseline !== null);
  const wasAsked = judged.some(({ canary, baseline }) => canary.requests + (baseline?.requests ?? 0) > 0);
  const last = release.rounds.at(-1);
  const waits = release.state === "planned" && (release.gate?.heldBy.length ?? 0) > 0;
  return (
    <Page
      title={`${release.service} to ${release.environment}`}
      path={[
        { name: "Releases", to: "/releases" },
        { name: release.service, to: `/services/${release.service}` },
      ]}
      aside={<Status of={waits ? "waiting" : release.state} />}
      actions={<Equivalents cli={`cairn release ${release.id}`} api={`GET /api/releases/${release.id}`} />}
    >
      <Stack gap="xs">
        {!waits && !SAID_BELOW.has(release.state) && (
          <Text fw={600} size="md" className="anywhere">
            {sentence(release.because)}
          </Text>
        )}
        <Facts
          of={[
            ["Commit", <Digest key="commit" of={release.commit} length={8} />],
            ["Artifact", <Digest key="artifact" of={release.artifactDigest} />],
            [
              "Plan",
              <Anchor key="plan" component={Link} to={`/plans/${encodeURIComponent(release.plan)}`} size="sm">
                what it changes
              </Anchor>,
            ],
            release.decision !== null && [
              "Policy",
              <Anchor key="policy" component={Link} to={`/decisions/${release.decision}`} size="sm">
                the decision
              </Anchor>,
            ],
            release.previous !== null && [
              "Before it",
              <Anchor key="previous" component={Link} to={`/releases/${release.previous}`} size="sm">
                the release it follows
              </Anchor>,
            ],
            release.gate !== null && release.gate.openBy.length > 0 && ["Let through", sentence(release.gate.openBy.join("; "))],
            ["Begun", <Time key="begun" at={release.createdAt} />],
            release.endedAt !== null && ["Ended", <Time key="ended" at={release.endedAt} />],
            ["By", nameOf(release.startedBy)],
          ]}
        />
      </Stack>
      {/* While it rolls out, what would end the step says all of this beside the chart. */}
      {release.state !== "rolling_out" && <Why of={release.id} />}
      {release.state === "planned" && release.gate?.heldBy.some(({ gate }) => gate === "production-approval") && (
        <Approve release={release} />
      )}
      {(release.state === "held" || takenBack(release)) && <Act release={release} />}
      {release.state === "promoted" && <GoBack release={release} />}
      <Section title="Traffic">
        <Paper withBorder p="md">
          <Text mb={6}>
            {release.endedAt === null
              ? `${release.percent} % of requests go to this release.`
              : release.percent === 0
                ? "No request goes to it any more."
                : `At its end ${release.percent} % of requests went to it.`}{" "}
            Steps: {release.stepsPercent.map((percent) => `${percent} %`).join(" → ")}
          </Text>
          <Progress value={release.percent} aria-label={`${release.percent} % of traffic`} />
          {release.endsWhen.length > 0 && (
            <>
              <Text mt="sm" fw={500}>
                What ends this step
              </Text>
              <List size="sm">
                {release.endsWhen.map((each) => (
                  <List.Item key={each}>{sentence(each)}</List.Item>
                ))}
              </List>
            </>
          )}
        </Paper>
      </Section>
      {judged.length > 0 && (
        <Section title="Failed requests: this release against the stable revision">
          <Paper withBorder p="md">
            {wasAsked ? (
              <Suspense fallback={<div style={{ height: CHART }} />}>
                <CanaryChart rounds={judged} height={CHART} />
              </Suspense>
            ) : (
              <Text c="dimmed">
                Nobody {release.endedAt === null ? "has called either of them yet" : "called either of them"}: there is nothing to compare,
                and Cairn makes no traffic to judge by.
              </Text>
            )}
          </Paper>
        </Section>
      )}
      {release.state === "rolling_out" && <Act release={release} />}
      {last && (
        <Section title={release.endedAt === null ? "Evidence so far" : "Evidence"}>
          <Stack gap="sm">
            <div className="panel panel-table">
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Revision</Table.Th>
                    <Table.Th className="number">Requests</Table.Th>
                    <Table.Th className="number">Errors</Table.Th>
                    <Table.Th className="number">Slow</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {[["This release", last.canary] as const, ...(last.baseline ? [["Stable", last.baseline] as const] : [])].map(
                    ([name, arm]) => (
                      <Table.Tr key={name}>
                        <Table.Td>{name}</Table.Td>
                        <Table.Td className="number">{arm.requests}</Table.Td>
                        <Table.Td className="number">{arm.errors}</Table.Td>
                        <Table.Td className="number">{arm.slow}</Table.Td>
                      </Table.Tr>
                    ),
                  )}
                </Table.Tbody>
              </Table>
            </div>
            {release.tests.map((test) => (
              <Test key={`${test.metric} ${test.process}`} test={test} />
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

/** Someone other than the authors approves exactly the plan that is shown: of one that changed by a byte nothing is approved. */
function Approve({ release: { id, plan } }: { release: Release }) {
  const client = useQueryClient();
  const approve = useMutation({
    mutationFn: () => answer(api.POST("/api/plans/{digest}/approve", { params: { path: { digest: plan } } })),
    onSuccess: () => client.invalidateQueries(),
  });
  return (
    <Alert color="orange" variant="outline" title="Whoever took no part in it may approve it">
      <Group gap="sm">
        <Text>
          You approve{" "}
          <Anchor component={Link} to={`/plans/${encodeURIComponent(plan)}`} underline="always">
            this plan
          </Anchor>{" "}
          with all that it changes and its way back:
        </Text>
        <Digest of={plan} />
        <Button variant="default" loading={approve.isPending} onClick={() => approve.mutate()}>
          Approve this plan
        </Button>
        <Equivalents cli={`cairn approve ${id} --plan ${plan}`} api={`POST /api/plans/${plan}/approve`} />
      </Group>
      <ProblemNote error={approve.error} />
    </Alert>
  );
}

/** It waits at its gate, since a person took back what it brings. */
const takenBack = ({ state, gate }: Release): boolean =>
  state === "planned" && gate !== null && gate.heldBy.some((held) => held.gate === "taken-back");

/** What an owner may say to a release that is under way, or that waits for their word; the reason stands in the ledger. */
function Act({ release }: { release: Release }) {
  const { id, state } = release;
  const back = state !== "planned";
  const on = state !== "rolling_out";
  const client = useQueryClient();
  const [because, setBecause] = useState("");
  const act = useMutation({
    mutationFn: (action: "roll_back" | "go_on") =>
      answer(api.POST("/api/releases/{id}/answer", { params: { path: { id } }, body: { action, because: because.trim() } })),
    onSuccess: () => client.invalidateQueries(),
  });
  const silent = because.trim() === "";
  return (
    <Alert
      color={on ? "orange" : "cyan"}
      variant="outline"
      title={
        !back
          ? "It was taken back: somebody has to say that it may go again"
          : on
            ? "It is held: somebody has to say how it goes on"
            : "It goes on by itself; its owner may end it"
      }
    >
      <Group gap="xs" align="flex-end">
        <TextInput
          label="Because"
          description="Recorded with what you decide"
          value={because}
          onChange={(event) => setBecause(event.currentTarget.value)}
          style={{ flex: "1 1 220px" }}
        />
        {on && (
          <Button variant="default" disabled={silent} loading={act.isPending} onClick={() => act.mutate("go_on")}>
            {back ? "Let it go on" : "Let it go again"}
          </Button>
        )}
        {back && (
          <Button color="red" variant="outline" disabled={silent} loading={act.isPending} onClick={() => act.mutate("roll_back")}>
            Roll back
          </Button>
        )}
        <Equivalents
          cli={[back && `cairn rollback ${id} -b REASON`, on && `cairn go-on ${id} -b REASON`].filter(Boolean).join("\n")}
          api={`POST /api/releases/${id}/answer\n{"action": ${[back && '"roll_back"', on && '"go_on"'].filter(Boolean).join(" or ")}, "because": "…"}`}
        />
      </Group>
      <ProblemNote error={act.error} />
    </Alert>
  );
}

/** How far the evidence is from deciding: the logarithm of the e-value against its threshold. */
function Test({ test }: { test: Release["tests"][number] }) {
  const about = `${test.metric === "errors" ? "Errors" : "Slow requests"}: ${test.process === "worse" ? "worse than the stable revision" : "not worse"}`;
  return (
    <div>
      <Text>
        {about}
        <Text span c="dimmed">
          {" "}
          {test.decided
            ? "decided"
            : test.requestsNeeded === null
              ? "not decided"
              : `not decided; about ${test.requestsNeeded} requests more`}
          , evidence {test.logE.toFixed(2)} of {test.threshold.toFixed(2)}
        </Text>
      </Text>
      <Progress
        value={Math.max(0, Math.min(100, (test.logE / test.threshold) * 100))}
        color={test.process === "worse" ? "red" : "teal"}
        size="sm"
        aria-label={about}
      />
    </div>
  );
}

/** The chart's table: the last rounds, newest first. */
function Rounds({ rounds }: { rounds: Release["rounds"] }) {
  if (rounds.length === 0) return <Text c="dimmed">None yet.</Text>;
  return (
    <div className="panel panel-table">
      <Table.ScrollContainer
        minWidth={720}
        maxHeight={360}
        scrollAreaProps={{ viewportProps: { tabIndex: 0, role: "region", "aria-label": "Rounds, newest first" } }}
      >
        <Table stickyHeader>
          <Table.Thead>
            <Table.Tr>
              <Table.Th className="number">Round</Table.Th>
              <Table.Th className="number">Weight</Table.Th>
              <Table.Th className="number">Requests</Table.Th>
              <Table.Th className="number">Errors</Table.Th>
              <Table.Th>Move</Table.Th>
              <Table.Th>When</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rounds
              .slice(-100)
              .toReversed()
              .map((round) => (
                <Table.Tr key={round.number}>
                  <Table.Td className="number">{round.number}</Table.Td>
                  <Table.Td className="number">{round.percent} %</Table.Td>
                  <Table.Td className="number">{round.canary.requests}</Table.Td>
                  <Table.Td className="number">{round.canary.errors}</Table.Td>
                  <Table.Td>{sentence(round.move)}</Table.Td>
                  <Table.Td className="nowrap">
                    <Time at={round.at} />
                  </Table.Td>
                </Table.Tr>
              ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </div>
  );
}

/** The way back from a release that has ended: what served before it there serves again. Shown where this one serves. */
function GoBack({ release: { id, service, environment, previous } }: { release: Release }) {
  const [because, setBecause] = useState("");
  const navigate = useNavigate();
  const last = useAnswer(["releases", service, environment], () =>
    api.GET("/api/releases", { params: { query: { service, environment, limit: 20 } } }),
  );
  const back = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/services/{name}/rollback", { params: { path: { name: service } }, body: { environment, because: because.trim() } }),
      ),
    onSuccess: ({ run }) => void navigate(runPath(run)),
  });
  const serves = last.data?.releases.find(({ state }) => state === "promoted")?.id === id;
  if (!serves || previous === null) return null;
  return (
    <Section title="The way back">
      <Group align="flex-end" gap="sm">
        <TextInput
          label="Why"
          placeholder="What is wrong with it"
          value={because}
          onChange={(event) => setBecause(event.currentTarget.value)}
          flex="1 1 240px"
        />
        <Button color="red" variant="outline" disabled={because.trim() === ""} loading={back.isPending} onClick={() => back.mutate()}>
          Bring back what served before
        </Button>
        <Equivalents
          cli={`cairn rollback ${service} -e ${environment} -b REASON`}
          api={`POST /api/services/${service}/rollback {"environment": "${environment}", "because": "…"}`}
        />
      </Group>
      <ProblemNote error={back.error} />
    </Section>
  );
}
