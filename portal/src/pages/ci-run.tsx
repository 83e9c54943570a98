import { Paper, Table, Text } from "@mantine/core";
import { useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Digest } from "../parts/digest.tsx";
import { Answered, Page, Section } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";

export default function CiRunPage() {
  const { id = "" } = useParams();
  const run = useAnswer(["ci-runs", id], () => api.GET("/api/ci-runs/{id}", { params: { path: { id } } }), { refetchInterval: 2000 });
  const log = useAnswer(["ci-log", id], () => api.GET("/api/ci-runs/{id}/log", { params: { path: { id }, query: { from: 0 } } }), { refetchInterval: 2000 });
  return (
    <Answered query={run}>
      {(data) => (
        <Page title={`CI of ${data.repository}`} path={[{ name: data.repository, to: `/services/${data.repository}` }]} aside={<Status of={data.state} />}>
          <Text size="sm">
            Commit <Digest of={data.commit} length={8} />
            {data.artifact && (
              <>
                , artifact <Digest of={data.artifact.digest} />
              </>
            )}
            {data.tests && `, ${data.tests.total - data.tests.failed - data.tests.skipped} of ${data.tests.total} tests passed`}
          </Text>
          {data.because && <Text role="alert">{data.because}</Text>}
          <Section title="Stages">
            <Table>
              <Table.Tbody>
                {data.stages.map((stage) => (
                  <Table.Tr key={stage.name}>
                    <Table.Td>
                      <Status of={stage.state} />
                    </Table.Td>
                    <Table.Td>{stage.name}</Table.Td>
                    <Table.Td className="mono">{stage.command}</Table.Td>
                    <Table.Td className="number">{stage.seconds === null ? "" : `${stage.seconds.toFixed(1)} s`}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Section>
          <Section title="Log">
            <Paper withBorder>
              <pre className="log" tabIndex={0} aria-label="Log">
                {log.data?.text ?? ""}
              </pre>
            </Paper>
          </Section>
        </Page>
      )}
    </Answered>
  );
}
