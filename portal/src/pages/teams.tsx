import { answer } from "@cairn/api";
import { Button, Group, Paper, Table, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, useAnswer } from "../api.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";

const NAME = /^[a-z]([a-z0-9-]*[a-z0-9])?$/;

export default function Teams() {
  const groups = useAnswer(["groups"], () => api.GET("/api/catalog/groups"));
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: "", displayName: "" },
    validate: { name: (value) => (NAME.test(value) && value.length <= 63 ? null : "Lower-case letters, digits and hyphens; begins with a letter") },
  });
  const make = useMutation({
    mutationFn: (values: { name: string; displayName: string }) => answer(api.POST("/api/catalog/groups", { body: { name: values.name, displayName: values.displayName || values.name, members: [] } })),
    onSuccess: () => {
      form.reset();
      void client.invalidateQueries();
    },
  });
  return (
    <Page title="Teams">
      <Answered query={groups}>
        {({ groups: rows }) =>
          rows.length === 0 ? (
            <Empty title="No team yet">A service needs an owner. Make the first team below, or load an organisation: cairn org load FOLDER</Empty>
          ) : (
            <Table.ScrollContainer minWidth={300}>
              <Table>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Team</Table.Th>
                    <Table.Th>Members</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {rows.map((group) => (
                    <Table.Tr key={group.name}>
                      <Table.Td>
                        {group.displayName} <Text span c="dimmed" size="sm" className="mono">{group.name}</Text>
                      </Table.Td>
                      <Table.Td>{group.members.join(", ") || "nobody yet"}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )
        }
      </Answered>
      <Section title="New team">
        <Paper withBorder p="md" maw={560}>
          <form onSubmit={form.onSubmit((values) => make.mutate(values))}>
            <Group align="flex-start">
              <TextInput label="Name" placeholder="team-orders" required {...form.getInputProps("name")} />
              <TextInput label="Shown as" placeholder="Orders" {...form.getInputProps("displayName")} />
            </Group>
            <ProblemNote error={make.error} />
            <Button type="submit" mt="md" loading={make.isPending}>
              Make team
            </Button>
          </form>
        </Paper>
      </Section>
    </Page>
  );
}
