import { Anchor, Button, Code, Group, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { Empty, Page, Waiting } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { ServiceLines, servicePage } from "../parts/service-lines.tsx";

const LIFECYCLES = ["experimental", "development", "production", "deprecated"] as const;
const TIERS = ["tier-1", "tier-2", "tier-3"] as const;
/** What golden paths and imports write; another one stands in the address. */
const LANGUAGES = ["nodejs", "python", "go", "java", "rust"];

/** What do we run? Filters stand in the address, so that a view can be sent to somebody. */
export default function Services() {
  const [search, setSearch] = useSearchParams();
  const [text, setText] = useState(search.get("text") ?? "");
  const groups = useAnswer(["groups"], () => api.GET("/api/catalog/groups"));
  const tier = TIERS.find((each) => each === search.get("tier"));
  const lifecycle = LIFECYCLES.find((each) => each === search.get("lifecycle"));
  const [team, named, language] = [search.get("team"), search.get("text"), search.get("language")];
  const query = {
    ...(team && { team }),
    ...(named && { text: named }),
    ...(tier && { tier }),
    ...(lifecycle && { lifecycle }),
    ...(language && { language }),
  };
  const services = useQuery(servicePage(query, 0));
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
  const setLater = useDebouncedCallback((value: string) => set("text", value), 150);
  const total = services.data?.total ?? 0;
  const flags = Object.entries(query).map(([name, value]) => ` --${name === "text" ? "search" : name} ${value}`);
  return (
    <Page
      title="Services"
      aside={services.data && <Text c="dimmed">{total.toLocaleString("en")}</Text>}
      actions={
        <Equivalents
          cli={`cairn services list${flags.join("")}`}
          api={`GET /api/catalog/service-views?${new URLSearchParams({ ...query, limit: "100" })}`}
        />
      }
    >
      <Group gap="xs" className="filters">
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
          limit={100}
          w={180}
        />
        <Filter label="Lifecycle" data={LIFECYCLES} value={lifecycle} onChange={(value) => set("lifecycle", value)} width={150} />
        <Filter label="Tier" data={TIERS} value={tier} onChange={(value) => set("tier", value)} width={112} />
        <Filter
          label="Language"
          data={[...new Set([...LANGUAGES, ...(language ? [language] : [])])]}
          value={language}
          onChange={(value) => set("language", value)}
          width={140}
        />
      </Group>
      {services.error ? (
        <ProblemNote error={services.error} retry={() => void services.refetch()} />
      ) : services.isPending ? (
        <Waiting />
      ) : total > 0 ? (
        <ServiceLines query={query} total={total} />
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
          Create one from a golden path, or bring a repository that is there already: <Code>cairn import URL</Code>
          <div>
            <Button component={Link} to="/create" mt="sm">
              Create the first one
            </Button>
          </div>
        </Empty>
      )}
    </Page>
  );
}

function Filter(props: {
  label: string;
  data: readonly string[];
  value: string | null | undefined;
  onChange: (value: string | null) => void;
  width: number;
}) {
  return (
    <Select
      aria-label={props.label}
      placeholder={`Any ${props.label.toLowerCase()}`}
      data={props.data}
      value={props.value ?? null}
      onChange={props.onChange}
      clearable
      w={props.width}
    />
  );
}
