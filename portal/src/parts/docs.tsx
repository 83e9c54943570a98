import { Code, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useLocation } from "react-router";
import { api, useAnswer } from "../api.ts";
import { useAddress } from "./address.ts";
import { Markdown } from "./markdown.tsx";
import { Answered, Empty } from "./page.tsx";

const TITLES: Record<string, string> = { "README.md": "Readme", "docs/index.md": "Documentation", "docs/runbook.md": "Runbook" };

/** What the repository says of itself: README.md and docs/, as its default branch has them. */
export function Docs({ repository }: { repository: string }) {
  const address = useAddress();
  const { hash } = useLocation();
  const files = useAnswer(["files", repository], () =>
    api.GET("/api/repositories/{name}/files", { params: { path: { name: repository } } }),
  );
  return (
    <Answered query={files}>
      {({ files: all }) => {
        const paths = all.map(({ path }) => path).filter((path) => /^(README\.md|docs\/[^/]+\.md)$/.test(path));
        const wanted = address.get("file") ?? (hash === "#runbook" ? "docs/runbook.md" : "docs/index.md");
        const path = paths.find((each) => each === wanted) ?? paths[0];
        if (!path)
          return (
            <Empty title="It has no documentation">
              Write docs/index.md and docs/runbook.md in its repository; they appear here after the merge.
            </Empty>
          );
        return (
          <Stack>
            <Group justify="space-between">
              <SegmentedControl
                size="xs"
                data={paths.map((each) => ({ value: each, label: TITLES[each] ?? each.replace(/^docs\//, "") }))}
                value={path}
                onChange={(file) => address.set({ file })}
                aria-label="Document"
              />
              <Text size="xs" c="dimmed">
                <Code>{path}</Code> of the default branch
              </Text>
            </Group>
            <Document repository={repository} path={path} />
          </Stack>
        );
      }}
    </Answered>
  );
}

function Document({ repository, path }: { repository: string; path: string }) {
  const file = useAnswer(["documents", repository, path], () =>
    api.GET("/api/repositories/{name}/file", { params: { path: { name: repository }, query: { path } } }),
  );
  return (
    <Answered query={file}>
      {({ text }) => (
        <Stack gap="xs">
          {text.includes("cairn.dev/placeholder") && (
            <Text className="tone-warn">Still as it was generated: make it yours, then remove its placeholder line.</Text>
          )}
          <Markdown text={text} />
        </Stack>
      )}
    </Answered>
  );
}
