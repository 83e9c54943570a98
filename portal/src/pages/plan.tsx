import { answer, type Answered as Answer } from "@cairn/api";
import { Accordion, Alert, Button, Grid, Group, List, NavLink, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Decisions } from "../parts/decisions.tsx";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Facts } from "../parts/facts.tsx";
import { nameOf, plain, runPath, serviceOf } from "../parts/names.ts";
import { Answered, Page, Section } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { Why } from "../parts/why.tsx";

type PlanAnswer = Answer<"getPlan">;
type Change = PlanAnswer["plan"]["changes"][number];
interface PlannedFile {
  path: string;
  content: string;
  encoding: string;
}

/** What will I get? Everything the plan makes, before anything changes; then apply exactly that. */
export default function PlanPage() {
  const { digest = "" } = useParams();
  const plan = useAnswer(["plans", digest], () => api.GET("/api/plans/{digest}", { params: { path: { digest } } }));
  return (
    <Answered query={plan} title="Plan" path={[{ name: "Services", to: "/services" }]}>
      {(kept) => <PlanView kept={kept} />}
    </Answered>
  );
}

function PlanView({ kept }: { kept: PlanAnswer }) {
  const { plan, digest } = kept;
  const navigate = useNavigate();
  const apply = useMutation({
    mutationFn: () => answer(api.POST("/api/plans/{digest}/apply", { params: { path: { digest } } })),
    onSuccess: ({ run }) => void navigate(runPath(run), { state: { follow: true } }),
  });
  const denied = plan.decisions.some((decision) => decision.outcome === "deny");
  const files = (Array.isArray(plan.payload.files) ? plan.payload.files : []) as PlannedFile[];
  const creates = plan.kind === "create-service";
  const about = serviceOf(plan.about);
  const deletes = plan.kind === "decommission-service";
  const [named, setNamed] = useState("");
  const button = kept.run ? (
    <Button onClick={() => void navigate(runPath(kept.run ?? ""))}>See how it went</Button>
  ) : (
    creates && (
      <Button onClick={() => apply.mutate()} loading={apply.isPending} disabled={denied || kept.state !== "open"}>
        Apply this plan
      </Button>
    )
  );
  return (
    <Page
      title={plan.title}
      path={creates ? [{ name: "Create a service", to: "/create" }] : about ? [{ name: about, to: `/services/${about}` }] : []}
      aside={<Status of={kept.state === "open" ? "planned" : kept.state} />}
      actions={
        <>
          {(creates || deletes) && <Equivalents cli={`cairn apply ${digest}`} api={`POST /api/plans/${digest}/apply`} />}
          {button}
        </>
      }
    >
      <Stack gap="xs">
        {kept.state === "open" && <Text>Nothing has changed yet. Applying makes exactly what stands here.</Text>}
        {kept.state === "stale" && <Text className="tone-warn">What it was made on has changed since: make the plan anew.</Text>}
        <Facts
          of={[
            ["Plan", <Digest key="digest" of={digest} />],
            ["Made", <Time key="made" at={kept.createdAt} />],
            ["By", nameOf(kept.createdBy)],
            [
              "Cost",
              plan.cost.monthly === null
                ? `unknown${plan.cost.unknown.length > 0 ? ` (no price for ${plan.cost.unknown.join(", ")})` : ""}`
                : `${plan.cost.monthly.toFixed(2)} ${plan.cost.currency} a month`,
            ],
          ]}
        />
        <ProblemNote error={apply.error} />
        {denied && (
          <Alert color="red" variant="outline" title="Policy denies this plan">
            Each denied rule below says how to meet it; then make the plan anew.
          </Alert>
        )}
        {deletes && kept.state === "open" && about && (
          <Alert color="red" variant="outline" title={`This deletes ${about}`}>
            <Group align="flex-end" gap="sm">
              <TextInput
                label={`Type its name to carry the plan out: ${about}`}
                value={named}
                onChange={(event) => setNamed(event.currentTarget.value)}
                autoComplete="off"
                spellCheck={false}
                style={{ flex: "1 1 240px" }}
              />
              <Button color="red" disabled={named !== about} loading={apply.isPending} onClick={() => apply.mutate()}>
                Delete {about}
              </Button>
            </Group>
          </Alert>
        )}
        {kept.state !== "applied" && <Why of={digest} />}
      </Stack>
      <Grid gap="xl">
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Stack gap="lg">
            <Section title="What it makes">
              <Changes rows={plan.changes.filter((change) => change.kind !== "resource" && change.kind !== "file")} />
            </Section>
            <Section title="Infrastructure">
              <Changes rows={plan.changes.filter((change) => change.kind === "resource")} />
            </Section>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Stack gap="lg">
            <Section title="Policy decisions">
              <Decisions decisions={plan.decisions} />
            </Section>
            <Section title="Rollout">
              <Rows label="Rollout">
                {plan.rollout.map((step) => (
                  <Row key={step.environment} title={step.environment} below={step.gates.join(", ")}>
                    <span>{step.stepsPercent.map((percent) => `${percent} %`).join(" → ")}</span>
                  </Row>
                ))}
              </Rows>
              <Text size="xs" c="dimmed" mt="xs">
                Undo: {plan.rollback}
              </Text>
            </Section>
            {plan.unknowns.length > 0 && (
              <Section title="Not known yet">
                <List size="sm">
                  {plan.unknowns.map((unknown) => (
                    <List.Item key={unknown}>{unknown}</List.Item>
                  ))}
                </List>
              </Section>
            )}
          </Stack>
        </Grid.Col>
      </Grid>
      {files.length > 0 && (
        <Section title={`Files (${files.length})`}>
          <Files files={files} />
        </Section>
      )}
      <Accordion variant="contained">
        <Accordion.Item value="basis">
          <Accordion.Control>What the plan was made on</Accordion.Control>
          <Accordion.Panel>
            <Facts
              of={Object.entries(plan.basis).map(
                ([name, value]) => [name, value.startsWith("sha256:") ? <Digest key={name} of={value} /> : value] as const,
              )}
            />
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
    </Page>
  );
}

/** One line a thing; the same in several environments is one line. */
function Changes({ rows }: { rows: readonly Change[] }) {
  if (rows.length === 0) return <Text c="dimmed">None.</Text>;
  const grouped = Map.groupBy(rows, (row) => `${row.action} ${row.kind} ${row.id}`);
  return (
    <Rows>
      {[...grouped].map(([key, [row, ...more]]) => {
        if (!row) return null;
        const environments = [row, ...more].flatMap(({ environment }) => environment ?? []);
        return (
          <Row key={key} sign={<span className="wide">{row.action}</span>} title={nameOf(row.id)} below={plain(row.detail)}>
            <span>{row.kind.replaceAll("_", " ")}</span>
            {environments.length > 0 && <span>{environments.join(", ")}</span>}
          </Row>
        );
      })}
    </Rows>
  );
}

interface Folder {
  folders: Map<string, Folder>;
  files: PlannedFile[];
}

function Files({ files }: { files: PlannedFile[] }) {
  const [path, setPath] = useState((files.find((each) => each.path === "README.md") ?? files[0])?.path);
  const file = files.find((each) => each.path === path);
  const tree: Folder = { folders: new Map(), files: [] };
  for (const each of files) {
    let folder = tree;
    for (const name of each.path.split("/").slice(0, -1)) {
      const inner: Folder = folder.folders.get(name) ?? { folders: new Map(), files: [] };
      folder.folders.set(name, inner);
      folder = inner;
    }
    folder.files.push(each);
  }
  const level = (folder: Folder) => (
    <>
      {[...folder.folders].map(([name, inner]) => (
        <NavLink key={name} component="button" type="button" label={`${name}/`} py={3} childrenOffset={18}>
          {level(inner)}
        </NavLink>
      ))}
      {folder.files.map((each) => (
        <NavLink
          key={each.path}
          component="button"
          type="button"
          label={each.path.split("/").at(-1)}
          active={each.path === path}
          aria-pressed={each.path === path}
          onClick={() => setPath(each.path)}
          py={3}
        />
      ))}
    </>
  );
  return (
    <div className="panel files">
      <div role="region" aria-label="Tree of files" tabIndex={0}>
        {level(tree)}
      </div>
      <div role="region" aria-label={`Content of ${path}`} tabIndex={0}>
        <pre className="source">{file?.encoding === "base64" ? "Binary file" : file?.content}</pre>
      </div>
    </div>
  );
}
