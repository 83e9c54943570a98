import { answer } from "@cairn/api";
import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Link, Navigate, useLocation, useNavigate, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { nameOf, pageOf, plain, runPath, sentence, serviceOf } from "../parts/names.ts";
import { Answered, Page } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Status } from "../parts/status.tsx";
import { Steps } from "../parts/steps.tsx";
import { Time } from "../parts/time.tsx";
import { Why } from "../parts/why.tsx";

/** How it goes: the steps of one workflow, live, and where it led. */
export default function RunPage() {
  const id = useParams()["*"] ?? "";
  const { state: from } = useLocation() as { state: { follow?: boolean } | null };
  const run = useAnswer(["runs", id], () => api.GET("/api/runs/{id}", { params: { path: { id } } }), { refetchInterval: 3000 });
  return (
    <Answered query={run} title="Workflow" path={[{ name: "Home", to: "/" }]}>
      {(data) => {
        const service = serviceOf(data.about);
        const made = madeBy(data.output);
        const page = pageOf(data.about);
        // Whoever has just applied the plan goes on to what it made.
        if (from?.follow && data.state === "success" && made) return <Navigate to={made} replace />;
        return (
          <Page
            title={sentence(data.workflow)}
            path={[
              ...(page ? [{ name: nameOf(data.about), to: page }] : []),
              ...(data.parent ? [{ name: "The workflow above it", to: runPath(data.parent) }] : []),
            ]}
            aside={<Status of={data.state} />}
            actions={<Equivalents cli={`cairn runs show "${data.id}" --watch`} api={`GET /api${runPath(data.id)}`} />}
          >
            <Text c="dimmed">
              Started <Time at={data.createdAt} /> by {nameOf(data.startedBy)}
              {from?.follow && data.state === "running" && ". When it is done, you go on to the first change request."}
            </Text>
            {data.error && (
              <Alert color="red" variant="outline" title={plain(data.error.message)} role="alert">
                <Text>{plain(data.error.next)}</Text>
                <Text size="xs" c="dimmed" className="mono">
                  {data.error.code}
                </Text>
              </Alert>
            )}
            {data.state !== "success" && <Why of={data.id} />}
            {service &&
              data.parent === null &&
              data.workflow.startsWith("deliver") &&
              (data.state === "failed" || data.state === "rolled_back") && <Retry id={data.id} service={service} />}
            <Steps steps={data.steps} />
            {data.state === "success" && (
              <Group>
                {made && (
                  <Button component={Link} to={made}>
                    Review the first change request
                  </Button>
                )}
                {service && (
                  <Button component={Link} to={`/services/${service}`} variant="default">
                    Open {service}
                  </Button>
                )}
              </Group>
            )}
          </Page>
        );
      }}
    </Answered>
  );
}

/** What failed for a passing reason is delivered once more, as it was merged. */
function Retry({ id, service }: { id: string; service: string }) {
  const navigate = useNavigate();
  const again = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/services/{name}/deliver", { params: { path: { name: service } }, body: { because: "tried once more by hand" } }),
      ),
    onSuccess: ({ run }) => void navigate(runPath(run)),
  });
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Button variant="default" loading={again.isPending} onClick={() => again.mutate()}>
          Try it once more
        </Button>
        <Equivalents cli={`cairn retry "${id}"`} api={`POST /api/services/${service}/deliver\n{"because": "…"}`} />
      </Group>
      <ProblemNote error={again.error} />
    </Stack>
  );
}

/** The page of the change request that a run opened, if it opened one. */
function madeBy(output: unknown): string | undefined {
  const { repository, change } = (output ?? {}) as { repository?: string; change?: number };
  return repository !== undefined && change !== undefined ? `/changes/${repository}/${change}` : undefined;
}
