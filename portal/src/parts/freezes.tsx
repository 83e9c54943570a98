import { answer, type Answered as Answer } from "@cairn/api";
import { Button, Group, NumberInput, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, useAnswer } from "../api.ts";
import { Confirm } from "./confirm.tsx";
import { Equivalents } from "./equivalents.tsx";
import { nameOf, sentence } from "./names.ts";
import { Answered, Section } from "./page.tsx";
import { ProblemNote } from "./problem.tsx";
import { Row, Rows } from "./rows.tsx";
import { Status } from "./status.tsx";
import { Instant, Time } from "./time.tsx";

type Window = Answer<"listWindows">["windows"][number];

const HOUR = 3_600_000;

/** When releases may begin, and what holds them now. */
export function Freezes() {
  const windows = useAnswer(["windows"], () => api.GET("/api/windows"));
  return (
    <Section title="Windows and freezes" actions={<Equivalents cli="cairn windows list" api="GET /api/windows" />}>
      <Stack gap="sm">
        <Answered query={windows}>
          {({ windows: all }) =>
            all.length === 0 ? (
              <Text c="dimmed">None: a release may begin at any time. The way back is always open.</Text>
            ) : (
              <Rows label="Windows and freezes">
                {all.map((each) => (
                  <One key={each.id} window={each} />
                ))}
              </Rows>
            )
          }
        </Answered>
        {!windows.isLoading && <Declare />}
      </Stack>
    </Section>
  );
}

function One({ window: { id, declared, by, at, rule, on, until } }: { window: Window }) {
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: () => answer(api.POST("/api/freezes/{id}/end", { params: { path: { id } }, body: { because: "ended in the portal" } })),
    onSuccess: () => client.invalidateQueries(),
  });
  return (
    <Row
      sign={<Status of={on ? "waiting" : "closed"} label={on ? "holds" : "does not hold now"} bare />}
      title={rule.name}
      below={
        <>
          {sentence(rule.because)}
          <ProblemNote error={end.error} />
        </>
      }
    >
      <span>{rule.kind}</span>
      <span>{declared ? `by ${nameOf(by)}` : "as the organisation has it"}</span>
      {until ? (
        <span>
          until <Instant at={until} />
        </span>
      ) : (
        <Time at={at} />
      )}
      {declared && on && (
        <Confirm
          label="End it"
          name={`End the freeze ${rule.name}`}
          asks="Releases that it holds go on at once."
          loading={end.isPending}
          onConfirm={() => end.mutate()}
        />
      )}
    </Row>
  );
}

function Declare() {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { hours: 4 as number | string, services: "", environments: "production", because: "" },
    validate: { because: (value) => (value.trim() === "" ? "Say why: whoever waits reads it" : null) },
  });
  const declare = useMutation({
    mutationFn: ({ hours, services, environments, because }: typeof form.values) =>
      answer(
        api.POST("/api/freezes", {
          body: {
            until: new Date(Date.now() + Number(hours) * HOUR).toISOString(),
            because: because.trim(),
            ...(words(services).length > 0 && { services: words(services) }),
            ...(words(environments).length > 0 && { environments: words(environments) }),
          },
        }),
      ),
    onSuccess: async () => {
      form.reset();
      await client.invalidateQueries();
    },
  });
  const { hours, services, environments } = form.values;
  return (
    <Paper withBorder p="md">
      <form onSubmit={form.onSubmit((values) => declare.mutate(values))} aria-label="Declare a freeze">
        <Group align="flex-start">
          <NumberInput label="Hours" min={1} max={720} w={90} {...form.getInputProps("hours")} />
          <TextInput label="Services" placeholder="every" autoComplete="off" {...form.getInputProps("services")} />
          <TextInput label="Environments" placeholder="every" autoComplete="off" {...form.getInputProps("environments")} />
          <TextInput label="Because" required autoComplete="off" style={{ flex: "1 1 200px" }} {...form.getInputProps("because")} />
          <Group className="beside-label" gap="xs">
            <Button type="submit" variant="default" loading={declare.isPending}>
              Freeze
            </Button>
            <Equivalents
              cli={`cairn freeze declare --for ${hours}h -b REASON${words(services)
                .map((name) => ` -s ${name}`)
                .join("")}${words(environments)
                .map((name) => ` -e ${name}`)
                .join("")}`}
              api={`POST /api/freezes\n${JSON.stringify({ until: "…", because: "…", services: words(services), environments: words(environments) })}`}
            />
          </Group>
        </Group>
        <Text size="xs" c="dimmed" mt="xs">
          No release begins there until its end. What is under way goes on, and the way back stays open.
        </Text>
        <ProblemNote error={declare.error} />
      </form>
    </Paper>
  );
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);
