import { Accordion, Group, Text } from "@mantine/core";
import { api, useAnswer } from "../api.ts";
import { many } from "./numbers.ts";
import { Answered, Empty } from "./page.tsx";

/** The files of a change request; a large one is folded. */
export function Diff({ repository, number, head }: { repository: string; number: number; head: string }) {
  const diff = useAnswer(["diff", repository, number, head], () =>
    api.GET("/api/changes/{repository}/{number}/diff", { params: { path: { repository, number } } }),
  );
  return (
    <Answered query={diff}>
      {({ files, fileCount, additions, deletions, truncated }) =>
        files.length === 0 ? (
          <Empty title="No file differs">Its branch holds what the default branch holds.</Empty>
        ) : (
          <>
            <Text c="dimmed" mb="xs">
              {many(fileCount, "file")}, +{additions} −{deletions}
              {truncated && ". Some of it is too long to show here: clone the repository for the rest."}
            </Text>
            <Accordion
              multiple
              variant="contained"
              chevronPosition="left"
              defaultValue={files.length <= 3 ? files.map((file) => file.path) : []}
            >
              {files.map((file) => (
                <Accordion.Item value={file.path} key={file.path}>
                  <Accordion.Control>
                    <Group justify="space-between" wrap="nowrap">
                      <span className="mono anywhere">{file.previousPath ? `${file.previousPath} → ${file.path}` : file.path}</span>
                      <Text size="xs" c="dimmed" className="nowrap">
                        {file.status.replaceAll("_", " ")}
                        {file.additions !== null && ` +${file.additions} −${file.deletions}`}
                      </Text>
                    </Group>
                  </Accordion.Control>
                  <Accordion.Panel>
                    {file.binary ? <Text>Binary file</Text> : <Patch text={file.patch ?? ""} name={file.path} truncated={file.truncated} />}
                  </Accordion.Panel>
                </Accordion.Item>
              ))}
            </Accordion>
          </>
        )
      }
    </Answered>
  );
}

function Patch({ text, name, truncated }: { text: string; name: string; truncated: boolean }) {
  const lines = text
    .trimEnd()
    .split("\n")
    .slice(text.split("\n").findIndex((line) => line.startsWith("@@")));
  return (
    <>
      <div className="diff" tabIndex={0} role="region" aria-label={`Changes of ${name}`}>
        {lines.map((line, at) => (
          // oxlint-disable-next-line react/no-array-index-key -- lines have no other identity and never move
          <div
            key={at}
            className={line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : line.startsWith("@@") ? "place" : undefined}
          >
            {line || " "}
          </div>
        ))}
      </div>
      {truncated && <Text c="dimmed">Cut here: it is too long to show.</Text>}
    </>
  );
}
