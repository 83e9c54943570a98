import { answer } from "@cairn/api";
import { Button, Group, NumberInput, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "../api.ts";
import { Equivalents } from "./equivalents.tsx";
import { nameOf } from "./names.ts";
import { Section } from "./page.tsx";
import { ProblemNote } from "./problem.tsx";

const HOUR = 3_600_000;

/** Lets a service go on although rules refuse, for a while: by whoever each rule names, never by who did the work. */
export function GrantException(props: {
  service: string;
  environment: string | null;
  rules: readonly { rule: string; exceptionsBy: readonly string[] }[];
}) {
  const { service, environment, rules } = props;
  const client = useQueryClient();
  const form = useForm({
    initialValues: { hours: 8 as number | string, because: "" },
    validate: { because: (value) => (value.trim().length >= 10 ? null : "Say why, in ten letters at least") },
  });
  const grant = useMutation({
    mutationFn: ({ hours, because }: typeof form.values) =>
      answer(
        api.POST("/api/exceptions", {
          body: {
            service,
            rules: rules.map(({ rule }) => rule),
            until: new Date(Date.now() + Number(hours) * HOUR).toISOString(),
            because: because.trim(),
            ...(environment !== null && { environment }),
          },
        }),
      ),
    onSuccess: async () => {
      form.reset();
      await client.invalidateQueries();
    },
  });
  const by = [...new Set(rules.flatMap(({ exceptionsBy }) => exceptionsBy))].map(nameOf).join(" or ");
  const where = environment ?? "every environment";
  return (
    <Section title="Grant an exception">
      <Paper withBorder p="md">
        <form onSubmit={form.onSubmit((values) => grant.mutate(values))} aria-label="Grant an exception">
          <Stack gap="sm">
            <Text>
              It lets {service} go on in {where} although it does not meet {rules.map(({ rule }) => rule).join(", ")}: for a while, with a
              reason, and seen by everybody. Granted by {by}, and by nobody of their own work.
            </Text>
            <Group align="flex-start">
              <NumberInput label="Hours" min={1} max={720} w={90} {...form.getInputProps("hours")} />
              <TextInput label="Because" required autoComplete="off" style={{ flex: "1 1 240px" }} {...form.getInputProps("because")} />
              <Group className="beside-label" gap="xs">
                <Button type="submit" variant="default" loading={grant.isPending}>
                  Grant it
                </Button>
                <Equivalents
                  cli={`cairn exceptions grant ${service} ${rules.map(({ rule }) => rule).join(" ")} -u ${form.values.hours}h -b REASON${environment === null ? "" : ` -e ${environment}`}`}
                  api={`POST /api/exceptions\n${JSON.stringify({ service, rules: rules.map(({ rule }) => rule), until: "…", because: "…" })}`}
                />
              </Group>
            </Group>
            {grant.isSuccess && (
              <Text role="status" className="tone-good">
                It holds. What waits looks again by itself; what was refused is delivered once more on request.
              </Text>
            )}
            <ProblemNote error={grant.error} />
          </Stack>
        </form>
      </Paper>
    </Section>
  );
}
