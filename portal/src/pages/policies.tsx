import { answer, type Answered as Answer } from "@cairn/api";
import { Accordion, Anchor, Badge, Code, Group, SegmentedControl, Stack, Tabs, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { useAddress, type Address } from "../parts/address.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Facts } from "../parts/facts.tsx";
import { ServiceField } from "../parts/filters.tsx";
import { nameOf, plain } from "../parts/names.ts";
import { many } from "../parts/numbers.ts";
import { Answered, Empty, Page } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { TabNames } from "../parts/tab-names.tsx";
import { Time } from "../parts/time.tsx";

const TABS = ["rules", "running", "exceptions"] as const;
const TITLES = { rules: "Rules", running: "What runs, by these rules", exceptions: "Exceptions that hold" } as const;
const CLI = { rules: "cairn policies list", running: "cairn policies audit", exceptions: "cairn exceptions list" } as const;
const API = { rules: "GET /api/policies", running: "GET /api/audit", exceptions: "GET /api/exceptions?holding=true" } as const;

/** What do we require, does what runs meet it, and who is excepted? */
export default function Policies() {
  const address = useAddress();
  const shown = address.oneOf("show", TABS);
  return (
    <Page title="Policies" actions={<Equivalents cli={CLI[shown]} api={API[shown]} />}>
      <Tabs
        value={shown}
        onChange={(next) => address.set({ show: next === TABS[0] ? null : next, service: null, outcome: null })}
        keepMounted={false}
      >
        <TabNames tabs={TABS} shown={shown} titleOf={(tab) => TITLES[tab]} />
        <Tabs.Panel value="rules">
          <Rules />
        </Tabs.Panel>
        <Tabs.Panel value="running">
          <Running address={address} />
        </Tabs.Panel>
        <Tabs.Panel value="exceptions">
          <Exceptions />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Rules() {
  const policies = useAnswer(["policies"], () => api.GET("/api/policies"));
  return (
    <Answered query={policies}>
      {({ bundle, rules }) => (
        <Stack>
          <Text c="dimmed" component="div">
            {many(rules.length, "rule")}, as data in <Code>library/policies</Code>. Bundle <Digest of={bundle} />. What a change of them
            would do to what runs, before it holds: <Code className="anywhere">cairn policies try FOLDER</Code>
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
  );
}

const OUTCOMES = ["any", "deny", "unknown", "warn", "allow"] as const;
const SAID = { any: "Any", deny: "Denied", unknown: "Unknown", warn: "Warned", allow: "Allowed" } as const;
const SHOWN = 100;

/** What policy would say today of what runs; at most so many lines, the worst first. */
function Running({ address }: { address: Address }) {
  const outcome = address.oneOf("outcome", OUTCOMES);
  const service = address.get("service");
  const query = { ...(outcome !== "any" && { outcome }), ...(service && { service }), limit: SHOWN };
  const audits = useAnswer(["audit", query], () => api.GET("/api/audit", { params: { query } }), { keep: true });
  return (
    <Stack gap="sm">
      <Group gap="xs" className="narrowing">
        <SegmentedControl
          size="xs"
          data={OUTCOMES.map((value) => ({ value, label: SAID[value] }))}
          value={outcome}
          onChange={(value) => address.set({ outcome: value === OUTCOMES[0] ? null : value })}
          aria-label="Outcome"
        />
        <ServiceField address={address} />
      </Group>
      <Answered query={audits}>
        {({ audits: all }) =>
          all.length === 0 ? (
            <Empty title={service || outcome !== "any" ? "Nothing that runs is like that" : "Nothing to judge yet"}>
              What runs is judged every few minutes, and after what bears on it. Nothing is taken down.
            </Empty>
          ) : (
            <>
              <Rows label="What runs">
                {all.map((audit) => (
                  <Row
                    key={`${audit.service}/${audit.environment}`}
                    sign={<Status of={audit.outcome} bare />}
                    title={
                      <Anchor component={Link} to={audit.decision === null ? `/releases/${audit.release}` : `/decisions/${audit.decision}`}>
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
              {all.length === SHOWN && (
                <Text c="dimmed">The first {SHOWN}, the worst first. A service&apos;s name shows all of its own.</Text>
              )}
            </>
          )
        }
      </Answered>
    </Stack>
  );
}

function Exceptions() {
  const exceptions = useAnswer(["exceptions"], () => api.GET("/api/exceptions", { params: { query: { holding: "true" } } }));
  return (
    <Answered query={exceptions}>
      {({ exceptions: all }) =>
        all.length === 0 ? (
          <Empty title="No exception holds">
            Whoever a rule names may grant one, for a while and with a reason: on the page of the decision that denied, or with{" "}
            <Code className="anywhere">cairn exceptions grant SERVICE RULE --until 8h --because REASON</Code>
          </Empty>
        ) : (
          <Rows label="Exceptions">
            {all.map((exception) => (
              <Exempted key={exception.id} exception={exception} />
            ))}
          </Rows>
        )
      }
    </Answered>
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
