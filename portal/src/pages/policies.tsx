import { Badge, Code, Group, Paper, Stack, Text } from "@mantine/core";
import { api, useAnswer } from "../api.ts";
import { Digest } from "../parts/digest.tsx";
import { Answered, Page } from "../parts/page.tsx";

/** What do we require? */
export default function Policies() {
  const policies = useAnswer(["policies"], () => api.GET("/api/policies"));
  return (
    <Page title="Policies">
      <Answered query={policies}>
        {({ bundle, rules }) => (
          <Stack>
            <Text size="sm" c="dimmed">
              Rules are data in library/policies. Bundle <Digest of={bundle} />
            </Text>
            {rules.map((rule) => (
              <Paper withBorder p="md" key={rule.name}>
                <Group gap="xs" mb={4}>
                  <Text fw={600}>{rule.name}</Text>
                  {rule.points.map((point) => (
                    <Badge key={point} variant="default">
                      {point}
                    </Badge>
                  ))}
                </Group>
                <Text size="sm">{rule.description}</Text>
                {rule.expressions.map((expression) => (
                  <Code block mt="xs" key={expression} tabIndex={0}>
                    {expression}
                  </Code>
                ))}
              </Paper>
            ))}
          </Stack>
        )}
      </Answered>
    </Page>
  );
}
