import { Anchor, Button, Group, Select, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Answered, Empty, Page } from "../parts/page.tsx";
import { Time } from "../parts/time.tsx";

const LIFECYCLES = ["experimental", "development", "production", "deprecated"];
const TIERS = ["tier-1", "tier-2", "tier-3"];

/** What do we run? Filters stand in the address, so that a view can be sent to somebody. */
export default function Services() {
  const [search, setSearch] = useSearchParams();
  const [text, setText] = useState(search.get("text") ?? "");
  const [settled] = useDebouncedValue(text, 200);
  const groups = useAnswer(["groups"], () => api.GET("/api/catalog/groups"));
  const filter = (name: string) => search.get(name) ?? undefined;
  const query = { text: settled || undefined, team: filter("team"), tier: filter("tier"), lifecycle: filter("lifecycle"), cursor: filter("cursor"), limit: 50 } as const;
  const services = useAnswer(["services", query], () => api.GET("/api/catalog/service-views", { params: { query: query as never } }));
  const set = (name: string) => (value: string | null) =>
    setSearch((before) => {
      const next = new URLSearchParams(before);
      next.delete("cursor");
      if (value) next.set(name, value);
      else next.delete(name);
      return next;
    });
  return (
    <Page
      title="Services"
      actions={
        <Button component={Link} to="/create">
          Create
        </Button>
      }
    >
      <Group gap="xs">
        <TextInput aria-label="Search services" placeholder="Name or description" leftSection={<IconSearch size={14} aria-hidden />} value={text} onChange={(event) => setText(event.currentTarget.value)} />
        <Select aria-label="Team" placeholder="Any team" data={groups.data?.groups.map((group) => group.name) ?? []} value={filter("team") ?? null} onChange={set("team")} clearable searchable w={170} />
        <Select aria-label="Lifecycle" placeholder="Any lifecycle" data={LIFECYCLES} value={filter("lifecycle") ?? null} onChange={set("lifecycle")} clearable w={150} />
        <Select aria-label="Tier" placeholder="Any tier" data={TIERS} value={filter("tier") ?? null} onChange={set("tier")} clearable w={120} />
      </Group>
      <Answered query={services}>
        {({ services: rows, nextCursor }) =>
          rows.length === 0 ? (
            <Empty title="No service matches">
              {search.size > 0 || text ? "Remove a filter, or search for another name." : <Anchor component={Link} to="/create" underline="always">Create the first one</Anchor>}
            </Empty>
          ) : (
            <>
              <Table.ScrollContainer minWidth={520}>
                <Table highlightOnHover>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>Service</Table.Th>
                      <Table.Th>Owner</Table.Th>
                      <Table.Th>Tier</Table.Th>
                      <Table.Th>Lifecycle</Table.Th>
                      <Table.Th>Since</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {rows.map((service) => (
                      <Table.Tr key={service.name}>
                        <Table.Td>
                          <Anchor component={Link} to={`/services/${service.name}`} fw={500}>
                            {service.name}
                          </Anchor>
                          <Text size="xs" c="dimmed">
                            {service.description}
                          </Text>
                        </Table.Td>
                        <Table.Td>
                          {service.owner}
                          {!service.ownerExists && (
                            <Text size="xs" c="orange.9">
                              unowned: no such team
                            </Text>
                          )}
                        </Table.Td>
                        <Table.Td>{service.tier}</Table.Td>
                        <Table.Td>{service.lifecycle}</Table.Td>
                        <Table.Td>
                          <Time at={service.createdAt} />
                        </Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
              <Group>
                {filter("cursor") && (
                  <Button variant="default" size="xs" onClick={() => set("cursor")(null)}>
                    First page
                  </Button>
                )}
                {nextCursor && (
                  <Button variant="default" size="xs" onClick={() => set("cursor")(nextCursor)}>
                    Next page
                  </Button>
                )}
              </Group>
            </>
          )
        }
      </Answered>
    </Page>
  );
}
