import { Anchor, Table, Text } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Answered, Empty } from "./page.tsx";
import { Status } from "./status.tsx";
import { Time } from "./time.tsx";

export function ChangeRows({ repository, state }: { repository?: string; state?: "open" | "merged" | "closed" }) {
  const changes = useAnswer(["changes", repository, state], () => api.GET("/api/changes", { params: { query: { repository, state } } }));
  return (
    <Answered query={changes}>
      {({ changes: rows }) =>
        rows.length === 0 ? (
          <Empty title="No change request here">
            Push a branch and open one: <code>cairn changes open REPOSITORY BRANCH</code>
          </Empty>
        ) : (
          <Table.ScrollContainer minWidth={360}>
            <Table>
              <Table.Tbody>
                {rows.map((change) => (
                  <Table.Tr key={`${change.repository}/${change.number}`}>
                    <Table.Td>
                      <Status of={change.state} />
                    </Table.Td>
                    <Table.Td>
                      <Anchor component={Link} to={`/changes/${change.repository}/${change.number}`}>
                        {repository ? "" : `${change.repository} `}#{change.number} {change.title}
                      </Anchor>
                      <Text size="xs" c="dimmed">
                        {change.author} from {change.branch}
                      </Text>
                    </Table.Td>
                    <Table.Td>
                      <Time at={change.createdAt} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )
      }
    </Answered>
  );
}
