import type { Answered as Answer } from "@cairn/api";
import { Accordion, Anchor, Code } from "@mantine/core";
import { Link, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Rules } from "../parts/decisions.tsx";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Facts } from "../parts/facts.tsx";
import { GrantException } from "../parts/grant-exception.tsx";
import { nameOf, pageOf, serviceOf } from "../parts/names.ts";
import { Answered, Page, Section } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { useWhy, Why } from "../parts/why.tsx";

/** What was decided, by which rules, on which facts? */
export default function DecisionPage() {
  const { id = "" } = useParams();
  const decision = useAnswer(["decisions", id], () => api.GET("/api/decisions/{id}", { params: { path: { id } } }));
  const why = useWhy(id);
  return (
    <Answered query={decision} title="Policy decision" with={[why]} path={[{ name: "Policies", to: "/policies" }]}>
      {(data) => {
        const page = pageOf(data.about);
        return (
          <Page
            title={`Policy decision at ${data.point}`}
            path={[{ name: "Policies", to: "/policies" }]}
            aside={<Status of={data.outcome} />}
            actions={<Equivalents cli={`cairn decision ${data.id}`} api={`GET /api/decisions/${data.id}`} />}
          >
            <Facts
              of={[
                [
                  "About",
                  page ? (
                    <Anchor key="about" component={Link} to={page}>
                      {nameOf(data.about)}
                    </Anchor>
                  ) : (
                    nameOf(data.about)
                  ),
                ],
                data.facts.environment && ["Environment", data.facts.environment.name],
                data.facts.commit !== null && ["Commit", <Digest key="commit" of={data.facts.commit} length={8} />],
                ["Decided", <Time key="time" at={data.decidedAt} />],
                ["Facts", <Digest key="facts" of={data.subject} />],
                ["Rules", <Digest key="rules" of={data.bundle} />],
                ["Evaluator", data.evaluator],
                ["Made again by", <Code key="replay">cairn replay {data.id}</Code>],
              ]}
            />
            <Why of={data.id} />
            {excusable(data).length > 0 && serviceOf(data.about) !== undefined && (
              <GrantException
                service={serviceOf(data.about) ?? ""}
                environment={data.facts.environment?.name ?? null}
                rules={excusable(data)}
              />
            )}
            <Section title="Rules">
              <Rules results={data.results} />
            </Section>
            <Accordion variant="contained">
              <Accordion.Item value="facts">
                <Accordion.Control>The facts it was decided on</Accordion.Control>
                <Accordion.Panel>
                  <Code block tabIndex={0}>
                    {JSON.stringify(data.facts, null, 2)}
                  </Code>
                </Accordion.Panel>
              </Accordion.Item>
            </Accordion>
          </Page>
        );
      }}
    </Answered>
  );
}

/** Rules that deny, and of which somebody may grant an exception. */
const excusable = ({ results }: Answer<"getDecision">) =>
  results.filter(
    ({ outcome, mode, relievedBy, exceptionsBy }) =>
      outcome !== "passed" && outcome !== "warned" && mode === "enforce" && relievedBy === null && exceptionsBy.length > 0,
  );
