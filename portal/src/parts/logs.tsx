import { Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useSearchParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Answered, Empty } from "./page.tsx";

/** The last lines of a service in one environment, as they come. */
export function Logs({ service }: { service: string }) {
  const [search, setSearch] = useSearchParams();
  const places = useAnswer(["environments", service], () =>
    api.GET("/api/services/{name}/environments", { params: { path: { name: service } } }),
  );
  const environment = search.get("environment") ?? "production";
  const logs = useAnswer(
    ["logs", service, environment],
    () => api.GET("/api/services/{name}/logs", { params: { path: { name: service }, query: { environment, limit: 300 } } }),
    { refetchInterval: 2000 },
  );
  const names = [...new Set([...(places.data?.map((each) => each.environment) ?? []), environment])];
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <SegmentedControl
          size="xs"
          data={names}
          value={environment}
          onChange={(value) => setSearch({ environment: value }, { replace: true })}
          aria-label="Environment"
        />
        <Text size="xs" c="dimmed">
          The last 300 lines, as they come
        </Text>
      </Group>
      <Answered query={logs}>
        {(lines) =>
          lines.length === 0 ? (
            <Empty title="No lines yet">What the service prints in {environment} appears here.</Empty>
          ) : (
            <pre className="log panel" tabIndex={0} role="region" aria-label={`Logs of ${service} in ${environment}`}>
              {lines.map((line) => `${line.at.slice(11, 23)}  ${line.revision.slice(0, 6)}  ${line.line}`).join("\n")}
            </pre>
          )
        }
      </Answered>
    </Stack>
  );
}
