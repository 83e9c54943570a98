import { Accordion, Group, Text } from "@mantine/core";
import { api, useAnswer } from "../api.ts";
import { Answered } from "./page.tsx";

/** The files of a change request; a large one is folded. */
export function Diff({ repository, number }: { repository: string; number: number }) {
  const diff = useAnswer(["diff", repository, number], () => api.GET("/api/changes/{repository}/{number}/diff", { params: { path: { repository, number } } }));
  return (
    <Answered query={diff}>
      {({ files }) => (
        <Accordion multiple variant="separated" defaultValue={files.length <= 3 ? files.map((file) => file.path) : []}>
          {files.map((file) => (
            <Accordion.Item value={file.path} key={file.path}>
              <Accordion.Control>
                <Group justify="space-between" wrap="nowrap">
                  <Text size="sm" className="mono" style={{ overflowWrap: "anywhere" }}>
                    {file.path}
                  </Text>
                  <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
                    {file.status} +{file.additions} −{file.deletions}
                  </Text>
                </Group>
              </Accordion.Control>
              <Accordion.Panel>{file.binary ? <Text size="sm">Binary file</Text> : <Patch text={file.patch ?? ""} name={file.path} />}</Accordion.Panel>
            </Accordion.Item>
          ))}
        </Accordion>
      )}
    </Answered>
  );
}

function Patch({ text, name }: { text: string; name: string }) {
  const lines = text.split("\n").filter((line) => !/^(diff |index |--- |\+\+\+ |new file|deleted file)/.test(line));
  return (
    <div className="diff" tabIndex={0} role="region" aria-label={`Changes of ${name}`}>
      {lines.map((line, at) => (
        // oxlint-disable-next-line react/no-array-index-key -- lines have no other identity and never move
        <div key={at} className={line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : line.startsWith("@@") ? "place" : undefined}>
          {line || " "}
        </div>
      ))}
    </div>
  );
}
