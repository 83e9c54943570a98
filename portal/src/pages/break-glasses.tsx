import { answer } from "@cairn/api";
import { Anchor, Button, Group, NumberInput, Paper, Select, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { glassStatus, nameOf } from "../parts/names.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

/** Who went on although rules refused, and what of it wants a review? */
export default function BreakGlasses() {
  const glasses = useAnswer(["break-glass"], () => api.GET("/api/break-glass"), { refetchInterval: 15_000 });
  return (
    <Page title="Break-glass" actions={<Equivalents cli="cairn break-glass list" api="GET /api/break-glass" />}>
      <Answered query={glasses}>
        {({ breakGlass }) =>
          breakGlass.length === 0 ? (
            <Empty title="Nobody has broken the glass">
              In an emergency it lets a service go on although rules refuse: for a while, before witnesses.
            </Empty>
          ) : (
            <Rows label="Break-glasses">
              {breakGlass.map((glass) => (
                <Row
                  key={glass.id}
                  sign={<Status {...glassStatus(glass.state)} bare />}
                  title={
                    <Anchor component={Link} to={`/break-glass/${glass.id}`}>
                      {glass.service} in {glass.environment ?? "every environment"}
                    </Anchor>
                  }
                  below={glass.because}
                >
                  <span>{glassStatus(glass.state).label}</span>
                  <span>{nameOf(glass.openedBy)}</span>
                  <Time at={glass.openedAt} />
                </Row>
              ))}
            </Rows>
          )
        }
      </Answered>
      {!glasses.isLoading && (
        <Section title="Break the glass">
          <Paper withBorder p="md">
            <Open />
          </Paper>
        </Section>
      )}
    </Page>
  );
}

function Open() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const services = useAnswer(["services", "names"], () => api.GET("/api/catalog/service-views", { params: { query: { limit: 200 } } }));
  const form = useForm({
    initialValues: { service: null as string | null, environment: "", minutes: 60 as number | string, because: "" },
    validate: {
      service: (value) => (value ? null : "Which service?"),
      because: (value) => (value.trim().length >= 10 ? null : "Say why, in ten letters at least"),
    },
  });
  const open = useMutation({
    mutationFn: ({ service, environment, minutes, because }: typeof form.values) =>
      answer(
        api.POST("/api/break-glass", {
          body: {
            service: service ?? "",
            seconds: Number(minutes) * 60,
            because: because.trim(),
            ...(environment.trim() && { environment: environment.trim() }),
          },
        }),
      ),
    onSuccess: async ({ id }) => {
      await client.invalidateQueries();
      void navigate(`/break-glass/${id}`);
    },
  });
  return (
    <form onSubmit={form.onSubmit((values) => open.mutate(values))} aria-label="Break the glass">
      <Stack gap="sm">
        <Text c="dimmed">
          Rules are still asked, and what they would have denied is kept. The other members of the owning team and the administrators are
          told at once; one of them reviews it afterwards. Nothing starts what is quarantined or has no owner.
        </Text>
        <Group align="flex-start">
          <Select
            label="Service"
            required
            searchable
            data={(services.data?.items ?? []).map(({ name }) => name)}
            nothingFoundMessage="No such service"
            {...form.getInputProps("service")}
          />
          <TextInput label="Environment" placeholder="every" autoComplete="off" {...form.getInputProps("environment")} />
          <NumberInput label="Minutes" min={1} max={240} w={110} {...form.getInputProps("minutes")} />
        </Group>
        <TextInput label="Because" required autoComplete="off" {...form.getInputProps("because")} />
        <ProblemNote error={open.error} />
        <Group>
          <Button type="submit" color="red" variant="outline" loading={open.isPending}>
            Break the glass
          </Button>
          <Equivalents
            cli={`cairn break-glass open -s ${form.values.service ?? "SERVICE"} -f ${form.values.minutes}m -b REASON`}
            api={`POST /api/break-glass\n{"service": "${form.values.service ?? "…"}", "seconds": ${Number(form.values.minutes) * 60}, "because": "…"}`}
          />
        </Group>
      </Stack>
    </form>
  );
}
