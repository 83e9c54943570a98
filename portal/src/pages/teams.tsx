import { Anchor, Button, Code, Paper, Stack, TextInput } from "@mantine/core";
import { IconSearch, IconUsers } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { NewTeam } from "../parts/new-team.tsx";
import { many } from "../parts/numbers.ts";
import { Duty, useOnCall } from "../parts/on-call.tsx";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { Row, Rows } from "../parts/rows.tsx";

/** So many stand open at first; more come by a button. */
const SHOWN = 40;

/** Who is there, what do they own, and who of them is on call? */
export default function Teams() {
  const groups = useAnswer(["groups"], () => api.GET("/api/catalog/groups"));
  const duties = useOnCall();
  const [text, setText] = useState("");
  const [most, setMost] = useState(SHOWN);
  const duty = new Map(duties.data?.onCall.map((each) => [each.group, each]));
  return (
    <Page title="Teams" actions={<Equivalents cli={"cairn org teams\ncairn on-call"} api={"GET /api/catalog/groups\nGET /api/on-call"} />}>
      <Answered query={groups} with={[duties]}>
        {(all) => {
          const rows = all.filter(({ name, title }) => `${name} ${title}`.toLowerCase().includes(text.trim().toLowerCase()));
          return (
            <>
              {all.length === 0 ? (
                <Empty title="No team yet">
                  A service needs an owner. Make the first team below, or load an organisation: <Code>cairn org load FOLDER</Code>
                </Empty>
              ) : (
                <Stack gap="sm">
                  {all.length > 8 && (
                    <TextInput
                      aria-label="Find a team"
                      placeholder="Find a team"
                      leftSection={<IconSearch size={14} aria-hidden />}
                      value={text}
                      onChange={(event) => setText(event.currentTarget.value)}
                      maw={320}
                    />
                  )}
                  {rows.length === 0 && <Empty title="No team is called that" />}
                  {rows.length > 0 && (
                    <Rows label="Teams">
                      {rows.slice(0, most).map((group) => (
                        <Row
                          key={group.ref}
                          sign={<IconUsers size={16} aria-hidden />}
                          title={group.title || group.name}
                          below={
                            <>
                              <span className="mono">{group.name}</span>
                              {group.description && ` · ${group.description}`}
                              <div>{group.members.map((member) => member.displayName).join(", ") || "nobody yet"}</div>
                            </>
                          }
                        >
                          <OnCall of={duty.get(group.ref)} />
                          <Anchor component={Link} to={`/services?team=${group.name}`} size="xs">
                            {many(group.services, "service")}
                          </Anchor>
                          {group.services > 0 && (
                            <Anchor component={Link} to={`/scorecards?team=${group.name}`} size="xs">
                              scorecards
                            </Anchor>
                          )}
                        </Row>
                      ))}
                    </Rows>
                  )}
                  {rows.length > most && (
                    <Button variant="default" size="xs" onClick={() => setMost(most + 200)} style={{ alignSelf: "flex-start" }}>
                      {rows.length - most} more
                    </Button>
                  )}
                </Stack>
              )}
              <Section title="New team">
                <Paper withBorder p="md">
                  <NewTeam />
                </Paper>
              </Section>
            </>
          );
        }}
      </Answered>
    </Page>
  );
}

function OnCall({ of }: { of: Parameters<typeof Duty>[0]["of"] | undefined }) {
  if (!of) return null;
  return (
    <span>
      on call: <Duty of={of} />
    </span>
  );
}
