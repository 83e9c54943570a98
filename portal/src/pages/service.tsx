import type { Answered as Answer } from "@cairn/api";
import { Anchor, Badge, Group, Stack, Tabs, Text } from "@mantine/core";
import { Link, useLocation, useNavigate, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { useAddress } from "../parts/address.ts";
import { ChangeRows, useChanges } from "../parts/change-rows.tsx";
import { Dependencies } from "../parts/dependencies.tsx";
import { Docs } from "../parts/docs.tsx";
import { Environments, useEnvironments } from "../parts/environments.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Facts } from "../parts/facts.tsx";
import { Logs } from "../parts/logs.tsx";
import { IncidentRow, IncidentRows, useIncidents } from "../parts/incident-rows.tsx";
import { nameOf, plain, runPath, sentence } from "../parts/names.ts";
import { Duty, useOnCall } from "../parts/on-call.tsx";
import { Older } from "../parts/older.tsx";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { ReleaseRows, useReleases } from "../parts/release-rows.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Health, useSlos } from "../parts/slo.tsx";
import { Scorecard } from "../parts/scorecard.tsx";
import { Settings } from "../parts/settings.tsx";
import { Status } from "../parts/status.tsx";
import { TabNames } from "../parts/tab-names.tsx";
import { Time } from "../parts/time.tsx";
import { WhyLine } from "../parts/why.tsx";

type View = Answer<"getServiceView">;
const TABS = ["overview", "changes", "releases", "incidents", "score", "dependencies", "docs", "logs", "settings"] as const;

/** Is it well, what runs where, who has it? */
export default function ServicePage() {
  const { name = "", tab } = useParams();
  const { hash } = useLocation();
  const navigate = useNavigate();
  const view = useAnswer(["services", name], () => api.GET("/api/catalog/service-views/{name}", { params: { path: { name } } }));
  // Catalog entries link to #documentation and #runbook of this page.
  const shown = TABS.find((each) => each === tab) ?? (hash === "#runbook" || hash === "#documentation" ? "docs" : "overview");
  const happening = useHappening(name, shown === "overview");
  const high = [useOnCall(name), useEnvironments(name), useSlos(name, "production", shown === "overview"), happening];
  return (
    <Answered query={view} title={name} path={[{ name: "Services", to: "/services" }]} with={high}>
      {(data) => (
        <Page
          title={name}
          path={[{ name: "Services", to: "/services" }]}
          aside={
            <Group gap={6}>
              <Badge variant="default">{data.service.tier}</Badge>
              <Badge variant="default">{data.service.lifecycle}</Badge>
            </Group>
          }
          actions={<Equivalents cli={`cairn service ${name}`} api={`GET /services/${name}`} />}
        >
          <Stack gap={6}>
            {data.service.description && <Text>{data.service.description}</Text>}
            <Head view={data} />
          </Stack>
          <Tabs
            value={shown}
            onChange={(next) => void navigate(`/services/${name}${next === "overview" ? "" : `/${next}`}`)}
            keepMounted={false}
          >
            <TabNames tabs={TABS} shown={shown} titleOf={sentence} />
            <Tabs.Panel value="overview">
              <Stack gap="xl">
                <Section title="Environments">
                  <Environments service={name} facts={data.facts} />
                </Section>
                <Happening of={happening} />
                <Health service={name} />
                <Section
                  title="Last releases"
                  actions={
                    <Anchor component={Link} to={`/services/${name}/releases`} size="sm">
                      All releases
                    </Anchor>
                  }
                >
                  <ReleaseRows filter={{ service: name, limit: 5 }} none="No release yet" />
                </Section>
              </Stack>
            </Tabs.Panel>
            <Tabs.Panel value="changes">
              <ChangesOf repository={data.service.repository ?? name} />
            </Tabs.Panel>
            <Tabs.Panel value="releases">
              <ReleasesOf service={name} />
            </Tabs.Panel>
            <Tabs.Panel value="incidents">
              <IncidentRows filter={{ service: name, limit: 50 }} none="It has had no incident" />
            </Tabs.Panel>
            <Tabs.Panel value="score">
              <Scorecard service={name} />
            </Tabs.Panel>
            <Tabs.Panel value="dependencies">
              <Dependencies service={name} />
            </Tabs.Panel>
            <Tabs.Panel value="docs">
              {data.service.repository ? (
                <Docs repository={data.service.repository} />
              ) : (
                <Empty title="It has no repository here">Its documentation is where its repository is.</Empty>
              )}
            </Tabs.Panel>
            <Tabs.Panel value="logs">
              <Logs service={name} />
            </Tabs.Panel>
            <Tabs.Panel value="settings">
              <Settings service={name} />
            </Tabs.Panel>
          </Tabs>
        </Page>
      )}
    </Answered>
  );
}

const SHOWN = 50;

function ChangesOf({ repository }: { repository: string }) {
  const address = useAddress();
  const before = address.get("before");
  const filter = { repository, ...(before && { before }), limit: SHOWN };
  const rows = useChanges(filter).data?.changes ?? [];
  const last = rows.length === SHOWN ? rows.at(-1) : undefined;
  return (
    <Stack>
      <ChangeRows filter={filter} none="No change request yet" />
      <Older address={address} next={last && `${last.repository}/${last.number}`} />
    </Stack>
  );
}

function ReleasesOf({ service }: { service: string }) {
  const address = useAddress();
  const before = address.get("before");
  const filter = { service, ...(before && { before }), limit: SHOWN };
  const rows = useReleases(filter).data?.releases ?? [];
  return (
    <Stack>
      <ReleaseRows filter={filter} none="No release yet" />
      <Older address={address} next={rows.length === SHOWN ? rows.at(-1)?.id : null} />
    </Stack>
  );
}

function Head({ view: { service } }: { view: View }) {
  const team = nameOf(service.owner);
  const duty = useOnCall(service.name).data?.onCall[0];
  return (
    <Facts
      of={[
        [
          "Owner",
          <Anchor key="owner" component={Link} to={`/services?team=${team}`} size="sm">
            {team}
          </Anchor>,
        ],
        duty !== undefined && ["On call", <Duty key="call" of={duty} />],
        !service.ownerExists && [
          "Unowned",
          <span key="unowned" className="tone-warn">
            no team is called that
          </span>,
        ],
        service.repository !== null && [
          "Repository",
          <span key="repository" className="mono">
            {service.repository}
          </span>,
        ],
        ["Created", <Time key="created" at={service.createdAt} />],
        service.repository !== null && [
          "Read",
          <Group key="read" gap={8} component="span">
            <Anchor component={Link} to={`/services/${service.name}/docs?file=docs/index.md`} size="sm">
              Documentation
            </Anchor>
            <Anchor component={Link} to={`/services/${service.name}/docs?file=docs/runbook.md`} size="sm">
              Runbook
            </Anchor>
          </Group>,
        ],
      ]}
    />
  );
}

/** What waits, is under way or ended badly: open change requests, and of each kind of workflow the newest. */
function useHappening(service: string, enabled: boolean) {
  const changes = useAnswer(
    ["changes", service, "open"],
    () => api.GET("/api/changes", { params: { query: { repository: service, state: "open" } } }),
    { enabled },
  );
  const runs = useAnswer(
    ["runs", "about", service],
    () => api.GET("/api/runs", { params: { query: { about: `component:default/${service}`, limit: 100 } } }),
    { refetchInterval: 5000, enabled },
  );
  const incidents = useIncidents({ service, state: "active", limit: 10 });
  const newest = new Map(
    (runs.data?.runs ?? [])
      .filter((run) => run.parent === null)
      .toReversed()
      .map((run) => [run.workflow, run]),
  );
  const under = [...newest.values()].filter((run) => run.state !== "success");
  const open = changes.data?.changes ?? [];
  const wrong = incidents.data?.incidents ?? [];
  return { open, under, wrong, isLoading: changes.isLoading || runs.isLoading || incidents.isLoading };
}

function Happening({ of: { open, under, wrong } }: { of: ReturnType<typeof useHappening> }) {
  if (open.length + under.length + wrong.length === 0) return null;
  return (
    <Section title="What is happening">
      <Rows label="What is happening">
        {wrong.map((incident) => (
          <IncidentRow key={incident.id} incident={incident} withService={false} />
        ))}
        {open.map((change) => (
          <Row
            key={change.number}
            sign={<Status of="open" bare />}
            title={
              <Anchor component={Link} to={`/changes/${change.repository}/${change.number}`}>
                {change.title}
              </Anchor>
            }
            below={`Change request #${change.number} by ${nameOf(change.author)} waits to be merged`}
          >
            <Time at={change.createdAt} />
          </Row>
        ))}
        {under.map((run) => (
          <Row
            key={run.id}
            sign={<Status of={run.state} bare />}
            title={
              <Anchor component={Link} to={runPath(run.id)}>
                {sentence(run.workflow)}
              </Anchor>
            }
            below={
              run.error ? (
                plain(`${run.error.message} ${run.error.next}`)
              ) : run.state === "waiting" ? (
                <WhyLine of={run.id} step={run.currentStep} />
              ) : (
                run.currentStep
              )
            }
          >
            <Status of={run.state} />
            <Time at={run.createdAt} />
          </Row>
        ))}
      </Rows>
    </Section>
  );
}
