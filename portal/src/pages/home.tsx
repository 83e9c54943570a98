import { Anchor, Button, Code, List, Stack, Text } from "@mantine/core";
import { IconServer } from "@tabler/icons-react";
import type { Answered as Answer } from "@cairn/api";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { worst } from "../parts/change-rows.tsx";
import { nameOf, runPath, sentence } from "../parts/names.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { WhyLine } from "../parts/why.tsx";

type Run = Answer<"listRuns">["runs"][number];

/** What needs me? Open change requests, runs that wait or failed; below, the services. An empty platform teaches the first step. */
export default function Home() {
  const services = useAnswer(["services", "home"], () => api.GET("/api/catalog/service-views", { params: { query: { limit: 10 } } }));
  const changes = useAnswer(["changes", "open"], () => api.GET("/api/changes", { params: { query: { state: "open" } } }));
  const runs = useAnswer(["runs", "home"], () => api.GET("/api/runs", { params: { query: { limit: 100, except: "platform:audit" } } }));
  return (
    <Page title="Home">
      <Answered query={services}>
        {({ items }) =>
          items.length === 0 ? (
            <FirstSteps />
          ) : (
            <Stack gap="xl">
              <Section title="What needs you">
                <Answered query={changes}>
                  {({ changes: open }) => <Attention changes={open} runs={needing(runs.data?.runs ?? [])} />}
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
                <Rows label="Services">
                  {items.map((service) => (
                    <Row
                      key={service.name}
                      sign={<IconServer size={16} aria-hidden />}
                      title={
                        <Anchor component={Link} to={`/services/${service.name}`}>
                          {service.name}
                        </Anchor>
                      }
                      below={service.description}
                    >
                      <span>{nameOf(service.owner)}</span>
                      <span>{service.tier}</span>
                      <span>{service.lifecycle}</span>
                    </Row>
                  ))}
                </Rows>
              </Section>
            </Stack>
          )
        }
      </Answered>
    </Page>
  );
}

function Attention({ changes, runs }: { changes: Answer<"listChanges">["changes"]; runs: Run[] }) {
  if (changes.length + runs.length === 0)
    return <Empty title="Nothing needs you now">Open change requests, waits and failures of your services appear here.</Empty>;
  return (
    <Rows label="What needs you">
      {changes.map((change) => {
        const to = `/changes/${change.repository}/${change.number}`;
        return (
          <Row
            key={to}
            sign={<Status of="open" bare />}
            title={
              <Anchor component={Link} to={to}>
                {change.title}
              </Anchor>
            }
            below={`${change.repository} #${change.number} by ${nameOf(change.author)}`}
          >
            <Status
              of={change.mergeable ? worst(change.checks.map((check) => check.state)) : "failed"}
              label={change.mergeable ? undefined : "conflicts"}
            />
            <Time at={change.createdAt} />
            <Button component={Link} to={to} size="compact-xs" variant="default" aria-label={`Review ${change.title}`}>
              Review
            </Button>
          </Row>
        );
      })}
      {runs.map((run) => (
        <Row
          key={run.id}
          sign={<Status of={run.state} bare />}
          title={
            <Anchor component={Link} to={runPath(run.id)}>
              {sentence(run.workflow)}: {nameOf(run.about)}
            </Anchor>
          }
          below={run.error?.message ?? (run.state === "waiting" ? <WhyLine of={run.id} step={run.currentStep} /> : run.currentStep)}
        >
          <Status of={run.state} />
          <Time at={run.createdAt} />
        </Row>
      ))}
    </Rows>
  );
}

/** Runs that wait, ended badly or are under way; of one kind about one thing, the newest tells how it stands. */
function needing(runs: readonly Run[]): Run[] {
  const newest = new Map<string, Run>();
  for (const run of runs)
    if (run.parent === null && !newest.has(`${run.workflow} ${run.about}`)) newest.set(`${run.workflow} ${run.about}`, run);
  return [...newest.values()]
    .filter((run) => run.state !== "success" && !(run.workflow === "check change" && run.state === "running"))
    .slice(0, 8);
}

function FirstSteps() {
  return (
    <Empty title="Your platform is ready; it has no service yet">
      <Stack gap="md" mt="xs">
        <List type="ordered" size="sm" spacing={4}>
          <List.Item>
            <Anchor component={Link} to="/teams" underline="always">
              Make a team
            </Anchor>
            : every service has an owner. Or load the example organisation: <Code>cairn org load library/example-organisation</Code>
          </List.Item>
          <List.Item>
            <Anchor component={Link} to="/create" underline="always">
              Create a service
            </Anchor>{" "}
            from a golden path: look at its plan, apply it.
          </List.Item>
          <List.Item>Merge its first change request and watch it reach production.</List.Item>
        </List>
        <Button component={Link} to="/create" style={{ alignSelf: "flex-start" }}>
          Create a service
        </Button>
        <Text size="xs">Press ? for the keyboard shortcuts.</Text>
      </Stack>
    </Empty>
  );
}
