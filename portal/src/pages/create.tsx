import { Anchor, Badge, Card, Code, Group, List, Paper, SimpleGrid, Stack, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Command } from "../parts/command.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { IMPORTS } from "../parts/names.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";

/** Which golden path? */
export default function Create() {
  const paths = useAnswer(["golden-paths"], () => api.GET("/api/golden-paths"));
  return (
    <Page
      title="Create a service"
      path={[{ name: "Services", to: "/services" }]}
      actions={<Equivalents cli={"cairn paths\ncairn create PATH"} api="GET /api/golden-paths" />}
    >
      <Text c="dimmed">Choose a golden path. You see the whole plan before anything changes.</Text>
      <Answered query={paths}>
        {({ goldenPaths }) =>
          goldenPaths.length === 0 ? (
            <Empty title="No golden path is offered">
              A platform engineer adds one as a folder of <Code>library/golden-paths</Code>.
            </Empty>
          ) : (
            <SimpleGrid cols={{ base: 1, sm: 2 }}>
              {goldenPaths
                .filter(({ name }) => name !== IMPORTS)
                .map((path) => (
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
      <Import />
    </Page>
  );
}

/** The way for a repository that exists: from the terminal that may read it. */
function Import() {
  const [url, setUrl] = useState("");
  const command = `cairn import ${url.trim() === "" ? "URL" : quoted(url.trim())}`;
  return (
    <Section title="Bring an existing repository">
      <Paper withBorder p="lg" id="import">
        <Stack gap="sm">
          <Text>
            It comes with its whole history, read with your own git and your own access: Cairn gets no password of another host. So it
            starts in a terminal, and asks before anything changes.
          </Text>
          <TextInput
            label="Address of the repository, or a folder"
            placeholder="https://github.com/you/orders.git"
            value={url}
            onChange={(event) => setUrl(event.currentTarget.value)}
            autoComplete="off"
            spellCheck={false}
            maw={520}
          />
          <Command text={command} />
          <List type="ordered" size="sm" spacing={4}>
            <List.Item>It clones the repository, looks at what it is written in, and proposes how to build, test and start it.</List.Item>
            <List.Item>It shows the plan: which files are added, and that none of yours is changed. Nothing has changed yet.</List.Item>
            <List.Item>
              With <Code>--apply</Code> it makes the repository here with all your commits, and opens a change request with the added files.
            </List.Item>
            <List.Item>You merge it like any other: it is built, judged and rolled out.</List.Item>
          </List>
          <Text c="dimmed">
            The files it adds come from the golden path{" "}
            <Anchor component={Link} to={`/create/${IMPORTS}`} underline="always">
              {IMPORTS}
            </Anchor>
            .
          </Text>
        </Stack>
      </Paper>
    </Section>
  );
}

/** As a shell takes it for one word. */
const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
