import { answer, type Answered as Answer } from "@cairn/api";
import { Button, Checkbox, Group, Paper, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Confirm } from "./confirm.tsx";
import { Equivalents } from "./equivalents.tsx";
import { nameOf, runPath } from "./names.ts";
import { Answered, Empty, Section } from "./page.tsx";
import { ProblemNote } from "./problem.tsx";
import { Row, Rows } from "./rows.tsx";
import { Time } from "./time.tsx";

type Secret = Answer<"listSecrets">["secrets"][number];

/** What its owners change by hand: secrets, one more delivery, and its end. */
export function Settings({ service }: { service: string }) {
  const secrets = useSecrets(service);
  return (
    <Stack gap="xl">
      <Secrets service={service} />
      {!secrets.isLoading && <Deliver service={service} />}
      {!secrets.isLoading && <Delete service={service} />}
    </Stack>
  );
}

const useSecrets = (service: string) =>
  useAnswer(["secrets", service], () => api.GET("/api/services/{name}/secrets", { params: { path: { name: service } } }));

function Secrets({ service }: { service: string }) {
  const secrets = useSecrets(service);
  return (
    <Section title="Secrets" actions={<Equivalents cli={`cairn secrets list ${service}`} api={`GET /api/services/${service}/secrets`} />}>
      <Stack gap="sm">
        <Answered query={secrets}>
          {({ secrets: all }) =>
            all.length === 0 ? (
              <Empty title="It has no secret">
                A value that it needs and nobody may read: sealed outside the database, shown to the service alone, written over in its
                logs.
              </Empty>
            ) : (
              <Rows label="Secrets">
                {all.map((secret) => (
                  <SecretRow key={`${secret.name} ${secret.environment}`} service={service} secret={secret} />
                ))}
              </Rows>
            )
          }
        </Answered>
        {!secrets.isLoading && <NewSecret service={service} />}
      </Stack>
    </Section>
  );
}

const USE: Record<Secret["use"], string> = {
  current: "as the service has it",
  older: "the service has an older value: deliver it once more",
  unused: "no service has asked for it",
};

function SecretRow({ service, secret }: { service: string; secret: Secret }) {
  const client = useQueryClient();
  const { name, environment } = secret;
  const remove = useMutation({
    mutationFn: async () => {
      const params = { path: { name: service, secret: name }, query: { environment } };
      await answer(api.DELETE("/api/services/{name}/secrets/{secret}", { params }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["secrets"] }),
  });
  return (
    <Row
      title={<span className="mono">{name}</span>}
      below={
        <>
          In {environment}, {USE[secret.use]}
          <ProblemNote error={remove.error} />
        </>
      }
    >
      <span>by {nameOf(secret.setBy)}</span>
      <Time at={secret.setAt} />
      <Confirm
        label="Remove"
        name={`Remove the secret ${name} of ${environment}`}
        asks="From its next delivery on the service does not get it. Its value is forgotten at once."
        loading={remove.isPending}
        onConfirm={() => remove.mutate()}
      />
    </Row>
  );
}

function NewSecret({ service }: { service: string }) {
  const client = useQueryClient();
  const form = useForm({
    initialValues: { name: "", value: "", environment: "" },
    validate: {
      name: (value) => (/^[a-z][a-z0-9-]*$/.test(value) ? null : "Lower-case letters, digits and hyphens; begins with a letter"),
      value: (value) => (value === "" ? "Which value?" : null),
    },
  });
  const set = useMutation({
    mutationFn: ({ name, value, environment }: typeof form.values) =>
      answer(
        api.PUT("/api/services/{name}/secrets/{secret}", {
          params: { path: { name: service, secret: name } },
          body: { value, ...(environment && { environment }) },
        }),
      ),
    onSuccess: async () => {
      form.reset();
      await client.invalidateQueries({ queryKey: ["secrets"] });
    },
  });
  const { name } = form.values;
  return (
    <Paper withBorder p="md">
      <form onSubmit={form.onSubmit((values) => set.mutate(values))} aria-label="Set a secret">
        <Group align="flex-start">
          <TextInput
            label="Name"
            placeholder="mail-password"
            autoComplete="off"
            spellCheck={false}
            required
            {...form.getInputProps("name")}
          />
          <PasswordInput label="Value" autoComplete="off" required w={200} {...form.getInputProps("value")} />
          <TextInput label="Environment" placeholder="every" autoComplete="off" w={130} {...form.getInputProps("environment")} />
          <Group className="beside-label" gap="xs">
            <Button type="submit" variant="default" loading={set.isPending}>
              Set it
            </Button>
            <Equivalents
              cli={`cairn secrets set ${service} ${name || "NAME"}`}
              api={`PUT /api/services/${service}/secrets/${name || "NAME"}\n{"value": "…"}`}
            />
          </Group>
        </Group>
        <Text size="xs" c="dimmed" mt="xs">
          The service gets it with its next delivery.
        </Text>
        <ProblemNote error={set.error} />
      </form>
    </Paper>
  );
}

function Deliver({ service }: { service: string }) {
  const navigate = useNavigate();
  const [because, setBecause] = useState("");
  const deliver = useMutation({
    mutationFn: () =>
      answer(api.POST("/api/services/{name}/deliver", { params: { path: { name: service } }, body: { because: because.trim() } })),
    onSuccess: ({ run }) => void navigate(runPath(run)),
  });
  return (
    <Section title="Deliver once more">
      <Paper withBorder p="md">
        <Text mb="sm">What was merged last goes through the environments again, with the secrets and rules of now.</Text>
        <Group align="flex-end" gap="sm">
          <TextInput
            label="Because"
            value={because}
            onChange={(event) => setBecause(event.currentTarget.value)}
            autoComplete="off"
            style={{ flex: "1 1 240px" }}
          />
          <Button variant="default" disabled={because.trim() === ""} loading={deliver.isPending} onClick={() => deliver.mutate()}>
            Deliver it
          </Button>
          <Equivalents cli={`cairn deliver ${service} -b REASON`} api={`POST /api/services/${service}/deliver\n{"because": "…"}`} />
        </Group>
        <ProblemNote error={deliver.error} />
      </Paper>
    </Section>
  );
}

/** The plan first: what goes, what stays. It asks for the service's name before it is carried out. */
function Delete({ service }: { service: string }) {
  const navigate = useNavigate();
  const [dropData, setDropData] = useState(false);
  const plan = useMutation({
    mutationFn: () => answer(api.POST("/api/plans/deletions", { body: { service, dropData } })),
    onSuccess: ({ digest }) => void navigate(`/plans/${encodeURIComponent(digest)}`),
  });
  return (
    <Section title="Delete it">
      <Paper withBorder p="md">
        <Stack gap="sm">
          <Text>You see first what goes and what stays: its repository, what runs, its address, what it runs on. Nothing changes yet.</Text>
          <Checkbox
            label="Its data goes too"
            description="Otherwise databases that hold tables are kept under another name"
            checked={dropData}
            onChange={(event) => setDropData(event.currentTarget.checked)}
          />
          <Group gap="xs">
            <Button color="red" variant="outline" loading={plan.isPending} onClick={() => plan.mutate()}>
              Plan its deletion
            </Button>
            <Equivalents
              cli={`cairn delete ${service}${dropData ? " --drop-data" : ""}`}
              api={`POST /api/plans/deletions\n${JSON.stringify({ service, dropData })}`}
            />
          </Group>
          <ProblemNote error={plan.error} />
        </Stack>
      </Paper>
    </Section>
  );
}
