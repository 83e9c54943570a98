import { Button, Code, Stack, Text } from "@mantine/core";
import { useRouteError } from "react-router";
import { Empty, Page } from "../parts/page.tsx";

/** What stands in the place of a page that broke: the rest of the portal goes on. */
export function Broken() {
  const error = useRouteError();
  return (
    <Page title="This page broke">
      <Empty title="Something in the portal failed, not on the platform">
        <Stack gap="sm" align="flex-start">
          <Text>
            What you did before has happened or not as the platform says: load the page again. If it breaks again, tell who runs the
            platform what stands here.
          </Text>
          <Code className="anywhere">{error instanceof Error ? `${error.name}: ${error.message}` : "unknown"}</Code>
          <Button variant="default" onClick={() => window.location.reload()}>
            Load it again
          </Button>
        </Stack>
      </Empty>
    </Page>
  );
}
