import { Anchor, Badge, Group, Progress, Stack, Table, Tabs, Text } from "@mantine/core";
import { Link, useNavigate, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { ChangeRows } from "../parts/change-rows.tsx";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Logs } from "../parts/logs.tsx";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { ReleaseRows } from "../parts/release-rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

/** Is it well, what runs where, who has it? */
export default function ServicePage() {
  const { name = "", tab = "overview" } = useParams();
  const navigate = useNavigate();
  const service = useAnswer(["services", name], () => api.GET("/api/catalog/service-views/{name}", { params: { path: { name } } }));
  return (
    <Answered query={service}>
      {(view) => (
        <Page
          title={name}
          path={[{ name: "Services", to: "/services" }]}
          aside={
            <Group gap={6}>
              <Badge variant="default">{view.tier}</Badge>
              <Badge variant="default">{view.lifecycle}</Badge>
            </Group>
          }
          actions={<Equivalents cli={`cairn service ${name}`} api={`GET /services/${name}`} />}
        >
          <div>
            <Text>{view.description}</Text>
            <Text size="sm">
              Owner: <strong>{view.owner}</strong>
              {!view.ownerExists && " (unowned: no such team)"}
              {view.repository && (
                <>
                  {" "}
                  · Repository: <span className="mono">{view.repository}</span>
                </>
              )}
            </Text>
          </div>
          <Tabs value={tab} onChange={(next) => void navigate(`/services/${name}${next === "overview" ? "" : `/${next}`}`)} keepMounted={false}>
            <Tabs.List mb="md">
              {["overview", "changes", "releases", "dependencies", "logs"].map((each) => (
                <Tabs.Tab key={each} value={each}>
                  {each.replace(/^./, (letter) => letter.toUpperCase())}
                </Tabs.Tab>
              ))}
            </Tabs.List>
            <Tabs.Panel value="overview">
              <Stack gap="xl">
                <Environments name={name} />
                <Waiting name={name} />
                <Section title="Last releases">
                  <ReleaseRows service={name} limit={5} />
                </Section>
              </Stack>
            </Tabs.Panel>
            <Tabs.Panel value="changes">
              <ChangeRows repository={name} />
            </Tabs.Panel>
            <Tabs.Panel value="releases">
              <ReleaseRows service={name} limit={50} />
            </Tabs.Panel>
            <Tabs.Panel value="dependencies">
              <Dependencies name={name} />
            </Tabs.Panel>
            <Tabs.Panel value="logs">
              <Logs service={name} />
            </Tabs.Panel>
          </Tabs>
        </Page>
      )}
    </Answered>
  );
}

function Environments({ name }: { name: string }) {
  const environments = useAnswer(["environments", name], () => api.GET("/api/services/{name}/environments", { params: { path: { name } } }), { refetchInterval: 3000 });
  return (
    <Section title="Environments">
      <Answered query={environments}>
        {({ environments: rows }) =>
          rows.length === 0 ? (
            <Empty title="It runs nowhere yet">Merge its first change request: it is built, judged and rolled out through the environments.</Empty>
          ) : (
            <Table.ScrollContainer minWidth={560}>
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Environment</Table.Th>
                    <Table.Th>Address</Table.Th>
                    <Table.Th>Revision</Table.Th>
                    <Table.Th>Health</Table.Th>
                    <Table.Th>Traffic</Table.Th>
                    <Table.Th className="number">Requests</Table.Th>
                    <Table.Th className="number">Errors</Table.Th>
                    <Table.Th>Since</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {rows.flatMap((row) =>
                    (row.revisions.length > 0 ? row.revisions : [undefined]).map((revision, at) => (
                      <Table.Tr key={`${row.environment} ${revision?.id}`}>
                        <Table.Td>{at === 0 && <strong>{row.environment}</strong>}</Table.Td>
                        <Table.Td>
                          {at === 0 && (
                            <Anchor href={row.url} target="_blank" rel="noreferrer">
                              {row.url.replace("http://", "")}
                            </Anchor>
                          )}
                        </Table.Td>
                        <Table.Td>{revision ? <Digest of={revision.artifactDigest} /> : "–"}</Table.Td>
                        <Table.Td>{revision ? <Status of={revision.health} /> : <Status of="unknown" label="nothing runs" />}</Table.Td>
                        <Table.Td miw={110}>
                          {revision && (
                            <Group gap={6} wrap="nowrap">
                              <Progress value={revision.weightPercent} w={60} aria-label={`${revision.weightPercent} % of traffic`} />
                              <Text size="sm">{revision.weightPercent} %</Text>
                            </Group>
                          )}
                        </Table.Td>
                        <Table.Td className="number">{revision?.requests ?? "–"}</Table.Td>
                        <Table.Td className="number">{revision?.errors ?? "–"}</Table.Td>
                        <Table.Td>{revision && <Time at={revision.startedAt} />}</Table.Td>
                      </Table.Tr>
                    )),
                  )}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )
        }
      </Answered>
    </Section>
  );
}

/** Workflows of this service that are under way or ended badly. */
function Waiting({ name }: { name: string }) {
  const runs = useAnswer(["runs", "about", name], () => api.GET("/api/runs", { params: { query: { about: `component:default/${name}`, limit: 10 } } }));
  const rows = runs.data?.runs.filter((run) => run.parent === null).slice(0, 5) ?? [];
  if (rows.length === 0) return null;
  return (
    <Section title="What is happening">
      <Table>
        <Table.Tbody>
          {rows.map((run) => (
            <Table.Tr key={run.id}>
              <Table.Td>
                <Status of={run.state} />
              </Table.Td>
              <Table.Td>
                <Anchor component={Link} to={`/runs/${run.id}`}>
                  {run.name}
                </Anchor>
                <Text size="xs" c="dimmed">
                  {run.error?.message ?? run.currentStep}
                </Text>
              </Table.Td>
              <Table.Td>
                <Time at={run.createdAt} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}

function Dependencies({ name }: { name: string }) {
  const view = useAnswer(["services", name], () => api.GET("/api/catalog/service-views/{name}", { params: { path: { name } } }));
  return (
    <Answered query={view}>
      {({ relations }) =>
        relations.length === 0 ? (
          <Empty title="No dependency is declared">Declare them in catalog-info.yaml (spec.dependsOn) or by POST /services/{name}/dependencies.</Empty>
        ) : (
          <Table>
            <Table.Tbody>
              {relations.map((relation) => (
                <Table.Tr key={`${relation.type} ${relation.targetRef}`}>
                  <Table.Td>{relation.type}</Table.Td>
                  <Table.Td className="mono">{relation.targetRef}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )
      }
    </Answered>
  );
}
