import { Badge, Card, Group, SimpleGrid, Text, Title } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Answered, Empty, Page } from "../parts/page.tsx";

export default function Create() {
  const paths = useAnswer(["golden-paths"], () => api.GET("/api/golden-paths"));
  return (
    <Page title="Create a service" path={[{ name: "Services", to: "/services" }]}>
      <Text>Choose a golden path. You see the whole plan before anything changes.</Text>
      <Answered query={paths}>
        {({ goldenPaths }) =>
          goldenPaths.length === 0 ? (
            <Empty title="No golden path is offered">A platform engineer adds one as a folder of library/golden-paths.</Empty>
          ) : (
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
              {goldenPaths.map((path) => (
                <Card key={path.name} withBorder component={Link} to={`/create/${path.name}`} className="row-link">
                  <Group justify="space-between" mb={4}>
                    <Title order={2} size="h4">
                      {path.title ?? path.name}
                    </Title>
                    <Badge variant="default">{path.version}</Badge>
                  </Group>
                  <Text size="sm">{path.description}</Text>
                </Card>
              ))}
            </SimpleGrid>
          )
        }
      </Answered>
    </Page>
  );
}
