import { answer, type Answered as Answer } from "@cairn/api";
import { Anchor, Button, Group, List, Paper, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { ChangeGraph } from "../parts/change-graph.tsx";
import { Delivery, useDeliveries } from "../parts/delivery.tsx";
import { Diff } from "../parts/diff.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { nameOf, plain } from "../parts/names.ts";
import { Answered, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { useWhy, Why } from "../parts/why.tsx";

type Change = Answer<"getChange">;

/** May this merge? Checks with their reasons, approvals, the files; then merge. */
export default function ChangePage() {
  const { repository = "", number = "" } = useParams();
  const path = { repository, number: Number(number) };
  const change = useAnswer(["changes", repository, number], () => api.GET("/api/changes/{repository}/{number}", { params: { path } }), {
    refetchInterval: 5000,
  });
  const why = useWhy(`${repository}/${number}`);
  const deliveries = useDeliveries(repository);
  return (
    <Answered query={change} title={`${repository} #${number}`} with={[why, deliveries]} path={[{ name: "Changes", to: "/changes" }]}>
      {(data) => <ChangeView change={data} />}
    </Answered>
  );
}

function ChangeView({ change }: { change: Change }) {
  const { repository, number, head, result } = change;
  const client = useQueryClient();
  const path = { repository, number };
  const onSuccess = () => client.invalidateQueries();
  const merge = useMutation({
    mutationFn: () => answer(api.POST("/api/changes/{repository}/{number}/merge", { params: { path }, body: { head } })),
    onSuccess,
  });
  const approve = useMutation({
    mutationFn: () => {
      const body = { head, ...(result !== null && { result }) };
      return answer(api.POST("/api/changes/{repository}/{number}/approve", { params: { path }, body }));
    },
    onSuccess,
  });
  const check = useMutation({
    mutationFn: () => answer(api.POST("/api/changes/{repository}/{number}/check", { params: { path } })),
    onSuccess,
  });
  const close = useMutation({
    mutationFn: () => answer(api.POST("/api/changes/{repository}/{number}/close", { params: { path } })),
    onSuccess,
  });
  const open = change.state === "open";
  const me = useAnswer(["me"], () => api.GET("/api/auth/me"));
  const isOwn = me.data?.principal.ref === change.author;
  const hasReported = change.checks.length > 0 && change.checks.every(({ state }) => state !== "pending" && state !== "running");
  return (
    <Page
      title={change.title}
      path={[
        { name: "Changes", to: "/changes" },
        { name: repository, to: `/services/${repository}` },
      ]}
      aside={<Status of={change.state} />}
      actions={
        <Equivalents
          cli={
            open
              ? `cairn merge ${repository}/${number}\ncairn changes approve ${repository}/${number}\ncairn retry ${repository}/${number}\ncairn changes close ${repository}/${number}`
              : `cairn changes show ${repository}/${number}`
          }
          api={
            open
              ? `POST /api/changes/${repository}/${number}/merge\n{"head": "${head}"}\n… or /approve, /check, /close`
              : `GET /api/changes/${repository}/${number}`
          }
        />
      }
    >
      <Text c="dimmed">
        {repository} #{number}: {nameOf(change.author)} {change.state === "merged" ? "merged" : "wants to merge"}{" "}
        <span className="mono">{change.branch}</span>, opened <Time at={change.createdAt} />
        {change.mergedAt && (
          <>
            , merged <Time at={change.mergedAt} />
          </>
        )}
      </Text>
      {change.state === "merged" && change.mergeCommit && <Delivery service={repository} commit={change.mergeCommit} />}
      {open && !change.merge.allowed && <Why of={`${repository}/${number}`} beside="check" />}
      <Section
        title="Checks"
        actions={
          open &&
          hasReported && (
            <Button variant="default" size="xs" onClick={() => check.mutate()} loading={check.isPending}>
              Check again
            </Button>
          )
        }
      >
        <Stack gap="sm">
          <Checks checks={change.checks} />
          {open && (
            <Paper withBorder p="md">
              <Group justify="space-between" align="flex-start">
                <Stack gap={2} maw={640} role="status">
                  <Text fw={600}>{change.merge.allowed ? "It may be merged" : plain(change.merge.because)}</Text>
                  <Text c="dimmed">
                    {change.merge.allowed ? "Merging starts its delivery: dev, staging, production." : plain(change.merge.next)}
                  </Text>
                  {change.merge.warnings.map((warning) => (
                    <Text key={warning} size="xs" className="tone-warn">
                      Recorded at the merge: {warning}
                    </Text>
                  ))}
                </Stack>
                <Group gap="xs">
                  <Button variant="subtle" color="gray" onClick={() => close.mutate()} loading={close.isPending}>
                    Close
                  </Button>
                  {!isOwn && (
                    <Button variant="default" onClick={() => approve.mutate()} loading={approve.isPending}>
                      Approve
                    </Button>
                  )}
                  <Button onClick={() => merge.mutate()} loading={merge.isPending} disabled={!change.merge.allowed}>
                    Merge
                  </Button>
                </Group>
              </Group>
            </Paper>
          )}
          <ProblemNote error={merge.error ?? approve.error ?? check.error ?? close.error} />
        </Stack>
      </Section>
      {!open && change.warnings.length > 0 && (
        <Section title="Recorded at the merge">
          <List size="sm">
            {change.warnings.map((warning) => (
              <List.Item key={warning}>{warning}</List.Item>
            ))}
          </List>
        </Section>
      )}
      {(change.approvals.length > 0 || change.codeOwners.length > 0) && (
        <Section title="Approvals">
          <Rows label="Approvals">
            {change.codeOwners.map((part) => (
              <Row
                key={part.owners.join(" ")}
                sign={<Status of={part.approvedBy.length > 0 ? "passed" : "pending"} bare />}
                title={part.owners.join(", ")}
                below={part.fileCount === 1 ? part.files[0] : `${part.fileCount} files`}
              >
                <span>{part.approvedBy.length > 0 ? `approved by ${part.approvedBy.map(nameOf).join(", ")}` : "not approved"}</span>
              </Row>
            ))}
            {change.approvals.map((approval) => (
              <Row
                key={approval.by}
                sign={<Status of={approval.commit === head ? "passed" : "stale"} bare />}
                title={nameOf(approval.by)}
                below={approval.commit !== head && "Of an older commit: it no longer counts"}
              >
                <Time at={approval.at} />
              </Row>
            ))}
          </Rows>
        </Section>
      )}
      <ChangeGraph repository={repository} number={number} head={head} />
      {change.description && (
        <Section title="Description">
          <Text className="anywhere" style={{ whiteSpace: "pre-wrap" }}>
            {change.description}
          </Text>
        </Section>
      )}
      <Section title="Files">
        <Diff repository={repository} number={number} head={head} />
      </Section>
    </Page>
  );
}

function Checks({ checks }: { checks: Change["checks"] }) {
  if (checks.length === 0) return <Text c="dimmed">No check has reported yet.</Text>;
  return (
    <Rows label="Checks">
      {checks.map((check) => (
        <Row
          key={check.name}
          sign={<Status of={check.state} bare />}
          title={
            <>
              {check.name}{" "}
              <Text span c="dimmed" fw={400}>
                {check.details.length > 0 && check.state !== "passed" ? check.state : check.summary}
              </Text>
            </>
          }
          below={check.details.map((detail) => (
            <div key={detail}>{plain(detail)}</div>
          ))}
        >
          {check.link && (
            <Anchor component={Link} to={check.link.replace(/^\/api/, "")} size="xs">
              Details
            </Anchor>
          )}
        </Row>
      ))}
    </Rows>
  );
}
