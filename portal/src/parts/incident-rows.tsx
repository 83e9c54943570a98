import type { Answered as Answer } from "@cairn/api";
import { Anchor } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { nameOf, sentence } from "./names.ts";
import { Answered, Empty } from "./page.tsx";
import { Row, Rows } from "./rows.tsx";
import { Status } from "./status.tsx";
import { Time } from "./time.tsx";

type Incident = Answer<"listIncidents">["incidents"][number];
export type IncidentFilter = {
  service?: string;
  team?: string;
  state?: "active" | "open" | "acknowledged" | "resolved";
  before?: string;
  limit?: number;
};

export const useIncidents = (filter: IncidentFilter) =>
  useAnswer(["incidents", filter], () => api.GET("/api/incidents", { params: { query: filter } }), { refetchInterval: 15_000, keep: true });

/** Incidents, newest first; what stands where there is none says how one comes about. */
export function IncidentRows({ filter, none }: { filter: IncidentFilter; none: string }) {
  const incidents = useIncidents(filter);
  return (
    <Answered query={incidents}>
      {({ incidents: rows }) =>
        rows.length === 0 ? (
          <Empty title={none}>
            An alert that fires opens one by itself, and tells whoever is on call. A person can report one too: with the button, or{" "}
            <code>cairn incidents open {filter.service ?? "SERVICE"}</code>.
          </Empty>
        ) : (
          <Rows label="Incidents">
            {rows.map((incident) => (
              <IncidentRow key={incident.id} incident={incident} withService={filter.service === undefined} />
            ))}
          </Rows>
        )
      }
    </Answered>
  );
}

/** How an incident stands, in a word. */
export const incidentStatus = (state: Incident["state"]): string => (state === "open" ? "incident" : state);

export function IncidentRow({
  incident: { id, title, service, environment, severity, state, because, openedAt, owner, acknowledged, resolved },
  withService,
  children,
}: {
  incident: Incident;
  withService: boolean;
  children?: React.ReactNode;
}) {
  return (
    <Row
      sign={<Status of={incidentStatus(state)} bare />}
      title={
        <Anchor component={Link} to={`/incidents/${id}`}>
          {title}
        </Anchor>
      }
      below={sentence(resolved ? `ended: ${resolved.because}` : because)}
    >
      <span>{severity}</span>
      {withService && service && (
        <span>
          {service}
          {environment && ` in ${environment}`}
        </span>
      )}
      <span>
        {resolved
          ? "resolved"
          : acknowledged
            ? `${nameOf(acknowledged.by)} has it`
            : owner
              ? `${nameOf(owner)}: nobody has it`
              : "nobody answers for it"}
      </span>
      <Time at={openedAt} />
      {children}
    </Row>
  );
}
