import { Anchor, Code, Paper } from "@mantine/core";
import { IconUsers } from "@tabler/icons-react";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { NewTeam } from "../parts/new-team.tsx";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { Row, Rows } from "../parts/rows.tsx";

/** Who is there, and what do they own? */
export default function Teams() {
  const groups = useAnswer(["groups"], () => api.GET("/api/catalog/groups"));
  return (
    <Page title="Teams">
      <Answered query={groups}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No team yet">
              A service needs an owner. Make the first team below, or load an organisation: <Code>cairn org load FOLDER</Code>
            </Empty>
          ) : (
            <Rows label="Teams">
              {rows.map((group) => (
                <Row
                  key={group.ref}
                  sign={<IconUsers size={16} aria-hidden />}
                  title={group.title || group.name}
                  below={
                    <>
                      <span className="mono">{group.name}</span>
                      {group.description && ` · ${group.description}`}
                    </>
                  }
                >
                  <span>{group.members.map((member) => member.displayName).join(", ") || "nobody yet"}</span>
                  <Anchor component={Link} to={`/services?team=${group.name}`} size="xs">
                    {group.services} {group.services === 1 ? "service" : "services"}
                  </Anchor>
                </Row>
              ))}
            </Rows>
          )
        }
      </Answered>
      <Section title="New team">
        <Paper withBorder p="md">
          <NewTeam />
        </Paper>
      </Section>
    </Page>
  );
}
