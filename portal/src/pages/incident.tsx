import { answer, type Answered as Answer } from "@cairn/api";
import { Anchor, Button, Code, Group, Paper, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { api, carryOut, useAnswer } from "../api.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { Facts } from "../parts/facts.tsx";
import { incidentStatus } from "../parts/incident-rows.tsx";
import { nameOf, runPath, sentence } from "../parts/names.ts";
import { many } from "../parts/numbers.ts";
import { Duty } from "../parts/on-call.tsx";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

const TrafficChart = lazy(() => import("../parts/traffic-chart.tsx"));
type Incident = Answer<"getIncident">;
type Suspect = Incident["suspects"][number];

const CHART = 200;
const MINUTE = 60_000;
/** What is drawn before it began, so that one sees how it was when it was well; and at most so much in all. */
const BEFORE = 45 * MINUTE;
const LONGEST = 24 * 60 * MINUTE;

/** What broke, what changed, who acts? */
export default function IncidentPage() {
  const { id = "" } = useParams();
  const incident = useAnswer(["incidents", id], () => api.GET("/api/incidents/{id}", { params: { path: { id } } }), {
    refetchInterval: 10_000,
  });
  return (
    <Answered query={incident} title="Incident" path={[{ name: "Incidents", to: "/incidents" }]}>
      {(data) => <Shown incident={data} />}
    </Answered>
  );
}

function Shown({ incident }: { incident: Incident }) {
  const { id, service, environment, state, severity, resolved, review } = incident;
  const over = state === "resolved";
  return (
    <Page
      title={incident.title}
      path={[{ name: "Incidents", to: "/incidents" }, ...(service ? [{ name: service, to: `/services/${service}/incidents` }] : [])]}
      aside={<Status of={incidentStatus(state)} />}
      actions={<Equivalents cli={`cairn incident ${id}`} api={`GET /api/incidents/${id}`} />}
    >
      <Stack gap="xs">
        <Text fw={600} className="anywhere">
          {sentence(resolved ? `It is over: ${resolved.because}` : incident.because)}
        </Text>
        <Facts
          of={[
            ["Urgency", severity === "page" ? "now" : "in working hours"],
            environment !== null && ["Environment", environment],
            ["Began", <Time key="began" at={incident.beganAt} />],
            incident.alert !== null && ["Alert", incident.alert],
            !over && incident.source !== "person" && ["Firing", `${incident.firing} now, ${incident.fired} times in all`],
            incident.round > 1 && ["Opened again", `${incident.round - 1} times`],
            incident.source === "person" && ["Reported by", nameOf(incident.openedBy)],
            resolved && ["Ended", <Time key="ended" at={resolved.at} />],
            resolved && ["By", nameOf(resolved.by)],
            incident.link !== null && [
              "Source",
              <Anchor key="source" href={incident.link} target="_blank" rel="noreferrer" size="sm">
                what reported it
              </Anchor>,
            ],
          ]}
        />
      </Stack>
      <Act incident={incident} />
      {service && <Symptom incident={incident} service={service} environment={environment ?? "production"} />}
      <Section title="What changed before it">
        <Suspects incident={incident} />
      </Section>
      <Section title="Timeline">
        <Timeline incident={incident} />
      </Section>
      <Section title="What was learnt">
        <Review incident={incident} change={review.change} />
      </Section>
    </Page>
  );
}

/** Who has it, who is on call and was told; take it, say what ended it. Whoever may not is told why by the platform. */
function Act({ incident: { id, state, owner, acknowledged, escalation, onCall } }: { incident: Incident }) {
  const client = useQueryClient();
  const [because, setBecause] = useState("");
  const onSuccess = () => client.invalidateQueries();
  const params = { path: { id } };
  const take = useMutation({ mutationFn: () => answer(api.POST("/api/incidents/{id}/acknowledge", { params })), onSuccess });
  const resolve = useMutation({
    mutationFn: () => answer(api.POST("/api/incidents/{id}/resolve", { params, body: { because: because.trim() } })),
    onSuccess,
  });
  const over = state === "resolved";
  return (
    <Paper withBorder p="md" component="section" aria-label="Who acts">
      <Facts
        of={[
          [
            "Has it",
            acknowledged ? (
              <span key="has">
                {nameOf(acknowledged.by)}, since <Time at={acknowledged.at} />
              </span>
            ) : (
              <span key="has" className={over ? undefined : "tone-warn"}>
                nobody {over ? "had to" : "yet"}
              </span>
            ),
          ],
          ["On call", onCall ? <Duty key="call" of={onCall} /> : "nobody: no team answers for it"],
          ["Owner", owner ? nameOf(owner) : "nobody"],
          ["Told", escalation.told.map(nameOf).join(", ") || "nobody"],
          !over && escalation.nextAt !== null && ["The next is told", <Time key="next" at={escalation.nextAt} />],
        ]}
      />
      {!over && (
        <Group align="flex-end" gap="sm" mt="sm">
          {state === "open" && (
            <Button loading={take.isPending} onClick={() => take.mutate()}>
              Acknowledge: it is mine
            </Button>
          )}
          <TextInput
            label="What ended it"
            value={because}
            onChange={(event) => setBecause(event.currentTarget.value)}
            autoComplete="off"
            style={{ flex: "1 1 220px" }}
          />
          <Button variant="default" disabled={because.trim() === ""} loading={resolve.isPending} onClick={() => resolve.mutate()}>
            Resolve
          </Button>
          <Equivalents
            cli={`${state === "open" ? `cairn incidents ack ${id}\n` : ""}cairn incidents resolve ${id} -b REASON`}
            api={`${state === "open" ? `POST /api/incidents/${id}/acknowledge\n` : ""}POST /api/incidents/${id}/resolve\n{"because": "…"}`}
          />
        </Group>
      )}
      <ProblemNote error={take.error ?? resolve.error} />
    </Paper>
  );
}

/** What its users met, from before it began until it ended. */
function Symptom({ incident: { beganAt, resolved }, service, environment }: { incident: Incident; service: string; environment: string }) {
  const began = new Date(beganAt).getTime();
  const traffic = useAnswer(
    ["traffic", service, environment, beganAt, resolved?.at],
    () => {
      const to = Math.min(resolved ? new Date(resolved.at).getTime() + 10 * MINUTE : Date.now(), Date.now());
      const from = Math.max(began - BEFORE, to - LONGEST);
      return api.GET("/api/services/{name}/traffic", {
        params: { path: { name: service }, query: { environment, from: new Date(from).toISOString(), to: new Date(to).toISOString() } },
      });
    },
    { refetchInterval: resolved ? false : 15_000, keep: true },
  );
  return (
    <Section
      title={`What ${service} answered in ${environment}`}
      actions={
        <Group gap="md">
          <Anchor component={Link} to={`/services/${service}`} size="sm">
            Health
          </Anchor>
          <Anchor component={Link} to={`/services/${service}/logs?environment=${environment}`} size="sm">
            Logs
          </Anchor>
          <Anchor component={Link} to={`/services/${service}/docs?file=docs/runbook.md`} size="sm">
            Runbook
          </Anchor>
        </Group>
      }
    >
      <div className="chart-place">
        <Answered query={traffic}>
          {(data) =>
            data.points.length === 0 ? (
              <Empty title="No request is known of this time">{sentence(data.telemetry.because)}.</Empty>
            ) : (
              <Stack gap="xs">
                <Suspense fallback={<div style={{ height: CHART }} />}>
                  <TrafficChart
                    traffic={data}
                    height={CHART}
                    marks={[{ at: beganAt, label: "began" }, ...(resolved ? [{ at: resolved.at, label: "ended" }] : [])]}
                  />
                </Suspense>
                <Text size="xs" c="dimmed">
                  {many(
                    data.points.reduce((sum, point) => sum + point.requests, 0),
                    "request",
                  )}
                  , {data.points.reduce((sum, point) => sum + point.errors, 0).toLocaleString("en")} failed. It began <Time at={beganAt} />.
                </Text>
              </Stack>
            )
          }
        </Answered>
      </div>
    </Section>
  );
}

/** Changes of the day before, the likeliest first; the way back from each is a button. */
function Suspects({ incident: { title, state, suspects } }: { incident: Incident }) {
  const [because, setBecause] = useState(`Incident: ${title}`);
  if (suspects.length === 0)
    return (
      <Empty title="Nothing changed in the day before">
        No release of it or of what it needs, no infrastructure, policy or secret. Look at its traffic, its logs and its runbook.
      </Empty>
    );
  const canGoBack = state !== "resolved" && suspects.some(({ wayBack }) => wayBack?.operation);
  return (
    <Stack gap="sm">
      {canGoBack && (
        <TextInput
          label="Because"
          description="Recorded with the way back that you take"
          value={because}
          onChange={(event) => setBecause(event.currentTarget.value)}
          maw={520}
        />
      )}
      <Rows label="Suspects, the likeliest first">
        {suspects.map((suspect, at) => (
          <SuspectRow
            key={`${suspect.kind} ${suspect.id} ${suspect.at}`}
            suspect={suspect}
            at={at}
            because={because}
            isOver={state === "resolved"}
          />
        ))}
      </Rows>
    </Stack>
  );
}

function SuspectRow({ suspect, at, because, isOver }: { suspect: Suspect; at: number; because: string; isOver: boolean }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { wayBack } = suspect;
  const back = useMutation({
    mutationFn: async () => {
      const { method, path, body } = wayBack?.operation ?? { method: "POST", path: "", body: {} };
      return carryOut({ method, path, body: { ...body, because: because.trim() } });
    },
    onSuccess: async (said) => {
      await client.invalidateQueries();
      const run = (said as { run?: unknown } | undefined)?.run;
      if (typeof run === "string") void navigate(runPath(run));
    },
  });
  return (
    <Row
      sign={<span className="mono number">{at + 1}</span>}
      title={
        <Anchor component={Link} to={suspect.link}>
          {suspect.title}
        </Anchor>
      }
      below={
        <>
          <div>{sentence(suspect.because)}</div>
          {wayBack && !isOver && (
            <div>
              {wayBack.what}: <Code className="anywhere">{wayBack.command}</Code>
            </div>
          )}
          <ProblemNote error={back.error} />
        </>
      }
    >
      <span>{suspect.kind.replaceAll("_", " ")}</span>
      <span>{nameOf(suspect.by)}</span>
      <Time at={suspect.at} />
      {wayBack?.operation && !isOver && (
        <Button
          size="xs"
          color={at === 0 ? "red" : undefined}
          variant={at === 0 ? "outline" : "default"}
          disabled={because.trim() === ""}
          loading={back.isPending}
          onClick={() => back.mutate()}
          aria-label={`${wayBack.what}: ${suspect.title}`}
          title={wayBack.what}
        >
          Go back
        </Button>
      )}
    </Row>
  );
}

function Timeline({ incident: { id, timeline } }: { incident: Incident }) {
  const client = useQueryClient();
  const [text, setText] = useState("");
  const note = useMutation({
    mutationFn: () => answer(api.POST("/api/incidents/{id}/note", { params: { path: { id } }, body: { text: text.trim() } })),
    onSuccess: async () => {
      setText("");
      await client.invalidateQueries({ queryKey: ["incidents"] });
    },
  });
  return (
    <Stack gap="sm">
      <ol className="timeline" aria-label="Timeline, oldest first">
        {timeline.map((entry) => (
          <li key={entry.seq}>
            <Text size="xs" c="dimmed" component="div" className="nowrap">
              <Time at={entry.at} />
            </Text>
            <div className="anywhere">
              {entry.link ? (
                <Anchor component={Link} to={entry.link} size="sm">
                  {sentence(entry.text.replace(/: *$/, ""))}
                </Anchor>
              ) : (
                sentence(entry.text.replace(/: *$/, ""))
              )}{" "}
              <Text span size="xs" c="dimmed">
                {nameOf(entry.actor)}
              </Text>
            </div>
          </li>
        ))}
      </ol>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "") note.mutate();
        }}
        aria-label="Add a note"
      >
        <Group align="flex-end" gap="sm">
          <Textarea
            label="Add a note"
            placeholder="What you saw or did"
            autosize
            minRows={1}
            maxRows={6}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            style={{ flex: "1 1 260px" }}
          />
          <Button type="submit" variant="default" disabled={text.trim() === ""} loading={note.isPending}>
            Add it
          </Button>
          <Equivalents cli={`cairn incidents note ${id} "TEXT"`} api={`POST /api/incidents/${id}/note\n{"text": "…"}`} />
        </Group>
        <ProblemNote error={note.error} />
      </form>
    </Stack>
  );
}

function Review({ incident: { id, state, service, review }, change }: { incident: Incident; change: string | null }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const draft = useMutation({
    mutationFn: () => answer(api.POST("/api/incidents/{id}/review", { params: { path: { id } } })),
    onSuccess: async ({ change: opened }) => {
      await client.invalidateQueries();
      void navigate(`/changes/${opened}`);
    },
  });
  if (change !== null)
    return (
      <Text component="div">
        <Status of={review.state === "done" ? "passed" : "open"} bare /> Its review is{" "}
        <Anchor component={Link} to={`/changes/${change}`} underline="always">
          change request {change}
        </Anchor>
        {review.state === "done" ? ", and is merged." : ": fill in what only people know, then merge it."}
      </Text>
    );
  return (
    <Empty title="No review yet">
      <Stack gap="sm">
        <span>
          {state === "resolved"
            ? "A draft with the timeline, the suspects and the numbers is opened as a change request in the service's docs/; people add what only they know."
            : "When it is over, a draft of its review can be opened as a change request in the service's docs/."}
        </span>
        {service && (
          <Group gap="xs">
            <Button variant="default" loading={draft.isPending} onClick={() => draft.mutate()} disabled={state !== "resolved"}>
              Draft the review
            </Button>
            <Equivalents cli={`cairn incidents review ${id}`} api={`POST /api/incidents/${id}/review`} />
          </Group>
        )}
        <ProblemNote error={draft.error} />
      </Stack>
    </Empty>
  );
}
