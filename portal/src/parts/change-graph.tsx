import { Anchor, Text } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Graph, type GraphNode } from "./graph.tsx";
import { nameOf, serviceOf } from "./names.ts";
import { Section } from "./page.tsx";
import { Row, Rows } from "./rows.tsx";

/** What a change request does to the catalog's graph, drawn and as a list. Nothing where it does nothing. */
export function ChangeGraph({ repository, number, head }: { repository: string; number: number; head: string }) {
  const { data } = useAnswer(["graph", repository, number, head], () =>
    api.GET("/api/changes/{repository}/{number}/graph", { params: { path: { repository, number } } }),
  );
  if (!data) return null;
  const own = `component:default/${repository}`;
  const lines = [
    ...data.relationsAdded.map((relation) => ({ ...relation, look: "added" as const })),
    ...data.relationsRemoved.map((relation) => ({ ...relation, look: "removed" as const })),
  ];
  if (lines.length + data.added.length + data.removed.length + data.changed.length === 0)
    return data.readable ? null : (
      <Section title="What it does to the catalog">
        <Text className="tone-warn">Its catalog-info.yaml can&apos;t be read, so nobody knows. The check says what is wrong with it.</Text>
      </Section>
    );
  const drawn = lines.filter(({ source }) => source === own);
  return (
    <Section title="What it does to the catalog">
      {drawn.length > 0 && (
        <div style={{ marginBottom: 12 }}>
          <Graph of={repository} before={[]} after={drawn.map(nodeOf)} label={`What ${repository} comes to need, and what no longer`} />
        </div>
      )}
      <Rows label="Changes of the catalog">
        {data.added.map((ref) => (
          <Row key={`+${ref}`} sign={<Sign look="added" />} title={<Name of={ref} />} below="New in the catalog" />
        ))}
        {data.removed.map((ref) => (
          <Row key={`-${ref}`} sign={<Sign look="removed" />} title={<Name of={ref} />} below="No longer declared" />
        ))}
        {data.changed.map(({ ref, fields }) => (
          <Row
            key={ref}
            sign={<span className="tone-busy mono">~</span>}
            title={<Name of={ref} />}
            below={`Changes ${fields.join(", ")}`}
          />
        ))}
        {lines.map(({ source, type, target, look }) => (
          <Row
            key={`${look} ${source} ${type} ${target}`}
            sign={<Sign look={look} />}
            title={
              <>
                <Name of={source} /> {said(type)} <Name of={target} />
              </>
            }
          >
            <span>{look}</span>
          </Row>
        ))}
      </Rows>
    </Section>
  );
}

function nodeOf({ type, target, look }: { type: string; target: string; look: "added" | "removed" }): GraphNode {
  const service = serviceOf(target);
  return { id: `${type} ${target}`, name: nameOf(target), says: said(type), to: service && `/services/${service}`, look };
}

function Sign({ look }: { look: "added" | "removed" }) {
  return (
    <span className={look === "added" ? "tone-good mono" : "tone-bad mono"} role="img" aria-label={look}>
      {look === "added" ? "+" : "−"}
    </span>
  );
}

function Name({ of: ref }: { of: string }) {
  const service = serviceOf(ref);
  if (!service) return `${nameOf(ref)} (${ref.split(":")[0]})`;
  return (
    <Anchor component={Link} to={`/services/${service}`}>
      {service}
    </Anchor>
  );
}

/** `dependsOn` reads as "depends on". */
const said = (type: string): string => type.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
