import { Anchor, Code } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { nameOf } from "./names.ts";
import { Answered, Empty } from "./page.tsx";
import { Row, Rows } from "./rows.tsx";
import { Status } from "./status.tsx";
import { Time } from "./time.tsx";

const ORDER = ["failed", "unknown", "running", "pending", "warned", "passed"];
/** The state that matters most of several checks; none at all is pending. */
export const worst = (states: readonly string[]): string => ORDER.find((state) => states.includes(state)) ?? "pending";

export interface ChangeFilter {
  repository?: string;
  team?: string;
  state?: "open" | "merged" | "closed";
  before?: string;
  limit: number;
}

/** Asked for by the page too, where something stands below them. */
export const useChanges = (filter: ChangeFilter) =>
  useAnswer(["changes", filter], () => api.GET("/api/changes", { params: { query: filter } }), { keep: true });

export function ChangeRows({ filter, none }: { filter: ChangeFilter; none: string }) {
  const changes = useChanges(filter);
  const { repository } = filter;
  return (
    <Answered query={changes}>
      {({ changes: rows }) =>
        rows.length === 0 ? (
          <Empty title={none}>
            Push a branch with git, then open one: <Code>cairn changes open {repository ?? "REPOSITORY"} BRANCH</Code>
          </Empty>
        ) : (
          <Rows label="Change requests">
            {rows.map((change) => (
              <Row
                key={`${change.repository}/${change.number}`}
                sign={<Status of={change.state} bare />}
                title={
                  <Anchor component={Link} to={`/changes/${change.repository}/${change.number}`}>
                    {change.title}
                  </Anchor>
                }
                below={
                  <>
                    {change.repository} #{change.number} by {nameOf(change.author)} from <span className="mono">{change.branch}</span>
                  </>
                }
              >
                {change.state === "open" && (
                  <Status
                    of={change.mergeable ? worst(change.checks.map((check) => check.state)) : "failed"}
                    label={change.mergeable ? undefined : "conflicts"}
                  />
                )}
                <Time at={change.mergedAt ?? change.createdAt} />
              </Row>
            ))}
          </Rows>
        )
      }
    </Answered>
  );
}
