import { Button, Code, CopyButton, Popover, Stack, Text } from "@mantine/core";
import { IconTerminal2 } from "@tabler/icons-react";

/** The same action for a terminal and for a program. */
export function Equivalents({ cli, api }: { cli: string; api: string }) {
  return (
    <Popover position="bottom-end" withArrow shadow="md">
      <Popover.Target>
        <Button variant="subtle" color="gray" size="xs" leftSection={<IconTerminal2 size={14} aria-hidden />}>
          CLI and API
        </Button>
      </Popover.Target>
      <Popover.Dropdown maw="min(90vw, 560px)">
        <Stack gap="xs">
          <One title="As CLI" text={cli} />
          <One title="As API" text={api} />
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

function One({ title, text }: { title: string; text: string }) {
  return (
    <div>
      <Text size="xs" fw={600}>
        {title}
      </Text>
      <Code block>{text}</Code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button size="compact-xs" variant="subtle" onClick={copy}>
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </CopyButton>
    </div>
  );
}
