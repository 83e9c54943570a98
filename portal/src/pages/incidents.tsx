import { answer } from "@cairn/api";
import { Button, Group, Paper, Select, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { api } from "../api.ts";
import { useAddress } from "../parts/address.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { Narrowing } from "../parts/filters.tsx";
import { IncidentRows, useIncidents } from "../parts/incident-rows.tsx";
import { Older } from "../parts/older.tsx";
import { Page } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";

const STATES = ["active", "open", "acknowledged", "resolved", "all"] as const; // the first stands in no address

/** What is wrong, and who has it? */
export default function Incidents() {
  const address = useAddress();
  const [reports, { toggle, close }] = useDisclosure(address.has("report"));
  const state = address.oneOf("state", STATES);
  const [service, team, before] = [address.get("service") ?? "", address.get("team"), address.get("before")];
  const filter = {
    ...(state !== "all" && { state }),
    ...(service && { service }),
    ...(team && { team }),
    ...(before && { before }),
    limit: 50,
  };
  const next = useIncidents(filter).data?.next;
  return (
    <Page
      title="Incidents"
      actions={
        <>
          <Equivalents
            cli={`cairn incidents list${service ? ` ${service}` : ""}${state === "active" ? "" : ` --state ${state}`}`}
            api={`GET /api/incidents?${new URLSearchParams({ ...filter, limit: "50" })}`}
          />
          <Button variant="default" size="xs" onClick={toggle} aria-expanded={reports}>
            Report an incident
          </Button>
        </>
      }
    >
      {reports && <Report service={service} onDone={close} />}
      <Narrowing address={address} states={STATES} state={state} />
      <IncidentRows filter={filter} none={state === "active" ? "Nothing is wrong that anybody knows of" : "No incident is like that"} />
      <Older address={address} next={next} />
    </Page>
  );
}

function Report({ service, onDone }: { service: string; onDone: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const form = useForm({
    initialValues: { service, environment: "production", title: "", because: "", severity: "page" },
    validate: {
      service: (value) => (value.trim() ? null : "Which service?"),
      title: (value) => (value.trim().length >= 3 ? null : "What do people notice?"),
    },
  });
  const open = useMutation({
    mutationFn: ({ environment, severity, ...said }: typeof form.values) =>
      answer(
        api.POST("/api/incidents", {
          body: {
            service: said.service.trim(),
            title: said.title.trim(),
            because: said.because.trim(),
            severity: severity === "ticket" ? "ticket" : "page",
            ...(environment.trim() && { environment: environment.trim() }),
          },
        }),
      ),
    onSuccess: async ({ id }) => {
      onDone();
      await client.invalidateQueries();
      void navigate(`/incidents/${id}`);
    },
  });
  const { values } = form;
  return (
    <Paper withBorder p="md">
      <form onSubmit={form.onSubmit((asked) => open.mutate(asked))} aria-label="Report an incident">
        <Stack gap="sm">
          <Group align="flex-start">
            <TextInput label="Service" required autoComplete="off" {...form.getInputProps("service")} />
            <TextInput label="Environment" placeholder="not of one" autoComplete="off" w={140} {...form.getInputProps("environment")} />
            <Select
              label="How urgent"
              data={[
                { value: "page", label: "Now: tells whoever is on call" },
                { value: "ticket", label: "In working hours" },
              ]}
              allowDeselect={false}
              w={250}
              {...form.getInputProps("severity")}
            />
          </Group>
          <TextInput
            label="What is wrong"
            placeholder="Checkout answers with 500"
            required
            autoComplete="off"
            {...form.getInputProps("title")}
          />
          <TextInput label="How it is known" placeholder="Three customers wrote" autoComplete="off" {...form.getInputProps("because")} />
          <ProblemNote error={open.error} />
          <Group>
            <Button type="submit" color="red" variant="outline" loading={open.isPending}>
              Open the incident
            </Button>
            <Button variant="subtle" color="gray" onClick={onDone}>
              Cancel
            </Button>
            <Equivalents
              cli={`cairn incidents open ${values.service || "SERVICE"} -e ${values.environment || "production"} -t "${values.title || "TITLE"}"`}
              api={`POST /api/incidents\n${JSON.stringify({ service: values.service || "…", environment: values.environment, title: values.title || "…" })}`}
            />
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}
