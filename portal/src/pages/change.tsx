import { answer, type components } from "@cairn/api";
import { Alert, Anchor, Button, Group, List, Paper, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Diff } from "../parts/diff.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Answered, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

type Change = components["schemas"]["ChangeRequest"];

/** May this merge? Checks with their reasons, approvals, the files; then merge. */
export default function ChangePage() {
  const { repository = "", number = "" } = useParams();
  const path = { repository, number: Number(number) };
  const change = useAnswer(["changes", repository, number], () => api.GET("/api/changes/{repository}/{number}", { params: { path } }), { refetchInterval: 3000 });
  return <Answered query={change}>{(data) => <ChangeView change={data} />}</Answered>;
}

function ChangeView({ change }: { change: Change }) {
  const { repository, number, head } = change;
  const client = useQueryClient();
  const path = { repository, number };
  const done = () => void client.invalidateQueries();
  const merge = useMutation({ mutationFn: () => answer(api.POST("/api/changes/{repository}/{number}/merge", { params: { path }, body: { head } })), onSuccess: done });
  const approve = useMutation({ mutationFn: () => answer(api.POST("/api/changes/{repository}/{number}/approve", { params: { path }, body: { head } })), onSuccess: done });
  const waiting = change.checks.filter((check) => check.state === "pending" || check.state === "running");
  const blocking = change.checks.filter((check) => check.state === "failed" || check.state === "unknown");
  const ready = change.state === "open" && change.mergeable && change.checks.length > 0 && waiting.length + blocking.length === 0;
  return (
    <Page
      title={`${change.title} #${number}`}
      path={[
        { name: "Changes", to: "/changes" },
        { name: repository, to: `/services/${repository}` },
      ]}
      aside={<Status of={change.state} />}
      actions={
        <>
          <Equivalents cli={`cairn merge ${repository}/${number}`} api={`POST /api/changes/${repository}/${number}/merge\n{"head": "${head}"}`} />
          {change.state === "open" && (
            <>
              <Button variant="default" onClick={() => approve.mutate()} loading={approve.isPending}>
                Approve
              </Button>
              <Button onClick={() => merge.mutate()} loading={merge.isPending} disabled={!ready}>
                Merge
              </Button>
            </>
          )}
        </>
      }
    >
      <Text size="sm" c="dimmed">
        {change.author} wants to merge <span className="mono">{change.branch}</span>, opened <Time at={change.createdAt} />
      </Text>
      <ProblemNote error={merge.error ?? approve.error} />
      {change.state === "open" && !ready && (
        <Text size="sm" role="status">
          {!change.mergeable
            ? `It conflicts with the default branch in ${change.conflicts.join(", ")}: merge the default branch into ${change.branch}, solve them and push.`
            : blocking.length > 0
              ? `It can't merge: ${blocking.map((check) => check.name).join(", ")} did not pass.`
              : `It waits for ${waiting.map((check) => check.name).join(", ") || "its checks to report"}.`}
        </Text>
      )}
      {change.warnings.length > 0 && (
        <Alert color="orange" variant="outline" title="Recorded at the merge">
          {change.warnings.join(" ")}
        </Alert>
      )}
      {change.state === "merged" && (
        <Alert color="grape" variant="outline" title="Merged: delivery has begun">
          <Anchor component={Link} to={`/services/${repository}`}>
            Watch it reach production
          </Anchor>
        </Alert>
      )}
      {change.description && (
        <Paper withBorder p="md">
          <Text size="sm" style={{ whiteSpace: "pre-wrap" }}>
            {change.description}
          </Text>
        </Paper>
      )}
      <Section title="Checks">
        <Checks checks={change.checks} />
      </Section>
      {change.approvals.length > 0 && (
        <Section title="Approvals">
          <List size="sm">
            {change.approvals.map((approval) => (
              <List.Item key={approval.by}>
                {approval.by}, <Time at={approval.at} />
                {approval.commit !== head && " (of an older commit: no longer counts)"}
              </List.Item>
            ))}
          </List>
        </Section>
      )}
      <Section title="Files">
        <Diff repository={repository} number={number} />
      </Section>
    </Page>
  );
}

function Checks({ checks }: { checks: Change["checks"] }) {
  if (checks.length === 0) return <Text size="sm">No check has reported yet.</Text>;
  return (
    <Table.ScrollContainer minWidth={320}>
      <Table>
        <Table.Tbody>
          {checks.map((check) => (
            <Table.Tr key={check.name}>
              <Table.Td style={{ verticalAlign: "top" }}>
                <Status of={check.state} />
              </Table.Td>
              <Table.Td>
                <Stack gap={2}>
                  <Text size="sm">
                    <strong>{check.name}</strong> {check.summary}
                  </Text>
                  {check.details.map((detail) => (
                    <Text size="xs" key={detail} c="dimmed">
                      {detail}
                    </Text>
                  ))}
                </Stack>
              </Table.Td>
              <Table.Td style={{ verticalAlign: "top" }}>
                <Group justify="flex-end">
                  {check.link && (
                    <Anchor component={Link} to={check.link.replace(/^\/api/, "")} size="sm">
                      Details
                    </Anchor>
                  )}
                </Group>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
