import { Alert, Anchor, Group, Paper, Stack, Text } from "@mantine/core";
import { Link, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Answered, Page } from "../parts/page.tsx";
import { Steps } from "../parts/steps.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

/** How it goes: the steps of one workflow, live, and where it led. */
export default function RunPage() {
  const id = useParams()["*"] ?? "";
  const run = useAnswer(["runs", id], () => api.GET("/api/runs/{id}", { params: { path: { id } } }), { refetchInterval: 2000 });
  const service = run.data?.about.startsWith("component:default/") ? run.data.about.slice("component:default/".length) : undefined;
  return (
    <Answered query={run}>
      {(data) => (
        <Page title={data.name.replaceAll("-", " ")} path={service ? [{ name: "Services", to: "/services" }, { name: service, to: `/services/${service}` }] : []} aside={<Status of={data.state} />}>
          <Text size="sm" c="dimmed">
            Started <Time at={data.createdAt} /> by {data.startedBy}
          </Text>
          {data.error && (
            <Alert color="red" variant="outline" title={data.error.message} role="alert">
              {data.error.next}
            </Alert>
          )}
          <Paper withBorder p="md">
            <Steps steps={data.steps} />
          </Paper>
          {data.state === "success" && service && <WhatNext service={service} output={data.output} />}
        </Page>
      )}
    </Answered>
  );
}

function WhatNext({ service, output }: { service: string; output: unknown }) {
  const made = output as { change?: number } | null;
  return (
    <Stack gap="xs">
      <Text fw={600}>What next?</Text>
      <Group>
        {made?.change !== undefined && (
          <Anchor component={Link} to={`/changes/${service}/${made.change}`}>
            Look at the first change request and merge it
          </Anchor>
        )}
        <Anchor component={Link} to={`/services/${service}`}>
          Open the service
        </Anchor>
      </Group>
    </Stack>
  );
}
