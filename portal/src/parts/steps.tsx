import { Anchor, Group, Stack, Text } from "@mantine/core";
import { Link } from "react-router";
import { Status } from "./status.tsx";

interface Step {
  name: string;
  state: string;
  detail?: string | null;
  waitsFor?: string | null;
  child?: string | null;
}

/** A workflow's steps in order; one that waits says for whom or what. */
export function Steps({ steps }: { steps: readonly Step[] }) {
  return (
    <Stack gap="xs" component="ol" m={0} p={0} style={{ listStyle: "none" }} aria-live="polite">
      {steps.map((step) => (
        <li key={step.name}>
          <Group gap="sm" align="baseline" wrap="nowrap">
            <div style={{ minWidth: 120 }}>
              <Status of={step.state} />
            </div>
            <div>
              {step.child ? (
                <Anchor component={Link} to={`/runs/${step.child}`} size="sm">
                  {step.name}
                </Anchor>
              ) : (
                <Text size="sm">{step.name}</Text>
              )}
              {(step.waitsFor || step.detail) && (
                <Text size="xs" c="dimmed">
                  {step.waitsFor ? `Waits for ${step.waitsFor}` : step.detail}
                </Text>
              )}
            </div>
          </Group>
        </li>
      ))}
    </Stack>
  );
}
