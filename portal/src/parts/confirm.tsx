import { Button, Group, Popover, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";

/** A button for what can't be undone: it says what will be, and asks once more. */
export function Confirm(props: { label: string; name: string; asks: string; loading: boolean; onConfirm: () => void }) {
  const [opened, { close, toggle }] = useDisclosure(false);
  return (
    <Popover opened={opened} onChange={(open) => !open && close()} position="bottom-end" withArrow shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <Button variant="subtle" color="red" size="xs" loading={props.loading} onClick={toggle} aria-label={props.name}>
          {props.label}
        </Button>
      </Popover.Target>
      <Popover.Dropdown maw="min(90vw, 320px)" aria-label={props.name}>
        <Stack gap="sm">
          <Text>{props.asks}</Text>
          <Group gap="xs" justify="flex-end">
            <Button variant="subtle" color="gray" size="xs" onClick={close}>
              Keep it
            </Button>
            <Button
              color="red"
              size="xs"
              onClick={() => {
                close();
                props.onConfirm();
              }}
            >
              {props.label}
            </Button>
          </Group>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
