import { answer, type Answered as Answer } from "@cairn/api";
import { Alert, Button, Checkbox, Code, CopyButton, Group, MultiSelect, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, useAnswer } from "../api.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { nameOf, sentence } from "../parts/names.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

type Webhook = Answer<"listWebhooks">["webhooks"][number];
type Delivery = Answer<"listWebhookDeliveries">["deliveries"][number];
type Kind = Webhook["kinds"][number];

const KINDS: readonly Kind[] = [
  "approval.wanted",
  "check.failed",
  "release.refused",
  "release.held",
  "release.rolled_back",
  "release.failed",
  "break_glass.opened",
  "break_glass.follow_up",
  "break_glass.reviewed",
  "evidence.revoked",
  "runtime.found",
  "runtime.attempt_refused",
  "policy.breached",
  "incident.opened",
  "incident.paged",
  "incident.acknowledged",
  "incident.resolved",
];

/** Where are notices sent, and did they arrive? */
export default function Webhooks() {
  const webhooks = useAnswer(["webhooks"], () => api.GET("/api/webhooks"), { refetchInterval: 15_000 });
  return (
    <Page
      title="Webhooks"
      path={[{ name: "Inbox", to: "/inbox" }]}
      actions={<Equivalents cli="cairn webhooks list" api="GET /api/webhooks" />}
    >
      <Answered query={webhooks}>
        {({ webhooks: all }) =>
          all.length === 0 ? (
            <Empty title="Notices are sent nowhere">
              A webhook takes to another program what the inbox shows to people: signed, tried again until it arrives, each attempt kept.
            </Empty>
          ) : (
            <Stack gap="xl">
              {all.map((webhook) => (
                <One key={webhook.id} webhook={webhook} />
              ))}
            </Stack>
          )
        }
      </Answered>
      {!webhooks.isLoading && (
        <Section title="Add a webhook">
          <Paper withBorder p="md">
            <Add />
          </Paper>
        </Section>
      )}
    </Page>
  );
}

function One({ webhook: { id, url, description, kinds, createdBy, createdAt, disabled } }: { webhook: Webhook }) {
  const client = useQueryClient();
  const onSuccess = () => client.invalidateQueries({ queryKey: ["webhooks"] });
  const params = { path: { id } };
  const deliveries = useAnswer(["webhooks", id, "deliveries"], () => api.GET("/api/webhooks/{id}/deliveries", { params }), {
    refetchInterval: 5000,
  });
  const test = useMutation({ mutationFn: () => answer(api.POST("/api/webhooks/{id}/test", { params })), onSuccess });
  const remove = useMutation({
    mutationFn: async () => {
      await answer(api.DELETE("/api/webhooks/{id}", { params }));
    },
    onSuccess: async () => {
      client.removeQueries({ queryKey: ["webhooks", id] });
      await client.invalidateQueries({ queryKey: ["webhooks"], exact: true });
    },
  });
  return (
    <Section
      title={description || url}
      actions={
        <Group gap="xs">
          <Equivalents
            cli={`cairn webhooks test ${id}\ncairn webhooks remove ${id}`}
            api={`POST /api/webhooks/${id}/test\nDELETE /api/webhooks/${id}`}
          />
          <Button variant="default" size="xs" loading={test.isPending} onClick={() => test.mutate()} aria-label={`Send a test to ${url}`}>
            Send a test
          </Button>
          <Confirm
            label="Remove"
            name={`Remove ${url}`}
            asks="Nothing is sent there any more, and what it was sent is forgotten."
            loading={remove.isPending}
            onConfirm={() => remove.mutate()}
          />
        </Group>
      }
    >
      <Stack gap="xs">
        <Text c="dimmed" className="anywhere">
          {url}: {kinds.length === 0 ? "every notice" : kinds.join(", ")}. Added <Time at={createdAt} /> by {nameOf(createdBy)}.
        </Text>
        {disabled && (
          <Text className="tone-warn">
            Nothing is sent there since <Time at={disabled.at} />: {disabled.because}
          </Text>
        )}
        <ProblemNote error={test.error ?? remove.error} />
        <Answered query={deliveries}>
          {({ deliveries: all }) =>
            all.length === 0 ? (
              <Text c="dimmed">Nothing was sent there yet.</Text>
            ) : (
              <Rows label={`Sent to ${url}`}>
                {all.slice(0, 10).map((delivery) => (
                  <Sent key={delivery.id} webhook={id} delivery={delivery} />
                ))}
              </Rows>
            )
          }
        </Answered>
      </Stack>
    </Section>
  );
}

const STATUS = { pending: "pending", delivered: "passed", given_up: "failed" } as const;

function Sent({ webhook, delivery: { id, kind, state, createdAt, nextAt, attempts } }: { webhook: string; delivery: Delivery }) {
  const client = useQueryClient();
  const retry = useMutation({
    mutationFn: () =>
      answer(api.POST("/api/webhooks/{id}/deliveries/{delivery}/retry", { params: { path: { id: webhook, delivery: id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["webhooks"] }),
  });
  const last = attempts.at(-1);
  return (
    <Row
      sign={<Status of={STATUS[state]} label={state.replaceAll("_", " ")} bare />}
      title={kind}
      below={
        <>
          {last ? sentence(last.detail) : "Not tried yet"}
          {attempts.length > 1 && `; ${attempts.length} attempts`}
          {state === "pending" && nextAt && (
            <>
              ; tried again <Time at={nextAt} />
            </>
          )}
          <ProblemNote error={retry.error} />
        </>
      }
    >
      <span>{state.replaceAll("_", " ")}</span>
      <Time at={createdAt} />
      {state === "given_up" && (
        <Button
          size="compact-xs"
          variant="default"
          loading={retry.isPending}
          onClick={() => retry.mutate()}
          title={`cairn webhooks retry ${webhook} ${id}`}
          aria-label={`Try ${kind} once more`}
        >
          Try again
        </Button>
      )}
    </Row>
  );
}

function Add() {
  const client = useQueryClient();
  const [secret, setSecret] = useState<string>();
  const form = useForm({
    initialValues: { url: "", description: "", kinds: [] as string[], thisMachine: false },
    validate: { url: (value) => (/^https?:\/\/\S+$/.test(value.trim()) ? null : "An address: https://…") },
  });
  const add = useMutation({
    mutationFn: ({ url, description, kinds, thisMachine }: typeof form.values) =>
      answer(
        api.POST("/api/webhooks", {
          body: { url: url.trim(), description: description.trim(), kinds: KINDS.filter((kind) => kinds.includes(kind)), thisMachine },
        }),
      ),
    onSuccess: async (made) => {
      setSecret(made.secret);
      form.reset();
      await client.invalidateQueries({ queryKey: ["webhooks"] });
    },
  });
  const { url } = form.values;
  return (
    <form onSubmit={form.onSubmit((values) => add.mutate(values))} aria-label="Add a webhook">
      <Stack gap="sm">
        {secret !== undefined && (
          <Alert color="teal" variant="outline" title="Its signing secret, shown this once" role="status">
            <Group gap="xs">
              <Code className="anywhere">{secret}</Code>
              <CopyButton value={secret}>
                {({ copied, copy }) => (
                  <Button size="compact-xs" variant="default" onClick={copy}>
                    {copied ? "Copied" : "Copy"}
                  </Button>
                )}
              </CopyButton>
            </Group>
          </Alert>
        )}
        <TextInput
          label="Address"
          placeholder="https://example.com/hooks/cairn"
          required
          autoComplete="off"
          {...form.getInputProps("url")}
        />
        <TextInput
          label="What it is"
          placeholder="The team's chat"
          autoComplete="off"
          maxLength={200}
          {...form.getInputProps("description")}
        />
        <MultiSelect
          label="Which notices"
          placeholder="Without a choice every notice"
          data={[...KINDS]}
          clearable
          {...form.getInputProps("kinds")}
        />
        <Checkbox
          label="It lies on this very machine"
          description="Without it, addresses of this machine and of private networks are refused"
          {...form.getInputProps("thisMachine", { type: "checkbox" })}
        />
        <ProblemNote error={add.error} />
        <Group>
          <Button type="submit" variant="default" loading={add.isPending}>
            Add it
          </Button>
          <Equivalents
            cli={`cairn webhooks add ${url.trim() || "URL"}`}
            api={`POST /api/webhooks\n${JSON.stringify({ url: url.trim() || "URL" })}`}
          />
        </Group>
      </Stack>
    </form>
  );
}
