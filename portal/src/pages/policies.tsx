import { Accordion, Badge, Code, Group, Stack, Text } from "@mantine/core";
import { api, useAnswer } from "../api.ts";
import { Digest } from "../parts/digest.tsx";
import { Facts } from "../parts/facts.tsx";
import { Answered, Page } from "../parts/page.tsx";

/** What do we require? */
export default function Policies() {
  const policies = useAnswer(["policies"], () => api.GET("/api/policies"));
  return (
    <Page title="Policies">
      <Answered query={policies}>
        {({ bundle, rules }) => (
          <Stack>
            <Text c="dimmed" component="div">
              {rules.length} rules, as data in <Code>library/policies</Code>. Bundle <Digest of={bundle} />
            </Text>
            <Accordion variant="contained" chevronPosition="left" multiple>
              {rules.map((rule) => (
                <Accordion.Item value={rule.name} key={rule.name}>
                  <Accordion.Control>
                    <Group justify="space-between" gap="xs">
                      <div>
                        <Text fw={500}>{rule.name}</Text>
                        <Text size="xs" c="dimmed">
                          {rule.description}
                        </Text>
                      </div>
                      <Group gap={6}>
                        {rule.points.map((point) => (
                          <Badge key={point} variant="default">
                            {point}
                          </Badge>
                        ))}
                      </Group>
                    </Group>
                  </Accordion.Control>
                  <Accordion.Panel>
                    <Stack gap="xs">
                      <Facts
                        of={[
                          ["When it does not hold", modes(rule.modes)],
                          ["When it is unknown", modes(rule.unknown)],
                        ]}
                      />
                      <Text>{rule.fix}</Text>
                      {rule.expressions.map((expression) => (
                        <Code block key={expression} tabIndex={0}>
                          {expression}
                        </Code>
                      ))}
                    </Stack>
                  </Accordion.Panel>
                </Accordion.Item>
              ))}
            </Accordion>
          </Stack>
        )}
      </Answered>
    </Page>
  );
}

const modes = (of: Record<string, string>): string =>
  Object.entries(of)
    .map(([where, action]) => (where === "default" ? action : `${action} for ${where}`))
    .join(", ");
