import { Anchor } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Digest } from "./digest.tsx";
import { sentence } from "./names.ts";
import { Answered, Empty } from "./page.tsx";
import { Row, Rows } from "./rows.tsx";
import { Status } from "./status.tsx";
import { Time } from "./time.tsx";

/** Asked for by the page too, where something stands below them. */
export const useReleases = (limit: number, service?: string) =>
  useAnswer(["releases", service, limit], () => api.GET("/api/releases", { params: { query: { limit, ...(service && { service }) } } }));

export function ReleaseRows({ service, limit }: { service?: string; limit: number }) {
  const releases = useReleases(limit, service);
  return (
    <Answered query={releases}>
      {({ releases: rows }) =>
        rows.length === 0 ? (
          <Empty title="No release yet">A merge into the default branch starts one in each environment in turn.</Empty>
        ) : (
          <Rows label="Releases">
            {rows.map((release) => (
              <Row
                key={release.id}
                sign={<Status of={release.state} bare />}
                title={
                  <Anchor component={Link} to={`/releases/${release.id}`}>
                    {service ? release.environment : `${release.service} to ${release.environment}`}
                  </Anchor>
                }
                below={sentence(release.because)}
              >
                <span>
                  {release.state.replaceAll("_", " ")}
                  {release.state === "rolling_out" && `, ${release.percent} %`}
                </span>
                <span>
                  commit <Digest of={release.commit} length={8} />
                </span>
                <Time at={release.createdAt} />
              </Row>
            ))}
          </Rows>
        )
      }
    </Answered>
  );
}
