import type { Answered as Answer } from "@cairn/api";
import { Anchor } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Digest } from "./digest.tsx";
import { sentence } from "./names.ts";
import { Answered, Empty } from "./page.tsx";
import { Row, Rows } from "./rows.tsx";
import { Status } from "./status.tsx";
import { Time } from "./time.tsx";

type State = Answer<"listReleases">["releases"][number]["state"];
export interface ReleaseFilter {
  service?: string;
  team?: string;
  environment?: string;
  state?: State | "active";
  before?: string;
  limit: number;
}

/** Asked for by the page too, where something stands below them. */
export const useReleases = (filter: ReleaseFilter) =>
  useAnswer(["releases", filter], () => api.GET("/api/releases", { params: { query: filter } }), { keep: true });

export function ReleaseRows({ filter, none }: { filter: ReleaseFilter; none: string }) {
  const releases = useReleases(filter);
  const { service } = filter;
  return (
    <Answered query={releases}>
      {({ releases: rows }) =>
        rows.length === 0 ? (
          <Empty title={none}>A merge into the default branch starts one in each environment in turn.</Empty>
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
                <span className="row-word">
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
