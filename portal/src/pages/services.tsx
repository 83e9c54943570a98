import { Anchor, Button, Code, Group, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { useAddress } from "../parts/address.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { TeamField } from "../parts/filters.tsx";
import { Empty, Page, Waiting } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { ServiceLines, servicePage } from "../parts/service-lines.tsx";

const LIFECYCLES = ["experimental", "development", "production", "deprecated"] as const;
const TIERS = ["tier-1", "tier-2", "tier-3"] as const;
/** What golden paths and imports write; another one stands in the address. */
const LANGUAGES = ["nodejs", "python", "go", "java", "rust"];

/** What do we run? Filters stand in the address, so that a view can be sent to somebody. */
export default function Services() {
  const address = useAddress();
  const [text, setText] = useState(address.get("text") ?? "");
  const tier = TIERS.find((each) => each === address.get("tier"));
  const lifecycle = LIFECYCLES.find((each) => each === address.get("lifecycle"));
  const [team, named, language] = [address.get("team"), address.get("text"), address.get("language")];
  const query = {
    ...(team && { team }),
    ...(named && { text: named }),
    ...(tier && { tier }),
    ...(lifecycle && { lifecycle }),
    ...(language && { language }),
  };
  const services = useQuery(servicePage(query, 0));
  const setLater = useDebouncedCallback((value: string) => address.set({ text: value }), 150);
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
        <TeamField address={address} size="sm" />
        <Filter label="Lifecycle" data={LIFECYCLES} value={lifecycle} onChange={(value) => address.set({ lifecycle: value })} width={150} />
        <Filter label="Tier" data={TIERS} value={tier} onChange={(value) => address.set({ tier: value })} width={112} />
        <Filter
          label="Language"
          data={[...new Set([...LANGUAGES, ...(language ? [language] : [])])]}
          value={language}
          onChange={(value) => address.set({ language: value })}
          width={156}
        />
      </Group>
      {services.error ? (
        <ProblemNote error={services.error} retry={() => void services.refetch()} />
      ) : services.isPending ? (
        <Waiting />
      ) : total > 0 ? (
        <ServiceLines query={query} total={total} />
      ) : !address.isBare ? (
        <Empty title="No service matches">
          Another name, or{" "}
          <Anchor
            component="button"
            underline="always"
            onClick={() => {
              setText("");
              address.clear();
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
