import { Anchor, Table, Text } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Digest } from "./digest.tsx";
import { Answered, Empty } from "./page.tsx";
import { Status } from "./status.tsx";
import { Time } from "./time.tsx";

export function ReleaseRows({ service, limit }: { service?: string; limit: number }) {
  const releases = useAnswer(["releases", service, limit], () => api.GET("/api/releases", { params: { query: { service, limit } } }));
  return (
    <Answered query={releases}>
      {({ releases: rows }) =>
        rows.length === 0 ? (
          <Empty title="No release yet">A merge into the default branch starts one in each environment in turn.</Empty>
        ) : (
          <Table.ScrollContainer minWidth={480}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Release</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th>Commit</Table.Th>
                  <Table.Th>Artifact</Table.Th>
                  <Table.Th>When</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((release) => (
                  <Table.Tr key={release.id}>
                    <Table.Td>
                      <Anchor component={Link} to={`/releases/${release.id}`}>
                        {service ? release.environment : `${release.service} to ${release.environment}`}
                      </Anchor>
                      <Text size="xs" c="dimmed" maw={420}>
                        {release.because}
                      </Text>
                    </Table.Td>
                    <Table.Td>
                      <Status of={release.state} label={release.state === "rolling_out" ? `rolling out, ${release.percent} %` : undefined} />
                    </Table.Td>
                    <Table.Td>
                      <Digest of={release.commit} length={8} />
                    </Table.Td>
                    <Table.Td>
                      <Digest of={release.artifactDigest} />
                    </Table.Td>
                    <Table.Td>
                      <Time at={release.createdAt} />
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
