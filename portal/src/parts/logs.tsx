import type { Answered as Answer } from "@cairn/api";
import { Group, SegmentedControl, Select, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { api, useAnswer } from "../api.ts";
import { useAddress } from "./address.ts";
import { Equivalents } from "./equivalents.tsx";
import { Answered, Empty } from "./page.tsx";
import { clockOf } from "./time.tsx";

type Line = Answer<"listServiceLogs">[number];
const AT_FIRST = 300;
const AT_MOST = 2000;
const SINCE = { "": "any time", "10m": "10 minutes", "1h": "1 hour", "1d": "1 day" } as const;
const SECONDS: Record<string, number> = { "10m": 600, "1h": 3600, "1d": 86_400 };

interface Filter {
  environment: string;
  revision?: string;
  text?: string;
}

/** What a service prints in one environment: searched, bounded, and live. */
export function Logs({ service }: { service: string }) {
  const address = useAddress();
  const environment = address.get("environment") ?? "production";
  const revision = address.get("revision") ?? "";
  const since = address.get("since") ?? "";
  const isLive = address.get("live") !== "off";
  const [typed, setTyped] = useState(address.get("text") ?? "");
  const [text] = useDebouncedValue(typed, 250);
  const places = useAnswer(["environments", service], () =>
    api.GET("/api/services/{name}/environments", { params: { path: { name: service } } }),
  );
  const names = [...new Set([...(places.data?.map((each) => each.environment) ?? []), environment])];
  const revisions = places.data?.find((place) => place.environment === environment)?.revisions.map(({ id }) => id) ?? [];
  const filter: Filter = { environment, ...(revision && { revision }), ...(text && { text }) };
  const flags = `-e ${environment}${revision ? ` --revision ${revision}` : ""}${since ? ` --since ${since}` : ""}${text ? ` --grep '${text}'` : ""}`;
  return (
    <Stack gap="sm">
      <Group justify="space-between" align="flex-end">
        <Group gap="xs" align="flex-end">
          <SegmentedControl
            size="xs"
            data={names}
            value={environment}
            onChange={(value) => address.set({ environment: value, revision: null })}
            aria-label="Environment"
          />
          <TextInput
            size="xs"
            aria-label="Lines that hold this text"
            placeholder="Find in the lines"
            leftSection={<IconSearch size={14} aria-hidden />}
            value={typed}
            maxLength={1000}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <Select
            size="xs"
            w={150}
            aria-label="Revision"
            placeholder="every revision"
            clearable
            data={[...new Set([...revisions, ...(revision ? [revision] : [])])]}
            value={revision || null}
            onChange={(value) => address.set({ revision: value })}
          />
          <Select
            size="xs"
            w={120}
            aria-label="Since"
            allowDeselect={false}
            data={Object.entries(SINCE).map(([value, label]) => ({ value, label }))}
            value={since in SINCE ? since : ""}
            onChange={(value) => address.set({ since: value })}
          />
        </Group>
        <Group gap="xs">
          <Switch
            size="xs"
            label="Live"
            checked={isLive}
            onChange={(event) => address.set({ live: event.currentTarget.checked ? null : "off" })}
          />
          <Equivalents
            cli={`cairn logs ${service} ${flags}${isLive ? " -f" : ""}`}
            api={`GET /api/services/${service}/logs${isLive ? "/stream" : ""}?${new URLSearchParams({ ...filter })}`}
          />
        </Group>
      </Group>
      {isLive ? (
        <Following key={JSON.stringify([filter, since])} service={service} filter={filter} since={since} />
      ) : (
        <Last service={service} filter={filter} since={since} />
      )}
    </Stack>
  );
}

const after = (since: string): { after?: string } =>
  SECONDS[since] ? { after: new Date(Date.now() - SECONDS[since] * 1000).toISOString() } : {};

/** The last lines, as they were when they were asked for. */
function Last({ service, filter, since }: { service: string; filter: Filter; since: string }) {
  const logs = useAnswer(["logs", service, filter, since], () =>
    api.GET("/api/services/{name}/logs", { params: { path: { name: service }, query: { ...filter, ...after(since), limit: AT_MOST } } }),
  );
  return (
    <Answered query={logs}>
      {(lines) => <Lines service={service} filter={filter} lines={lines} said={`The last ${lines.length} lines`} />}
    </Answered>
  );
}

/** The last lines, then each as it comes. What broke off is taken up where it was. */
function Following({ service, filter, since }: { service: string; filter: Filter; since: string }) {
  const [lines, setLines] = useState<Line[]>();
  const [trouble, setTrouble] = useState("");
  const [isRefused, setRefused] = useState(false);
  const [url] = useState(() => {
    const query = new URLSearchParams(Object.entries({ ...filter, ...after(since), tail: String(AT_FIRST) }));
    return `/api/services/${encodeURIComponent(service)}/logs/stream?${query}`;
  });
  useEffect(() => {
    const source = new EventSource(url);
    source.addEventListener("lines", (event) => {
      const more = JSON.parse((event as MessageEvent<string>).data) as Line[];
      setTrouble("");
      setLines((known) => [...(known ?? []), ...more].slice(-AT_MOST));
    });
    source.addEventListener("trouble", (event) =>
      setTrouble((JSON.parse((event as MessageEvent<string>).data) as { detail: string }).detail),
    );
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) setRefused(true);
      else setTrouble("The connection was lost; it is taken up again.");
    });
    return () => source.close();
  }, [url]);
  // A refusal says why where it is asked for the ordinary way.
  if (isRefused) return <Last service={service} filter={filter} since={since} />;
  if (lines === undefined) return <div style={{ minHeight: 160 }} aria-busy="true" />;
  return <Lines service={service} filter={filter} lines={lines} said={trouble || "Live: new lines appear by themselves"} />;
}

function Lines({ service, filter, lines, said }: { service: string; filter: Filter; lines: readonly Line[]; said: string }) {
  const box = useRef<HTMLPreElement>(null);
  const [isAtEnd, setAtEnd] = useState(true);
  useEffect(() => {
    if (isAtEnd && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, isAtEnd]);
  if (lines.length === 0)
    return filter.text || filter.revision ? (
      <Empty title="No line is like that">
        Nothing that is kept of {filter.environment} holds it. Search is letter by letter; try fewer of them.
      </Empty>
    ) : (
      <Empty title="No lines yet">
        What the service prints in {filter.environment} appears here: print to standard output, best as JSON lines. Kept are the last 16 to
        32 MiB of each stream, and the logs of the last ten revisions that are gone.
      </Empty>
    );
  return (
    <div>
      <Text size="xs" c="dimmed" mb={4} role="status">
        {said}
      </Text>
      <pre
        ref={box}
        className="log panel"
        tabIndex={0}
        role="region"
        aria-label={`Logs of ${service} in ${filter.environment}`}
        onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => setAtEnd(scrollTop + clientHeight > scrollHeight - 24)}
      >
        {lines
          .map((line) => `${clockOf(line.at, "second")}${line.at.slice(19, 23)}  ${line.revision.slice(0, 6)}  ${line.line}`)
          .join("\n")}
      </pre>
    </div>
  );
}
