import { answer, type Answered as Answer } from "@cairn/api";
import { Alert, Anchor, Button, Group, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { Facts } from "../parts/facts.tsx";
import { glassStatus, nameOf } from "../parts/names.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Instant, Time } from "../parts/time.tsx";
import { useWhy, Why } from "../parts/why.tsx";

type Glass = Answer<"getBreakGlass">;

/** What was done although rules refused, and has somebody else looked at it? */
export default function BreakGlassPage() {
  const { id = "" } = useParams();
  const glass = useAnswer(["break-glass", id], () => api.GET("/api/break-glass/{id}", { params: { path: { id } } }), {
    refetchInterval: 10_000,
  });
  const why = useWhy(id);
  return (
    <Answered query={glass} title="Break-glass" with={[why]} path={[{ name: "Break-glass", to: "/break-glass" }]}>
      {(data) => (
        <Page
          title={`Break-glass for ${data.service}${data.environment ? ` in ${data.environment}` : ""}`}
          path={[{ name: "Break-glass", to: "/break-glass" }]}
          aside={<Status {...glassStatus(data.state)} />}
          actions={<Equivalents cli={`cairn break-glass show ${data.id}`} api={`GET /api/break-glass/${data.id}`} />}
        >
          <Facts
            of={[
              ["Because", data.because],
              ["Opened by", nameOf(data.openedBy)],
              ["Opened", <Time key="opened" at={data.openedAt} />],
              ["Holds until", <Instant key="until" at={data.until} />],
              ["Passes", data.rules.includes("*") ? "every rule that allows it, approvals and windows" : data.rules.join(", ")],
              ["Told at once", data.witnesses.map(nameOf).join(", ") || "nobody: there was no second person"],
              data.closed && ["Ended early", `by ${nameOf(data.closed.by)}: ${data.closed.because}`],
              data.review && ["Reviewed", `by ${nameOf(data.review.by)}: ${data.review.because}`],
            ]}
          />
          {data.warnings.map((warning) => (
            <Text key={warning} className="tone-warn">
              {warning}
            </Text>
          ))}
          {data.state === "to_review" && <Why of={data.id} />}
          {data.state !== "reviewed" && <Act glass={data} />}
          <Section title="What was done under it">
            {data.uses.length === 0 ? (
              <Empty title="Nothing was done under it">
                What goes on only because of it appears here: releases, and decisions that would have denied.
              </Empty>
            ) : (
              <Rows label="What was done under it">
                {data.uses.map((use) => (
                  <Row
                    key={use.seq}
                    title={use.type.replace(".", ": ").replaceAll("_", " ")}
                    below={typeof use.data.because === "string" ? use.data.because : undefined}
                  >
                    <Led data={use.data} />
                    <Time at={use.at} />
                  </Row>
                ))}
              </Rows>
            )}
          </Section>
        </Page>
      )}
    </Answered>
  );
}

/** The page of what a line of the ledger speaks of. */
function Led({ data }: { data: Record<string, unknown> }) {
  const to =
    typeof data.release === "string"
      ? `/releases/${data.release}`
      : typeof data.decision === "string"
        ? `/decisions/${data.decision}`
        : undefined;
  if (to === undefined) return null;
  return (
    <Anchor component={Link} to={to} size="sm">
      {typeof data.environment === "string" ? data.environment : "see"}
    </Anchor>
  );
}

/** Ends it before its time, or reviews it: by somebody else. */
function Act({ glass: { id, state } }: { glass: Glass }) {
  const client = useQueryClient();
  const [because, setBecause] = useState("");
  const act = useMutation({
    mutationFn: async () => {
      const asked = { params: { path: { id } }, body: { because: because.trim() } };
      await answer(state === "open" ? api.POST("/api/break-glass/{id}/close", asked) : api.POST("/api/break-glass/{id}/review", asked));
    },
    onSuccess: async () => {
      setBecause("");
      await client.invalidateQueries();
    },
  });
  return (
    <Alert
      color={state === "open" ? "red" : "gray"}
      variant="outline"
      title={state === "open" ? "It is open: whoever answers for the service may end it before its time" : "It waits for a review"}
    >
      <Group gap="xs" align="flex-end">
        <TextInput
          label={state === "open" ? "Because" : "What you found"}
          description="Recorded with what you do; ten letters at least"
          value={because}
          onChange={(event) => setBecause(event.currentTarget.value)}
          style={{ flex: "1 1 220px" }}
        />
        <Button variant="default" disabled={because.trim().length < 10} loading={act.isPending} onClick={() => act.mutate()}>
          {state === "open" ? "End it now" : "Close the review"}
        </Button>
        <Equivalents
          cli={`cairn break-glass ${state === "open" ? "close" : "review"} ${id} -b REASON`}
          api={`POST /api/break-glass/${id}/${state === "open" ? "close" : "review"}\n{"because": "…"}`}
        />
      </Group>
      <ProblemNote error={act.error} />
    </Alert>
  );
}
