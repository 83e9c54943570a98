import type { Answered as Answer } from "@cairn/api";
import { Anchor, Button, Group, Text } from "@mantine/core";
import { IconExternalLink } from "@tabler/icons-react";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { plain, runPath, sentence } from "./names.ts";
import { Answered, Section } from "./page.tsx";
import { Status } from "./status.tsx";

type Run = Answer<"getRun">;
type Step = Run["steps"][number];
interface Stage {
  name: string;
  steps: Step[];
}

/** Asked for by the page too, where the delivery stands high on it. */
export const useDeliveries = (service: string) => {
  const query = { about: `component:default/${service}`, limit: 100 };
  return useAnswer(["runs", "about", service], () => api.GET("/api/runs", { params: { query } }), { refetchInterval: 5000 });
};

/** The way of one merged commit: build, then each environment, to the address that serves it. */
export function Delivery({ service, commit }: { service: string; commit: string }) {
  const runs = useDeliveries(service);
  const id = runs.data?.runs.find(
    (run) => run.parent === null && run.workflow === "deliver commit" && run.id.includes(commit.slice(0, 12)),
  )?.id;
  return <Section title="Delivery">{id ? <Track id={id} service={service} /> : <Text c="dimmed">It begins in a moment.</Text>}</Section>;
}

function Track({ id, service }: { id: string; service: string }) {
  const run = useAnswer(["runs", id], () => api.GET("/api/runs/{id}", { params: { path: { id } } }), { refetchInterval: 3000 });
  const environments = useAnswer(["environments", service], () =>
    api.GET("/api/services/{name}/environments", { params: { path: { name: service } } }),
  );
  return (
    <div className="track-place">
      <Answered query={run} with={[environments]}>
        {(data) => (
          <div className="panel" data-delivery={data.state}>
            <ol className="track" aria-live="polite">
              {stages(data.steps).map((stage) => {
                const url = environments.data?.find(
                  (each) => each.environment === stage.name && each.revisions.some((revision) => revision.weightPercent > 0),
                )?.url;
                const state = stateOf(stage.steps);
                return (
                  <li key={stage.name} data-stage={stage.name}>
                    <Status of={state} label={sentence(stage.name)} />
                    <Text size="xs" c="dimmed" className="anywhere">
                      {said(stage.steps, state)}
                    </Text>
                    {url && state === "success" && (
                      <Anchor href={url} target="_blank" rel="noreferrer" size="xs">
                        {url.replace("http://", "")}
                      </Anchor>
                    )}
                  </li>
                );
              })}
            </ol>
            <Group
              justify="space-between"
              className="panel-head"
              style={{ borderBottom: 0, borderTop: "1px solid var(--mantine-color-default-border)" }}
            >
              <Text role="status">
                {data.error
                  ? plain(`${data.error.message} ${data.error.next}`)
                  : data.state === "success"
                    ? "It is in production."
                    : `Now: ${data.currentStep ?? "waiting for its turn"}`}
              </Text>
              <Group gap="xs">
                <Button component={Link} to={runPath(id)} variant="default" size="xs">
                  Every step
                </Button>
                {data.state === "success" && environments.data?.at(-1) && (
                  <Button
                    component="a"
                    href={environments.data.at(-1)?.url}
                    target="_blank"
                    rel="noreferrer"
                    size="xs"
                    rightSection={<IconExternalLink size={14} aria-hidden />}
                  >
                    Open the service
                  </Button>
                )}
              </Group>
            </Group>
          </div>
        )}
      </Answered>
    </div>
  );
}

/** Steps name their environment last; what comes before the first environment is the build. */
function stages(steps: readonly Step[]): Stage[] {
  const found: Stage[] = [{ name: "build", steps: [] }];
  for (const step of steps) {
    const name = /^(?:plan|infrastructure for|begin|roll out to|note) (\S+)$/.exec(step.name)?.[1];
    if (name && name !== found.at(-1)?.name) found.push({ name, steps: [] });
    found.at(-1)?.steps.push(step);
  }
  return found;
}

function stateOf(steps: readonly Step[]): string {
  const states = steps.map((step) => step.state);
  if (states.every((state) => state === "success")) return "success";
  return (
    states.find((state) => state === "failed" || state === "rolled_back" || state === "waiting") ??
    (states.every((state) => state === "pending") ? "pending" : "running")
  );
}

function said(steps: readonly Step[], state: string): string {
  const step =
    steps.find((each) => each.state !== "success" && each.state !== "pending") ??
    (state === "running" ? steps.find((each) => each.state === "pending") : undefined);
  if (step?.waitsFor) return `Waits for ${plain(step.waitsFor)}`;
  if (step) return step.name;
  return state === "success" ? "done" : "not yet";
}
