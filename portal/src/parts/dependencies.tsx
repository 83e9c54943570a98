import type { Answered as Answer } from "@cairn/api";
import { Anchor, Code, Stack, Text } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Graph, type GraphNode } from "./graph.tsx";
import { nameOf, serviceOf } from "./names.ts";
import { many } from "./numbers.ts";
import { Answered, Empty, Section } from "./page.tsx";
import { Row, Rows } from "./rows.tsx";
import { Time } from "./time.tsx";

type View = Answer<"getDependencyView">;
type Edge = View["needs"][number];

/** What it needs and what needs it: as declared, and as the proxy saw it. */
export function Dependencies({ service }: { service: string }) {
  const view = useAnswer(
    ["dependency-view", service],
    () => api.GET("/api/services/{name}/dependency-view", { params: { path: { name: service } } }),
    { refetchInterval: 15_000 },
  );
  return (
    <Answered query={view}>
      {(data) =>
        data.needs.length + data.neededBy.length + data.others.length === 0 ? (
          <Empty title="No dependency is declared, and nobody has called it">
            Declare what it needs in catalog-info.yaml (<Code>spec.dependsOn</Code>) or by POST /services/{service}/dependencies. What it
            calls, and who calls it, appears by itself when the calls go to the services&apos; addresses.
          </Empty>
        ) : (
          <Stack gap="lg">
            {data.needs.length + data.neededBy.length > 0 && (
              <Graph
                of={service}
                before={data.neededBy.map(drawn)}
                after={data.needs.map(drawn)}
                label={`What needs ${service}, and what it needs`}
              />
            )}
            <Edges title="It needs" edges={data.needs} none="Nothing is declared, and no call of it was seen." />
            <Edges title="It is needed by" edges={data.neededBy} none="No service declares it, and no service was seen calling it." />
            <Others view={data} />
          </Stack>
        )
      }
    </Answered>
  );
}

const SAID: Record<Edge["state"], string> = {
  called: "Declared, and called",
  not_called: "Declared; no call was seen",
  not_declared: "Called, but not declared",
  not_measured: "Declared; it is not behind the proxy, so its calls are not seen",
};

/** As the drawing shows it: what is not declared stands out, what nobody called is a broken line. */
function drawn({ other, state, type, isCritical, observed }: Edge): GraphNode {
  const page = other.includes(":") ? serviceOf(other) : other;
  const requests = observed.reduce((sum, seen) => sum + seen.requests, 0);
  return {
    id: other,
    name: nameOf(other),
    says: requests > 0 ? many(requests, "request") : other.includes(":") ? (other.split(":")[0] ?? "") : (type ?? ""),
    to: page && `/services/${page}/dependencies`,
    look: state,
    isCritical,
  };
}

function Edges({ title, edges, none }: { title: string; edges: readonly Edge[]; none: string }) {
  return (
    <Section title={title}>
      {edges.length === 0 ? (
        <Text c="dimmed">{none}</Text>
      ) : (
        <Rows label={title}>
          {edges.map((edge) => (
            <Row
              key={edge.other}
              title={<Other reference={edge.other} />}
              below={
                <>
                  {SAID[edge.state]}
                  {edge.observed.map((seen) => (
                    <div key={`${seen.from} ${seen.to}`}>
                      {seen.from === seen.to ? seen.from : `from ${seen.from} to ${seen.to}`}: {many(seen.requests, "request")}, the last{" "}
                      <Time at={seen.lastAt} />
                    </div>
                  ))}
                </>
              }
            >
              {edge.isCritical && <span className="tone-warn">critical</span>}
              {edge.state === "not_declared" && <span className="tone-warn">not declared</span>}
              {edge.type && <span>{edge.type}</span>}
            </Row>
          ))}
        </Rows>
      )}
    </Section>
  );
}

function Others({ view }: { view: View }) {
  if (view.others.length === 0) return null;
  return (
    <Section title="Other callers">
      <Rows label="Other callers">
        {view.others.map((one) => (
          <Row
            key={`${one.environment} ${one.who}`}
            title={one.who === "outside" ? "Somebody who is no service here" : "Unknown"}
            below={
              one.who === "outside"
                ? `People, tests and programs of this machine, in ${one.environment}`
                : `The connection was gone before anybody could look who held it, in ${one.environment}`
            }
          >
            <span>{many(one.requests, "request")}</span>
            <Time at={one.lastAt} />
          </Row>
        ))}
      </Rows>
    </Section>
  );
}

function Other({ reference }: { reference: string }) {
  const service = reference.includes(":") ? serviceOf(reference) : reference;
  if (!service) return `${nameOf(reference)} (${reference.split(":")[0]})`;
  return (
    <Anchor component={Link} to={`/services/${service}`}>
      {service}
    </Anchor>
  );
}
