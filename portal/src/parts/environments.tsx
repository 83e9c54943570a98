import type { Answered as Answer } from "@cairn/api";
import { Anchor, Code, Progress, Text } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Digest } from "./digest.tsx";
import { nameOf, plain } from "./names.ts";
import { many } from "./numbers.ts";
import { Answered, Empty } from "./page.tsx";
import { useReleases } from "./release-rows.tsx";
import { Status } from "./status.tsx";
import { Time } from "./time.tsx";

type Environment = Answer<"listServiceEnvironments">[number];
type Revision = Environment["revisions"][number];
interface Runs {
  release?: string;
  revision?: string;
  commit?: string;
  since?: string;
}

/** Asked for by the page too, where they stand high on it. */
export const useEnvironments = (service: string) =>
  useAnswer(["environments", service], () => api.GET("/api/services/{name}/environments", { params: { path: { name: service } } }), {
    refetchInterval: 4000,
  });

/** What runs where: one line a revision that serves or starts, with its version, health and share of the traffic. */
export function Environments({ service, facts }: { service: string; facts: Answer<"getServiceView">["facts"] }) {
  const environments = useEnvironments(service);
  const releases = useReleases({ service, limit: 50 });
  const noted = (environment: string) => (facts.find((fact) => fact.key === `runs.${environment}`)?.value ?? {}) as Runs;
  const commitOf = (environment: string, revision: Revision) =>
    releases.data?.releases.find((release) => release.environment === environment && release.revision === revision.id) ??
    releases.data?.releases.find((release) => release.artifactDigest === revision.artifactDigest);
  return (
    <Answered query={environments}>
      {(rows) =>
        rows.length === 0 ? (
          <Empty title="It runs nowhere yet">
            Merge its first change request: it is built, judged and rolled out through the environments.{" "}
            <Anchor component={Link} to={`/services/${service}/changes`} underline="always">
              Its change requests
            </Anchor>
          </Empty>
        ) : (
          <div className="panel">
            {rows.map((row) => {
              const serving = row.revisions.filter((revision) => revision.weightPercent > 0 || revision.health !== "stopped");
              const revisions = (serving.length > 0 ? serving : [undefined]).map((revision, at) => {
                const fact = noted(row.environment);
                const release = revision && commitOf(row.environment, revision);
                return (
                  <div
                    className="environment"
                    key={`${row.environment} ${revision?.id}`}
                    data-environment={row.environment}
                    data-health={revision?.health ?? "unknown"}
                  >
                    <div>
                      <div className="environment-name">{at === 0 ? row.environment : <Text c="dimmed">{row.environment}, too</Text>}</div>
                      {at === 0 && (
                        <Anchor href={row.url} target="_blank" rel="noreferrer" size="xs">
                          {row.url.replace("http://", "")}
                        </Anchor>
                      )}
                    </div>
                    <div>
                      {revision ? (
                        <>
                          <div>
                            commit <Digest of={release?.commit ?? fact.commit} length={8} />
                          </div>
                          <Text size="xs" c="dimmed" component="div">
                            artifact <Digest of={revision.artifactDigest} />
                          </Text>
                        </>
                      ) : (
                        <Text c="dimmed">Nothing runs</Text>
                      )}
                    </div>
                    <div>
                      <Status of={revision ? revision.health : "unknown"} />
                      {revision && (
                        <Text size="xs" c="dimmed" component="div">
                          {many(revision.requests, "request")}, {many(revision.errors, "error")}
                          {revision.restarts > 0 && `, ${many(revision.restarts, "restart")}`}
                        </Text>
                      )}
                    </div>
                    <div>
                      {revision && (
                        <>
                          <div>
                            since <Time at={revision.id === fact.revision ? fact.since : revision.startedAt} />
                          </div>
                          {release && (
                            <Text size="xs" c="dimmed" component="div">
                              by {nameOf(release.startedBy)},{" "}
                              <Anchor
                                component={Link}
                                to={`/releases/${release.id}`}
                                size="xs"
                                underline="always"
                                aria-label={`why this is in ${row.environment}`}
                              >
                                why
                              </Anchor>
                            </Text>
                          )}
                        </>
                      )}
                    </div>
                    <div style={{ minWidth: 88 }}>
                      {revision && (
                        <>
                          <Text size="xs" mb={2}>
                            {revision.weightPercent} % of traffic
                          </Text>
                          <Progress value={revision.weightPercent} size="sm" aria-label={`${revision.weightPercent} % of traffic`} />
                        </>
                      )}
                    </div>
                  </div>
                );
              });
              return [...revisions, row.findings.length > 0 && <Findings key={`${row.environment} findings`} service={service} of={row} />];
            })}
          </div>
        )
      }
    </Answered>
  );
}

/** What is not as it was started, or should not be there. */
function Findings({ service, of: { environment, findings } }: { service: string; of: Environment }) {
  return (
    <div role="alert" data-findings={environment} style={{ padding: "0 14px 12px" }}>
      <Text size="sm" fw={600}>
        {many(findings.length, "thing")} in {environment} {findings.length === 1 ? "is" : "are"} not as released
      </Text>
      <ul style={{ margin: 0, paddingInlineStart: 20 }}>
        {findings.map((finding) => (
          <li key={finding.id}>
            <Text size="sm" component="span" style={{ overflowWrap: "anywhere" }}>
              <b>{finding.kind.replaceAll("_", " ")}</b>: {plain(finding.subject)}: {plain(finding.detail)} (found{" "}
              <Time at={finding.foundAt} />)
            </Text>
          </li>
        ))}
      </ul>
      <Text size="sm" mt={4}>
        {findings.every(({ kind }) => kind === "quarantined") ? (
          "What mends it takes its place here as soon as it is merged."
        ) : (
          <>
            To put back what was released: <Code className="anywhere">cairn deliver {service} -b REASON</Code>
          </>
        )}
      </Text>
    </div>
  );
}
