import { Button, Group, Table, TextInput } from "@mantine/core";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Answered, Empty, Page } from "../parts/page.tsx";
import { Time } from "../parts/time.tsx";

/** Who did what? The ledger, newest first. */
export default function Audit() {
  const [search, setSearch] = useSearchParams();
  const [about, setAbout] = useState(search.get("about") ?? "");
  const query = { about: search.get("about") || undefined, before: Number(search.get("before")) || undefined, limit: 100 };
  const ledger = useAnswer(["ledger", query], () => api.GET("/api/ledger", { params: { query } }));
  return (
    <Page title="Audit">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setSearch(about ? { about } : {});
        }}
      >
        <Group align="flex-end">
          <TextInput label="About" placeholder="component:default/orders" value={about} onChange={(event) => setAbout(event.currentTarget.value)} w={300} />
          <Button type="submit" variant="default">
            Filter
          </Button>
        </Group>
      </form>
      <Answered query={ledger}>
        {({ events }) =>
          events.length === 0 ? (
            <Empty title="Nothing is recorded here">Every change leaves a line: who, what, about what.</Empty>
          ) : (
            <>
              <Table.ScrollContainer minWidth={560}>
                <Table>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th className="number">Line</Table.Th>
                      <Table.Th>What</Table.Th>
                      <Table.Th>About</Table.Th>
                      <Table.Th>By</Table.Th>
                      <Table.Th>When</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {events.map((event) => (
                      <Table.Tr key={event.seq}>
                        <Table.Td className="number">{event.seq}</Table.Td>
                        <Table.Td>{event.type}</Table.Td>
                        <Table.Td className="mono">{event.about}</Table.Td>
                        <Table.Td className="mono">{event.actor}</Table.Td>
                        <Table.Td>
                          <Time at={event.at} />
                        </Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
              {events.length === 100 && (
                <Button variant="default" size="xs" style={{ alignSelf: "flex-start" }} onClick={() => setSearch({ ...(about && { about }), before: String(events.at(-1)?.seq) })}>
                  Older
                </Button>
              )}
            </>
          )
        }
      </Answered>
    </Page>
  );
}
