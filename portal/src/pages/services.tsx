import { answer, type Answered as Answer } from "@cairn/api";
import { Anchor, Button, Group, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { nameOf } from "../parts/names.ts";
import { Empty, Page, Waiting } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Time } from "../parts/time.tsx";

const LIFECYCLES = ["experimental", "development", "production", "deprecated"] as const;
const TIERS = ["tier-1", "tier-2", "tier-3"] as const;
type Service = Answer<"listServiceViews">["items"][number];
const LINE = 58;

/** What do we run? Filters stand in the address, so that a view can be sent to somebody. */
export default function Services() {
  const [search, setSearch] = useSearchParams();
  const [text, setText] = useState(search.get("text") ?? "");
  const groups = useAnswer(["groups"], () => api.GET("/api/catalog/groups"));
  const tier = TIERS.find((each) => each === search.get("tier"));
  const lifecycle = LIFECYCLES.find((each) => each === search.get("lifecycle"));
  const [team, named] = [search.get("team"), search.get("text")];
  const query = {
    limit: 100,
    ...(team && { team }),
    ...(named && { text: named }),
    ...(tier && { tier }),
    ...(lifecycle && { lifecycle }),
  };
  const services = useInfiniteQuery({
    queryKey: ["services", query],
    queryFn: ({ pageParam }) =>
      answer(api.GET("/api/catalog/service-views", { params: { query: { ...query, ...(pageParam && { cursor: pageParam }) } } })),
    initialPageParam: "",
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
  });
  const set = (name: string, value: string | null) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  const setLater = useDebouncedCallback((value: string) => set("text", value), 200);
  const rows = services.data?.pages.flatMap((page) => page.items) ?? [];
  const total = services.data?.pages[0]?.total ?? 0;
  return (
    <Page title="Services" aside={services.data && <Text c="dimmed">{total}</Text>}>
      <Group gap="xs">
        <TextInput
          aria-label="Search services"
          placeholder="Name or description"
          leftSection={<IconSearch size={14} aria-hidden />}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setLater(event.currentTarget.value);
          }}
          style={{ flex: "1 1 200px" }}
        />
        <Select
          aria-label="Team"
          placeholder="Any team"
          data={groups.data?.map((group) => group.name) ?? []}
          value={team}
          onChange={(value) => set("team", value)}
          clearable
          searchable
          w={190}
        />
        <Select
          aria-label="Lifecycle"
          placeholder="Any lifecycle"
          data={LIFECYCLES}
          value={lifecycle ?? null}
          onChange={(value) => set("lifecycle", value)}
          clearable
          w={150}
        />
        <Select
          aria-label="Tier"
          placeholder="Any tier"
          data={TIERS}
          value={tier ?? null}
          onChange={(value) => set("tier", value)}
          clearable
          w={120}
        />
      </Group>
      {services.error ? (
        <ProblemNote error={services.error} retry={() => void services.refetch()} />
      ) : services.isPending ? (
        <Waiting />
      ) : rows.length > 0 ? (
        <Lines rows={rows} more={services.hasNextPage && !services.isFetching ? () => void services.fetchNextPage() : undefined} />
      ) : search.size > 0 ? (
        <Empty title="No service matches">
          Another name, or{" "}
          <Anchor
            component="button"
            underline="always"
            onClick={() => {
              setText("");
              setSearch({});
            }}
          >
            every service
          </Anchor>
          .
        </Empty>
      ) : (
        <Empty title="No service yet">
          <Button component={Link} to="/create" mt="xs">
            Create the first one
          </Button>
        </Empty>
      )}
    </Page>
  );
}

/** Ten thousand lines cost what twenty do: only those in sight are there. */
function Lines({ rows, more }: { rows: readonly Service[]; more: (() => void) | undefined }) {
  const place = useRef<HTMLDivElement>(null);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => LINE,
    overscan: 12,
    scrollMargin: place.current?.offsetTop ?? 0,
  });
  const lines = virtual.getVirtualItems();
  const last = lines.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= rows.length - 20) more();
  }, [more, last, rows.length]);
  return (
    <div className="panel" role="table" aria-label="Services" aria-rowcount={rows.length}>
      <div className="service-line service-head" role="row">
        <span role="columnheader">Service</span>
        <span role="columnheader">Owner</span>
        {["Tier", "Lifecycle", "Since"].map((title) => (
          <span key={title} role="columnheader" className="extra">
            {title}
          </span>
        ))}
      </div>
      <div ref={place} role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {lines.map((line) => {
          const service = rows[line.index];
          if (!service) return null;
          return (
            <div
              key={service.name}
              role="row"
              className="service-line"
              aria-rowindex={line.index + 1}
              style={{
                position: "absolute",
                insetInline: 0,
                height: LINE,
                transform: `translateY(${line.start - virtual.options.scrollMargin}px)`,
                borderTop: line.index > 0 ? "1px solid var(--mantine-color-default-border)" : undefined,
              }}
            >
              <div role="cell">
                <Anchor component={Link} to={`/services/${service.name}`} fw={500} size="sm" c="inherit">
                  {service.name}
                </Anchor>
                <Text size="xs" c="dimmed" truncate>
                  {service.description}
                </Text>
              </div>
              <span role="cell">
                {nameOf(service.owner)}
                {!service.ownerExists && <span className="tone-warn"> (no such team)</span>}
              </span>
              <span role="cell" className="extra">
                {service.tier}
              </span>
              <span role="cell" className="extra">
                {service.lifecycle}
              </span>
              <span role="cell" className="extra">
                <Time at={service.createdAt} />
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
