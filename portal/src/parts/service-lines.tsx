import { answer, type Answered as Answer } from "@cairn/api";
import { Anchor, Text } from "@mantine/core";
import { keepPreviousData, useQueries } from "@tanstack/react-query";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { Link } from "react-router";
import { api } from "../api.ts";
import { nameOf } from "./names.ts";
import { Status } from "./status.tsx";
import { Time } from "./time.tsx";

type Service = Answer<"listServiceViews">["items"][number];
type State = Answer<"listServiceStates">["states"][number];

interface ServiceQuery {
  team?: string;
  tier?: Service["tier"];
  lifecycle?: Service["lifecycle"];
  language?: string;
  text?: string;
}

const LINE = 58;
const PAGE = 100;
/** So many services' states are asked for at once: what one sees. */
const GROUP = 25;

/** One page of a list that may be long; the first tells how many there are in all. */
export const servicePage = (query: ServiceQuery, page: number) => ({
  queryKey: ["services", query, page],
  queryFn: () => answer(api.GET("/api/catalog/service-views", { params: { query: { ...query, limit: PAGE, offset: page * PAGE } } })),
  placeholderData: keepPreviousData,
});

const statesOf = (names: readonly string[]) => ({
  queryKey: ["service-states", ...names],
  queryFn: () => answer(api.GET("/api/service-states", { params: { query: { names: names.join(",") } } })),
  refetchInterval: 30_000,
  staleTime: 30_000,
});

/** States of a few services by name, as far as they are known. */
export function useStates(groups: readonly (readonly string[])[], enabled = true): ReadonlyMap<string, State> {
  return useQueries({
    queries: groups.filter((names) => names.length > 0).map((names) => ({ ...statesOf(names), enabled })),
    combine: (answers) => new Map(answers.flatMap(({ data }) => data?.states.map((state) => [state.service, state] as const) ?? [])),
  });
}

/** Ten thousand lines cost what twenty do: only those in sight are there, and only they are asked for. */
export function ServiceLines({ query, total }: { query: ServiceQuery; total: number }) {
  const place = useRef<HTMLDivElement>(null);
  const virtual = useWindowVirtualizer({
    count: total,
    estimateSize: () => LINE,
    overscan: 8,
    scrollMargin: place.current?.offsetTop ?? 0,
  });
  const lines = virtual.getVirtualItems();
  const [first, last] = [lines[0]?.index ?? 0, lines.at(-1)?.index ?? 0];
  const rows = useQueries({
    queries: numbers(Math.floor(first / PAGE), Math.floor(last / PAGE)).map((page) => servicePage(query, page)),
    combine: (pages) => (index: number) => pages[Math.floor(index / PAGE) - Math.floor(first / PAGE)]?.data?.items[index % PAGE],
  });
  const groups = numbers(Math.floor(first / GROUP), Math.floor(last / GROUP)).map((group) =>
    numbers(group * GROUP, Math.min(total, (group + 1) * GROUP) - 1).flatMap((index) => rows(index)?.name ?? []),
  );
  const states = useStates(groups, !virtual.isScrolling);
  return (
    <div className="panel" role="table" aria-label="Services" aria-rowcount={total + 1}>
      <div className="service-line service-head" role="row" aria-rowindex={1}>
        <span role="columnheader">Service</span>
        <span role="columnheader">Owner</span>
        {["Tier", "Lifecycle", "In production"].map((title) => (
          <span key={title} role="columnheader" className="extra">
            {title}
          </span>
        ))}
        <span role="columnheader">Health</span>
        <span role="columnheader" className="extra number">
          Score
        </span>
      </div>
      <div ref={place} role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {lines.map(({ index, start }) => (
          <div
            key={index}
            role="row"
            className="service-line service-row"
            aria-rowindex={index + 2}
            style={{ height: LINE, transform: `translateY(${start - virtual.options.scrollMargin}px)` }}
          >
            <Line service={rows(index)} state={states.get(rows(index)?.name ?? "")} />
          </div>
        ))}
      </div>
    </div>
  );
}

function Line({ service, state }: { service: Service | undefined; state: State | undefined }) {
  if (!service) return <span role="cell" className="service-soon" aria-label="Loading" />;
  return (
    <>
      <div role="cell">
        <Anchor component={Link} to={`/services/${service.name}`} fw={500} size="sm" c="inherit">
          {service.name}
        </Anchor>
        <Text size="xs" c="dimmed" truncate>
          {service.description}
        </Text>
      </div>
      <span role="cell" className="service-owner">
        {service.ownerExists ? (
          nameOf(service.owner)
        ) : (
          <span className="tone-warn" title={`No team is called ${nameOf(service.owner)}`}>
            {nameOf(service.owner)} (no such team)
          </span>
        )}
      </span>
      <span role="cell" className="extra">
        {service.tier}
      </span>
      <span role="cell" className="extra">
        {service.lifecycle}
      </span>
      <span role="cell" className="extra">
        {state?.runs ? (
          <>
            <span className="mono">{state.runs.commit.slice(0, 8)}</span>
            <Text size="xs" c="dimmed" component="div">
              <Time at={state.runs.since} />
            </Text>
          </>
        ) : (
          state && <Text c="dimmed">not yet</Text>
        )}
      </span>
      <span role="cell">{state && <Health state={state} />}</span>
      <span role="cell" className="extra number">
        {state?.score && (
          <Anchor
            component={Link}
            to={`/services/${service.name}/score`}
            size="sm"
            c="inherit"
            title={`${state.score.met} of ${state.score.required} points are met, ${state.score.unknown} unknown`}
          >
            {state.score.met}/{state.score.required}
          </Anchor>
        )}
      </span>
    </>
  );
}

/** How a service is in production, and why one says so. */
export function Health({ state: { health, because } }: { state: State }) {
  return (
    <span title={because}>
      <Status of={health} />
    </span>
  );
}

/** Whole numbers from one to another, both included. */
const numbers = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_none, at) => from + at);
