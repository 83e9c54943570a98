import { Anchor, Button, Code, Group, List, Stack, Text } from "@mantine/core";
import { answer, type Answered as Answer } from "@cairn/api";
import { useQueries } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { worst } from "../parts/change-rows.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { IncidentRow, useIncidents } from "../parts/incident-rows.tsx";
import { IMPORTS, nameOf, pageOf, plain, runPath, sentence } from "../parts/names.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Health, useStates } from "../parts/service-lines.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { WhyLine } from "../parts/why.tsx";

type Run = Answer<"listRuns">["runs"][number];
type Service = Answer<"listServiceViews">["items"][number];
type State = Answer<"listServiceStates">["states"][number];
const SHOWN = 12;

/** What needs me? Open change requests, runs that wait or failed; below, the services. An empty platform teaches the first step. */
export default function Home() {
  const me = useAnswer(["me"], () => api.GET("/api/auth/me"));
  const own = (me.data?.principal.groups ?? []).map(nameOf).slice(0, 5);
  const services = useAnswer(["services", "home"], () => api.GET("/api/catalog/service-views", { params: { query: { limit: SHOWN } } }));
  const mine = useQueries({
    queries: own.map((team) => ({
      queryKey: ["services", "home", team],
      queryFn: () => answer(api.GET("/api/catalog/service-views", { params: { query: { team, limit: SHOWN } } })),
    })),
    combine: (answers) => ({ items: answers.flatMap(({ data }) => data?.items ?? []), isLoading: answers.some((one) => one.isLoading) }),
  });
  const shown = (mine.items.length > 0 ? mine.items : (services.data?.items ?? [])).slice(0, SHOWN);
  const states = useStates([shown.map(({ name }) => name)], !mine.isLoading);
  const changes = useAnswer(["changes", "open"], () => api.GET("/api/changes", { params: { query: { state: "open" } } }));
  const incidents = useIncidents({ state: "active", limit: 20 });
  const runs = useAnswer(["runs", "home"], () => api.GET("/api/runs", { params: { query: { limit: 100, except: "platform:audit" } } }));
  return (
    <Page
      title="Home"
      actions={
        <Equivalents
          cli={"cairn inbox\ncairn incidents\ncairn changes\ncairn services"}
          api={"GET /api/incidents?state=active\nGET /api/changes?state=open\nGET /api/runs\nGET /api/catalog/service-views"}
        />
      }
    >
      <Answered query={services} with={[me, mine, incidents, changes, runs]}>
        {({ items, total }) =>
          items.length === 0 ? (
            <FirstSteps />
          ) : (
            <Stack gap="xl">
              <Section title="What needs you">
                <Answered query={changes}>
                  {({ changes: open }) => (
                    <Attention incidents={incidents.data?.incidents ?? []} changes={open} runs={needing(runs.data?.runs ?? [])} />
                  )}
                </Answered>
              </Section>
              <Section
                title={mine.items.length > 0 ? "Your services" : "Services"}
                actions={
                  <Anchor component={Link} to="/services" size="sm">
                    All {total.toLocaleString("en")}
                  </Anchor>
                }
              >
                <Rows label="Services">
                  {shown.map((service) => (
                    <Mine key={service.name} service={service} state={states.get(service.name)} />
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

function Mine({ service, state }: { service: Service; state: State | undefined }) {
  return (
    <Row
      title={
        <Anchor component={Link} to={`/services/${service.name}`}>
          {service.name}
        </Anchor>
      }
      below={service.description}
    >
      <span>{nameOf(service.owner)}</span>
      <span>{service.tier}</span>
      <span className="home-health">{state ? <Health state={state} /> : service.lifecycle}</span>
    </Row>
  );
}

function Attention({
  incidents,
  changes,
  runs,
}: {
  incidents: Answer<"listIncidents">["incidents"];
  changes: Answer<"listChanges">["changes"];
  runs: Run[];
}) {
  if (incidents.length + changes.length + runs.length === 0)
    return <Empty title="Nothing needs you now">Incidents, open change requests, waits and failures of your services appear here.</Empty>;
  return (
    <Rows label="What needs you">
      {incidents.map((incident) => (
        <IncidentRow key={incident.id} incident={incident} withService>
          <Button
            component={Link}
            to={`/incidents/${incident.id}`}
            size="compact-xs"
            variant="default"
            aria-label={`Answer ${incident.title}`}
          >
            Answer
          </Button>
        </IncidentRow>
      ))}
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
            <Anchor component={Link} to={placeOf(run)}>
              {sentence(run.workflow)}: {nameOf(run.about)}
            </Anchor>
          }
          below={
            run.error ? (
              plain(run.error.message)
            ) : run.state === "waiting" ? (
              <WhyLine of={run.id} step={run.currentStep} />
            ) : (
              run.currentStep
            )
          }
        >
          <Status of={run.state} />
          <Time at={run.createdAt} />
          <Button
            component={Link}
            to={placeOf(run)}
            size="compact-xs"
            variant="default"
            aria-label={`${run.state === "waiting" ? "Decide" : "Look at"} ${run.workflow}: ${nameOf(run.about)}`}
          >
            {run.state === "waiting" ? "Decide" : "Look"}
          </Button>
        </Row>
      ))}
    </Rows>
  );
}

/** Where something can be done about a run: its own page, but for a break-glass, whose page ends and reviews it. */
const placeOf = (run: Run): string => (run.about.startsWith("break-glass:") ? pageOf(run.about) : undefined) ?? runPath(run.id);

/** Runs that wait, ended badly or are under way; of one kind about one thing, the newest tells how it stands. */
function needing(runs: readonly Run[]): Run[] {
  const newest = new Map<string, Run>();
  for (const run of runs)
    if (run.parent === null && !newest.has(`${run.workflow} ${run.about}`)) newest.set(`${run.workflow} ${run.about}`, run);
  return (
    [...newest.values()]
      // An incident stands above these, with its own button.
      .filter(
        (run) =>
          run.state !== "success" && !run.about.startsWith("incident:") && !(run.workflow === "check change" && run.state === "running"),
      )
      .slice(0, 8)
  );
}

/** The way to the first service, each step a link: whoever knows what they want begins with the golden path itself. */
function FirstSteps() {
  const paths = useAnswer(["golden-paths"], () => api.GET("/api/golden-paths"));
  return (
    <Answered query={paths}>
      {({ goldenPaths }) => (
        <Empty title="Your platform is ready; it has no service yet">
          <Stack gap="md" mt="xs">
            <List type="ordered" size="sm" spacing={4}>
              <List.Item>
                <Anchor component={Link} to="/teams" underline="always">
                  Make a team
                </Anchor>
                : every service has an owner. Or load the example organisation: <Code>cairn org load library/example-organisation</Code>
              </List.Item>
              <List.Item>Create a service from a golden path: look at its plan, apply it.</List.Item>
              <List.Item>Merge its first change request and watch it reach production.</List.Item>
            </List>
            <Group gap="xs">
              {goldenPaths
                .filter(({ name }) => name !== IMPORTS)
                .map(({ name, title }) => (
                  <Button key={name} component={Link} to={`/create/${name}`}>
                    Create: {title}
                  </Button>
                ))}
              <Button component={Link} to="/create#import" variant="default">
                Bring a repository
              </Button>
            </Group>
            <Text size="xs">Press ? for the keyboard shortcuts.</Text>
          </Stack>
        </Empty>
      )}
    </Answered>
  );
}
