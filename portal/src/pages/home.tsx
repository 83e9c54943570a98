import { Anchor, Button, Group, List, Stack, Table, Text } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

/** What needs me? Open change requests, runs that wait or failed; below, the services. An empty platform teaches the first step. */
export default function Home() {
  const services = useAnswer(["services", "home"], () => api.GET("/api/catalog/service-views", { params: { query: { limit: 10 } } }));
  const changes = useAnswer(["changes", "open"], () => api.GET("/api/changes", { params: { query: { state: "open" } } }));
  const runs = useAnswer(["runs", "home"], () => api.GET("/api/runs", { params: { query: { limit: 30 } } }));
  const attention = runs.data?.runs.filter((run) => run.parent === null && ["waiting", "failed", "running", "rolling_back"].includes(run.state)).slice(0, 8) ?? [];
  return (
    <Page title="Home">
      <Answered query={services}>
        {({ services: rows }) =>
          rows.length === 0 ? (
            <FirstSteps />
          ) : (
            <Stack gap="xl">
              <Section title="What needs you">
                <Answered query={changes}>
                  {({ changes: open }) =>
                    open.length + attention.length === 0 ? (
                      <Empty title="Nothing needs you now">Open change requests, waits and failures of your services appear here.</Empty>
                    ) : (
                      <Table.ScrollContainer minWidth={320}>
                        <Table>
                          <Table.Tbody>
                            {open.map((change) => (
                              <Table.Tr key={`${change.repository}/${change.number}`}>
                                <Table.Td>
                                  <Status of={worst(change.checks.map((check) => check.state))} label={change.mergeable ? undefined : "conflicts"} />
                                </Table.Td>
                                <Table.Td>
                                  <Anchor component={Link} to={`/changes/${change.repository}/${change.number}`}>
                                    {change.repository} #{change.number}: {change.title}
                                  </Anchor>
                                </Table.Td>
                                <Table.Td>
                                  <Time at={change.createdAt} />
                                </Table.Td>
                                <Table.Td>
                                  <Button component={Link} to={`/changes/${change.repository}/${change.number}`} size="compact-sm" variant="default">
                                    Review and merge
                                  </Button>
                                </Table.Td>
                              </Table.Tr>
                            ))}
                            {attention.map((run) => (
                              <Table.Tr key={run.id}>
                                <Table.Td>
                                  <Status of={run.state} />
                                </Table.Td>
                                <Table.Td>
                                  <Anchor component={Link} to={`/runs/${run.id}`}>
                                    {run.name} for {run.about.replace(/^.*\//, "")}
                                  </Anchor>
                                  <Text size="xs" c="dimmed">
                                    {run.error?.message ?? run.currentStep}
                                  </Text>
                                </Table.Td>
                                <Table.Td>
                                  <Time at={run.createdAt} />
                                </Table.Td>
                                <Table.Td>
                                  <Button component={Link} to={`/runs/${run.id}`} size="compact-sm" variant="default">
                                    Look
                                  </Button>
                                </Table.Td>
                              </Table.Tr>
                            ))}
                          </Table.Tbody>
                        </Table>
                      </Table.ScrollContainer>
                    )
                  }
                </Answered>
              </Section>
              <Section
                title="Services"
                actions={
                  <Anchor component={Link} to="/services" size="sm">
                    All services
                  </Anchor>
                }
              >
                <Table.ScrollContainer minWidth={320}>
                  <Table>
                    <Table.Tbody>
                      {rows.map((service) => (
                        <Table.Tr key={service.name}>
                          <Table.Td>
                            <Anchor component={Link} to={`/services/${service.name}`} fw={500}>
                              {service.name}
                            </Anchor>
                            <Text size="xs" c="dimmed">
                              {service.description}
                            </Text>
                          </Table.Td>
                          <Table.Td>{service.owner}</Table.Td>
                          <Table.Td>{service.tier}</Table.Td>
                          <Table.Td>{service.lifecycle}</Table.Td>
                        </Table.Tr>
                      ))}
                    </Table.Tbody>
                  </Table>
                </Table.ScrollContainer>
              </Section>
            </Stack>
          )
        }
      </Answered>
    </Page>
  );
}

function FirstSteps() {
  return (
    <Empty title="Your platform is ready; it has no service yet">
      <Stack gap="xs" mt="xs">
        <List type="ordered" size="sm">
          <List.Item>
            <Anchor component={Link} to="/teams" underline="always">
              Make a team
            </Anchor>
            : every service has an owner. Or load the example organisation: <code>cairn org load library/example-organisation</code>
          </List.Item>
          <List.Item>
            <Anchor component={Link} to="/create" underline="always">
              Create a service
            </Anchor>{" "}
            from a golden path, look at its plan, apply it.
          </List.Item>
          <List.Item>Merge its first change request and watch it reach production.</List.Item>
        </List>
        <Group>
          <Button component={Link} to="/create" size="xs">
            Create a service
          </Button>
        </Group>
      </Stack>
    </Empty>
  );
}

const ORDER = ["failed", "unknown", "running", "pending", "warned", "passed"];
/** The state that matters most of several checks; none at all is pending. */
export const worst = (states: readonly string[]): string => ORDER.find((state) => states.includes(state)) ?? "pending";
