import { answer } from "@cairn/api";
import { Button, Group, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "../api.ts";
import { ProblemNote } from "./problem.tsx";

const NAME = /^[a-z]([a-z0-9-]*[a-z0-9])?$/;

/** Makes a team; gives its name to whoever waits for it. */
export function NewTeam({ onMade }: { onMade?: (name: string) => void }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: "", title: "" },
    validate: {
      name: (value) => (NAME.test(value) && value.length <= 63 ? null : "Lower-case letters, digits and hyphens; begins with a letter"),
    },
  });
  const make = useMutation({
    mutationFn: ({ name, title }: { name: string; title: string }) =>
      answer(api.POST("/api/catalog/groups", { body: { name, ...(title && { title }) } })),
    onSuccess: async ({ name }) => {
      form.reset();
      await client.invalidateQueries();
      onMade?.(name);
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => make.mutate(values))} aria-label="New team">
      <Group align="flex-start" mb={make.error ? "sm" : 0}>
        <TextInput
          label="Team's name"
          placeholder="team-orders"
          required
          autoComplete="off"
          spellCheck={false}
          {...form.getInputProps("name")}
        />
        <TextInput label="Shown as" placeholder="Orders" autoComplete="off" {...form.getInputProps("title")} />
        <Button type="submit" variant="default" className="beside-label" loading={make.isPending}>
          Make team
        </Button>
      </Group>
      <ProblemNote error={make.error} />
    </form>
  );
}
