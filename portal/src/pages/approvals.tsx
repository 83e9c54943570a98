import { Anchor, Button } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { ChangeRows } from "../parts/change-rows.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { nameOf, sentence } from "../parts/names.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { WhyLine } from "../parts/why.tsx";

/** What waits for somebody's word? Releases at a gate, and change requests. */
export default function Approvals() {
  const releases = useAnswer(
    ["releases", "waiting"],
    () => api.GET("/api/releases", { params: { query: { state: "active", limit: 500 } } }),
    { refetchInterval: 15_000 },
  );
  return (
    <Page
      title="Approvals"
      actions={
        <Equivalents
          cli={"cairn releases list --state active\ncairn approve RELEASE\ncairn changes approve SERVICE/NUMBER"}
          api={"GET /api/releases?state=active\nPOST /api/plans/{digest}/approve\nPOST /api/changes/{repository}/{number}/approve"}
        />
      }
    >
      <Answered query={releases}>
        {({ releases: all }) => {
          const waiting = all.filter(({ state }) => state === "held" || state === "planned");
          return (
            <>
              <Section title="Releases">
                {waiting.length === 0 ? (
                  <Empty title="No release waits">
                    A tier-1 service&apos;s release to production waits for somebody who took no part in it; a held one for its owner. Both
                    wait here.
                  </Empty>
                ) : (
                  <Rows label="Releases that wait">
                    {waiting.map((release) => (
                      <Row
                        key={release.id}
                        sign={<Status of="waiting" bare />}
                        title={
                          <Anchor component={Link} to={`/releases/${release.id}`}>
                            {release.service} to {release.environment}
                          </Anchor>
                        }
                        below={<WhyLine of={release.id} step={sentence(release.because)} />}
                      >
                        <span>{nameOf(release.startedBy)}</span>
                        <Time at={release.createdAt} />
                        <Button component={Link} to={`/releases/${release.id}`} size="compact-xs" variant="default">
                          Decide
                        </Button>
                      </Row>
                    ))}
                  </Rows>
                )}
              </Section>
              <Section title="Change requests">
                <ChangeRows filter={{ state: "open", limit: 100 }} none="No open change request" />
              </Section>
            </>
          );
        }}
      </Answered>
    </Page>
  );
}
