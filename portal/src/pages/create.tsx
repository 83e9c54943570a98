import { Badge, Card, Code, Group, SimpleGrid, Text, Title } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Answered, Empty, Page } from "../parts/page.tsx";

/** Which golden path? */
export default function Create() {
  const paths = useAnswer(["golden-paths"], () => api.GET("/api/golden-paths"));
  return (
    <Page title="Create a service" path={[{ name: "Services", to: "/services" }]}>
      <Text c="dimmed">Choose a golden path. You see the whole plan before anything changes.</Text>
      <Answered query={paths}>
        {({ goldenPaths }) =>
          goldenPaths.length === 0 ? (
            <Empty title="No golden path is offered">
              A platform engineer adds one as a folder of <Code>library/golden-paths</Code>.
            </Empty>
          ) : (
            <SimpleGrid cols={{ base: 1, sm: 2 }}>
              {goldenPaths.map((path) => (
                <Card key={path.name} withBorder component={Link} to={`/create/${path.name}`} className="row-link" p="lg">
                  <Group justify="space-between" mb={4}>
                    <Title order={2}>{path.title}</Title>
                    <Group gap={6}>
                      <Badge variant="default">{path.tier}</Badge>
                      <Badge variant="default">{path.version}</Badge>
                    </Group>
                  </Group>
                  <Text c="dimmed">{path.description}</Text>
                </Card>
              ))}
            </SimpleGrid>
          )
        }
      </Answered>
    </Page>
  );
}
