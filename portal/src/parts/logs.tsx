import { Group, Paper, Select, Stack } from "@mantine/core";
import { useState } from "react";
import { api, useAnswer } from "../api.ts";
import { Answered, Empty } from "./page.tsx";

/** The last lines of a service in one environment, as they come. */
export function Logs({ service }: { service: string }) {
  const [environment, setEnvironment] = useState("production");
  const logs = useAnswer(["logs", service, environment], () => api.GET("/api/services/{name}/logs", { params: { path: { name: service }, query: { environment, limit: 300 } } }), { refetchInterval: 2000 });
  return (
    <Stack>
      <Group>
        <Select label="Environment" data={["dev", "staging", "production"]} value={environment} onChange={(value) => setEnvironment(value ?? "production")} allowDeselect={false} />
      </Group>
      <Answered query={logs}>
        {({ lines }) =>
          lines.length === 0 ? (
            <Empty title="No lines yet">What the service prints in {environment} appears here.</Empty>
          ) : (
            <Paper withBorder>
              <pre className="log" tabIndex={0} aria-label={`Logs of ${service} in ${environment}`}>
                {lines.map((line) => `${line.at.slice(11, 23)} ${line.revision} ${line.line}`).join("\n")}
              </pre>
            </Paper>
          )
        }
      </Answered>
    </Stack>
  );
}
