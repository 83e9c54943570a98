import { answer, type Answered as Answer } from "@cairn/api";
import { Accordion, Anchor, Badge, Code, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Facts } from "../parts/facts.tsx";
import { nameOf, plain } from "../parts/names.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

/** What do we require, does what runs meet it, and who is excepted? */
export default function Policies() {
  const policies = useAnswer(["policies"], () => api.GET("/api/policies"));
  const audits = useAnswer(["audit"], () => api.GET("/api/audit"));
  const exceptions = useAnswer(["exceptions"], () => api.GET("/api/exceptions", { params: { query: { holding: "true" } } }));
  return (
    <Page title="Policies" actions={<Equivalents cli="cairn policies audit" api="GET /api/audit" />}>
      <Answered query={policies} with={[audits, exceptions]}>
        {() => (
          <>
            <Section title="What runs, by today's rules">
              <Answered query={audits}>
                {({ audits: all }) =>
                  all.length === 0 ? (
                    <Empty title="Nothing to judge yet">
                      What runs is judged every few minutes, and after what bears on it. Nothing is taken down.
                    </Empty>
                  ) : (
                    <Rows label="What runs">
                      {all.map((audit) => (
                        <Row
                          key={`${audit.service}/${audit.environment}`}
                          sign={<Status of={audit.outcome} bare />}
                          title={
                            <Anchor
                              component={Link}
                              to={audit.decision === null ? `/releases/${audit.release}` : `/decisions/${audit.decision}`}
                            >
                              {audit.service} in {audit.environment}
                            </Anchor>
                          }
                          below={plain(audit.because)}
                        >
                          <span>
                            since <Time at={audit.since} />
                          </span>
                          <span>
                            looked at <Time at={audit.checkedAt} />
                          </span>
                        </Row>
                      ))}
                    </Rows>
                  )
                }
              </Answered>
            </Section>
            <Section title="Exceptions that hold">
              <Answered query={exceptions}>
                {({ exceptions: all }) =>
                  all.length === 0 ? (
                    <Text c="dimmed">
                      None. The page of a decision says who may grant one;{" "}
                      <Code>cairn exceptions grant SERVICE RULE --until 8h --because REASON</Code> grants it.
                    </Text>
                  ) : (
                    <Rows label="Exceptions">
                      {all.map((exception) => (
                        <Exempted key={exception.id} exception={exception} />
                      ))}
                    </Rows>
                  )
                }
              </Answered>
            </Section>
            <Section title="Rules">
              <Answered query={policies}>
                {({ bundle, rules }) => (
                  <Stack>
                    <Text c="dimmed" component="div">
                      {rules.length} rules, as data in <Code>library/policies</Code>. Bundle <Digest of={bundle} />
                    </Text>
                    <Accordion variant="contained" chevronPosition="left" multiple>
                      {rules.map((rule) => (
                        <Accordion.Item value={rule.name} key={rule.name}>
                          <Accordion.Control>
                            <Group justify="space-between" gap="xs">
                              <div>
                                <Text fw={500}>{rule.name}</Text>
                                <Text size="xs" c="dimmed">
                                  {rule.description}
                                </Text>
                              </div>
                              <Group gap={6}>
                                {rule.points.map((point) => (
                                  <Badge key={point} variant="default">
                                    {point}
                                  </Badge>
                                ))}
                              </Group>
                            </Group>
                          </Accordion.Control>
                          <Accordion.Panel>
                            <Stack gap="xs">
                              <Facts
                                of={[
                                  ["When it does not hold", modes(rule.modes)],
                                  ["When it is unknown", modes(rule.unknown)],
                                  ["Exceptions by", rule.exceptionsBy.map(nameOf).join(", ") || "nobody"],
                                ]}
                              />
                              <Text>{rule.fix}</Text>
                              {rule.expressions.map((expression) => (
                                <Code block key={expression} tabIndex={0}>
                                  {expression}
                                </Code>
                              ))}
                            </Stack>
                          </Accordion.Panel>
                        </Accordion.Item>
                      ))}
                    </Accordion>
                  </Stack>
                )}
              </Answered>
            </Section>
          </>
        )}
      </Answered>
    </Page>
  );
}

function Exempted({ exception }: { exception: Answer<"listExceptions">["exceptions"][number] }) {
  const client = useQueryClient();
  const { id, service, environment, rules, because, grantedBy, until } = exception;
  const end = useMutation({
    mutationFn: () => answer(api.POST("/api/exceptions/{id}/end", { params: { path: { id } }, body: { because: "ended in the portal" } })),
    onSuccess: () => client.invalidateQueries(),
  });
  return (
    <Row
      title={`${service} in ${environment ?? "every environment"}: ${rules.join(", ")}`}
      below={
        <>
          {because}
          <ProblemNote error={end.error} />
        </>
      }
    >
      <span>by {nameOf(grantedBy)}</span>
      <span>
        until <Time at={until} />
      </span>
      <Confirm
        label="End it"
        name={`End the exception for ${service}`}
        asks="From now on the rules count again. What runs goes on."
        loading={end.isPending}
        onConfirm={() => end.mutate()}
      />
    </Row>
  );
}

const modes = (of: Record<string, string>): string =>
  Object.entries(of)
    .map(([where, action]) => (where === "default" ? action : `${action} for ${where}`))
    .join(", ");
