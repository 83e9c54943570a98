import { answer, type components } from "@cairn/api";
import { Accordion, Alert, Button, Grid, Group, List, NavLink, Paper, ScrollArea, Stack, Table, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Decisions } from "../parts/decisions.tsx";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Answered, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

type PlanAnswer = components["schemas"]["PlanAnswer"];
interface PlannedFile {
  path: string;
  content: string;
  encoding: string;
}

/** What will I get? Everything the plan makes, before anything changes; then apply exactly that. */
export default function PlanPage() {
  const { digest = "" } = useParams();
  const plan = useAnswer(["plans", digest], () => api.GET("/api/plans/{digest}", { params: { path: { digest } } }));
  return <Answered query={plan}>{(kept) => <PlanView kept={kept} />}</Answered>;
}

function PlanView({ kept }: { kept: PlanAnswer }) {
  const { plan, digest } = kept;
  const navigate = useNavigate();
  const apply = useMutation({
    mutationFn: () => answer(api.POST("/api/plans/{digest}/apply", { params: { path: { digest } } })),
    onSuccess: ({ run }) => void navigate(`/runs/${run}`),
  });
  const denied = plan.decisions.some((decision) => decision.outcome === "deny");
  const resources = plan.changes.filter((change) => change.kind === "resource");
  const others = plan.changes.filter((change) => change.kind !== "resource" && change.kind !== "file");
  const files = (plan.payload.files ?? []) as PlannedFile[];
  return (
    <Page
      title={plan.title}
      path={[{ name: "Create a service", to: "/create" }]}
      aside={<Status of={kept.state} />}
      actions={
        <>
          <Equivalents cli={`cairn apply ${digest}`} api={`POST /api/plans/${digest}/apply`} />
          {kept.run ? (
            <Button onClick={() => void navigate(`/runs/${kept.run}`)}>See how it goes</Button>
          ) : (
            <Button onClick={() => apply.mutate()} loading={apply.isPending} disabled={denied}>
              Apply this plan
            </Button>
          )}
        </>
      }
    >
      <Text size="sm" c="dimmed">
        Nothing has changed yet. Plan <Digest of={digest} />, made <Time at={kept.createdAt} />
      </Text>
      <ProblemNote error={apply.error} />
      {denied && (
        <Alert color="red" variant="outline" title="Policy denies this plan">
          Each denied rule below says how to meet it; then make the plan anew.
        </Alert>
      )}
      <Grid>
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Stack gap="lg">
            <Section title="What it makes">
              <ChangeTable rows={others} />
            </Section>
            <Section title="Infrastructure">
              <ChangeTable rows={resources} />
              <Text size="sm" mt="xs">
                Cost: {plan.cost.monthly === null ? "unknown" : `${plan.cost.monthly.toFixed(2)} ${plan.cost.currency} a month`}
                {plan.cost.unknown.length > 0 && ` (not known: ${plan.cost.unknown.join(", ")})`}
              </Text>
            </Section>
            <Section title="Rollout">
              <List size="sm">
                {plan.rollout.map((step) => (
                  <List.Item key={step.environment}>
                    {step.environment}: {step.stepsPercent.map((percent) => `${percent} %`).join(" → ")}
                    {step.gates.length > 0 && ` (${step.gates.join(", ")})`}
                  </List.Item>
                ))}
              </List>
              <Text size="sm" mt="xs">
                Undo: {plan.rollback}
              </Text>
            </Section>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Stack gap="lg">
            <Section title="Policy decisions">
              <Decisions decisions={plan.decisions} />
            </Section>
            <Section title="Not known yet">
              <List size="sm">
                {plan.unknowns.map((unknown) => (
                  <List.Item key={unknown}>{unknown}</List.Item>
                ))}
              </List>
            </Section>
          </Stack>
        </Grid.Col>
      </Grid>
      <Section title={`Files of the first change request (${files.length})`}>
        <Files files={files} />
      </Section>
      <Accordion variant="separated">
        <Accordion.Item value="basis">
          <Accordion.Control>Basis: what the plan was made on</Accordion.Control>
          <Accordion.Panel>
            <Table>
              <Table.Tbody>
                {Object.entries(plan.basis).map(([name, value]) => (
                  <Table.Tr key={name}>
                    <Table.Td>{name}</Table.Td>
                    <Table.Td>
                      <Digest of={value} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
    </Page>
  );
}

function ChangeTable({ rows }: { rows: PlanAnswer["plan"]["changes"] }) {
  if (rows.length === 0) return <Text size="sm">None.</Text>;
  return (
    <Table.ScrollContainer minWidth={280}>
      <Table>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={`${row.kind} ${row.id} ${row.environment}`}>
              <Table.Td>{row.action}</Table.Td>
              <Table.Td>
                {row.kind.replaceAll("_", " ")} <span className="mono">{row.id}</span>
                {row.environment && ` in ${row.environment}`}
                {row.detail && (
                  <Text size="xs" c="dimmed">
                    {row.detail}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Files({ files }: { files: PlannedFile[] }) {
  const [path, setPath] = useState(files.find((file) => file.path === "README.md")?.path ?? files[0]?.path);
  const file = files.find((each) => each.path === path);
  return (
    <Paper withBorder>
      <Group align="stretch" gap={0} wrap="wrap">
        <ScrollArea.Autosize mah={420} w={{ base: "100%", sm: 280 }} viewportProps={{ tabIndex: 0, role: "region", "aria-label": "Files" }}>
          {files.map((each) => (
            <NavLink key={each.path} component="button" label={each.path} active={each.path === path} onClick={() => setPath(each.path)} py={4} />
          ))}
        </ScrollArea.Autosize>
        <ScrollArea.Autosize mah={420} flex={1} miw={240} viewportProps={{ tabIndex: 0, role: "region", "aria-label": "Content" }}>
          <pre className="diff" style={{ padding: 12 }}>
            {file?.encoding === "base64" ? "(binary)" : file?.content}
          </pre>
        </ScrollArea.Autosize>
      </Group>
    </Paper>
  );
}
