import { Alert, Anchor, Text } from "@mantine/core";
import { Link, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Facts } from "../parts/facts.tsx";
import { plain, sentence } from "../parts/names.ts";
import { span } from "../parts/numbers.ts";
import { Answered, Page, Section } from "../parts/page.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { Why } from "../parts/why.tsx";

/** Did it build and pass, and what came of it? */
export default function CiRunPage() {
  const { id = "" } = useParams();
  const run = useAnswer(["ci-runs", id], () => api.GET("/api/ci-runs/{id}", { params: { path: { id } } }), { refetchInterval: 3000 });
  const under = run.data?.endedAt === null;
  const log = useAnswer(["ci-log", id, under], () => api.GET("/api/ci-runs/{id}/log", { params: { path: { id }, query: { from: 0 } } }), {
    refetchInterval: under ? 1500 : false,
    keep: true,
  });
  return (
    <Answered query={run} title="CI run" path={[{ name: "Changes", to: "/changes" }]}>
      {(data) => (
        <Page
          title={`CI of ${data.repository}`}
          path={[{ name: data.repository, to: `/services/${data.repository}` }]}
          aside={<Status of={data.state} />}
          actions={<Equivalents cli={`cairn why ${data.id}`} api={`GET /api/ci-runs/${data.id}`} />}
        >
          <Facts
            of={[
              ["Commit", <Digest key="commit" of={data.commit} length={8} />],
              ["For", data.purpose === "merge" ? "delivery of the merge" : "a change request"],
              data.tests && ["Tests", `${data.tests.total - data.tests.failed - data.tests.skipped} of ${data.tests.total} passed`],
              data.artifact && ["Artifact", <Digest key="artifact" of={data.artifact.digest} />],
              ["Begun", <Time key="time" at={data.createdAt} />],
            ]}
          />
          {data.because && (
            <Alert color="red" variant="outline" title={data.because} role="alert">
              The log below says more.
            </Alert>
          )}
          {data.state !== "passed" && <Why of={data.id} />}
          <Section title="Stages">
            <Rows label="Stages">
              {data.stages.map((stage) => (
                <Row
                  key={stage.name}
                  sign={<Status of={stage.state} bare />}
                  title={titled(stage.name)}
                  below={stage.detail && plain(stage.detail)}
                >
                  {stage.command && <span className="mono">{stage.command}</span>}
                  <span className="number">{stage.seconds === null || stage.state === "skipped" ? "" : span(stage.seconds)}</span>
                </Row>
              ))}
            </Rows>
          </Section>
          {data.artifact && data.purpose === "merge" && <Evidence artifact={data.artifact.digest} />}
          <Section title="Log">
            <pre className="log panel" tabIndex={0} role="region" aria-label="Text of the log">
              {log.data?.text ?? ""}
            </pre>
          </Section>
        </Page>
      )}
    </Answered>
  );
}

function Evidence({ artifact }: { artifact: string }) {
  const evidence = useAnswer(["evidence", artifact], () => api.GET("/api/evidence", { params: { query: { artifact } } }));
  return (
    <Section title="Evidence">
      <Answered query={evidence}>
        {({ evidence: rows }) =>
          rows.length === 0 ? (
            <Text c="dimmed">None.</Text>
          ) : (
            <Rows label="Evidence">
              {rows.map((each) => (
                <Row
                  key={each.digest}
                  sign={<Status of={each.revokedBecause ? "failed" : each.result} bare />}
                  title={
                    <Anchor component={Link} to={`/api/evidence/${each.digest}`} reloadDocument>
                      {titled(each.kind)}
                    </Anchor>
                  }
                  below={
                    each.revokedBecause ? (
                      <Revoked digest={each.digest} because={each.revokedBecause} />
                    ) : (
                      `Signed by ${each.builder}${each.isolated ? "" : ", not isolated"}`
                    )
                  }
                >
                  <Digest of={each.digest} />
                </Row>
              ))}
            </Rows>
          )
        }
      </Answered>
    </Section>
  );
}

const titled = (name: string): string => (name === "sbom" ? "SBOM" : sentence(name.replace("-", " ")));

/** Why it was taken back, the decisions that this re-opened, and the releases that they carry. */
function Revoked({ digest, because }: { digest: string; because: string }) {
  const reach = useAnswer(["evidence", digest], () => api.GET("/api/evidence/{digest}", { params: { path: { digest } } }));
  const { decisions = [], releases = [] } = reach.data ?? {};
  return (
    <>
      Revoked: {because}.
      {decisions.map(({ decision }) => (
        <span key={decision}>
          {" "}
          <Anchor component={Link} to={`/decisions/${decision}`} size="sm">
            Decision re-opened
          </Anchor>
        </span>
      ))}
      {releases.map(({ id, environment, state }) => (
        <span key={id}>
          {" "}
          <Anchor component={Link} to={`/releases/${id}`} size="sm">
            {state === "promoted" ? `Serves in ${environment}` : `On its way to ${environment}`}
          </Anchor>
        </span>
      ))}
    </>
  );
}
